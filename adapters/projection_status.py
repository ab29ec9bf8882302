"""How read models and Merkle tree are: behind by how much, followed by whom, halted by what; the rebuild under way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.bootstrap import Application
from adapters.errors import translated
from adapters.postgres.audit_log import TREE
from adapters.postgres.dead_letters import counted_letters
from adapters.postgres.followers import Followable, followed
from adapters.postgres.locks import owners
from adapters.postgres.read_store import Progressed
from domain.event import Unreadable
from projections.all import READ_MODELS

STALLED_AFTER: Final = 10.0
HEALTHY: Final = frozenset({"current", "behind"})
KEPT: Final[tuple[Followable, ...]] = (*READ_MODELS, TREE)
"""All that is kept up to date with the log."""


@dataclass(frozen=True)
class ModelStatus:
    """One read model, or the tree. `behind` counts positions, `seconds_behind` how old the next event to take in is.

    That age is told by its writer's clock, and None for an event that cannot be read.
    `state` is `current`, `behind`, or what is wrong: `stalled` (events wait, and none was taken in for a while),
    `failing` (its follower meets errors), `dead_letters`, `outdated` (another version made its table), `missing`.
    """

    name: str
    version: int | None
    wanted_version: int
    position: int
    head: int
    behind: int
    seconds_behind: float | None
    seconds_since_update: float | None
    rate: float | None
    owner: str | None
    failures: int
    failure: str | None
    dead_letters: int
    state: str


@dataclass(frozen=True)
class Status:
    """All read models and the Merkle tree, the rebuild under way or left unfinished, the previous tables kept."""

    head: int
    read_models: list[ModelStatus]
    rebuild: dict[str, Any] | None
    previous: list[str]
    healthy: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "healthy", all(model.state in HEALTHY for model in self.read_models))

    def as_dict(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return asdict(self)


def status(app: Application, stalled_after: float = STALLED_AFTER) -> Status:
    """Look at the log, the tables and the locks."""
    there, now = progressed(app), _database_time(app)
    head = app.events.head()  # after the positions, so that none seems to be beyond it
    letters, who = counted_letters(app.reads), followed(app.reads, KEPT)
    waiting = {
        position: _waiting_since(app, position)
        for position in {at.position for at in there.values() if at.position < head}
    }

    def one(model: Followable) -> ModelStatus:
        at, follower = there.get(model.name), who.get(model.name)
        position = at.position if at else 0
        since = waiting.get(position) if at else None
        seconds = _seconds(now - since) if since else None
        idle = _seconds(now - at.updated_at) if at else None
        quiet = _seconds(now - follower.seen_at) if follower and follower.seen_at else None
        found = ModelStatus(
            name=model.name,
            version=at.version if at else None,
            wanted_version=model.version,
            position=position,
            head=head,
            behind=max(0, head - position),
            seconds_behind=seconds if head > position else 0.0,
            seconds_since_update=idle,
            rate=round(follower.rate, 1) if follower else None,
            owner=str(follower.owner) if follower else None,
            failures=follower.failures if follower else 0,
            failure=follower.failure if follower else None,
            dead_letters=letters.get(model.name, 0),
            state="",
        )
        return _judged(found, model, at, quiet, stalled_after)

    return Status(head, [one(model) for model in KEPT], _rebuild(app, now), app.shadows().previous())


def progressed(app: Application) -> Mapping[str, Progressed]:
    """Return how far what is kept has come, by name, of what is there."""
    return {**app.reads.progressed(), **app.audit.progressed()}


def _judged(
    found: ModelStatus, model: Followable, at: Progressed | None, quiet: float | None, stalled_after: float
) -> ModelStatus:
    """Say how it is. `quiet` is for how many seconds its follower has said nothing; None where nobody follows.

    That an event seems young excuses a follower only if it does its rounds: the clock of the writer may be ahead.
    """
    values = asdict(found)
    waits = found.behind and any(
        seconds is None or seconds > stalled_after for seconds in (found.seconds_behind, quiet)
    )
    if at is None:
        state = "missing"
    elif at.version != model.version:
        state = "outdated"
    elif waits and (found.seconds_since_update or 0) > stalled_after:
        state = "stalled"
    elif found.failures:
        state = "failing"
    elif found.dead_letters:
        state = "dead_letters"
    else:
        state = "behind" if found.behind else "current"
    return ModelStatus(**values | {"state": state})


def _database_time(app: Application) -> datetime:
    """Return the time by the clock that tells when followers got on, whatever the clock of this machine is."""
    with translated(), app.pool.connection() as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


def _seconds(since: timedelta) -> float:
    return max(0.0, round(since.total_seconds(), 1))


def _waiting_since(app: Application, position: int) -> datetime | None:
    """Return when the first event after a position was recorded, None if that cannot be read."""
    for event in app.log.read(position, 1):
        return None if isinstance(event.event, Unreadable) else event.recorded_at
    return None


def _rebuild(app: Application, now: datetime) -> dict[str, Any] | None:
    shadows = app.shadows()
    state = shadows.state()
    if state is None:
        return None
    with translated(), app.pool.connection() as connection:
        owner = owners(connection, [shadows.lock]).get(shadows.lock)
    left = max(0, state.head - state.events) if state.stage in ("begun", "fill") else 0
    eta = timedelta(seconds=left / state.rate) if state.rate and owner else None
    return {
        "state": "running" if owner else "ready" if state.stage == "ready" else "interrupted",
        "stage": state.stage,
        "trouble": state.trouble,
        "read_models": sorted(state.models),
        "events": state.events,
        "head": state.head,
        "rate": round(state.rate, 1) if state.rate else None,
        "eta_s": round(eta.total_seconds(), 1) if eta is not None else None,
        "started_at": state.started_at,
        "running_s": round((now - state.started_at).total_seconds(), 1),
        "owner": str(owner) if owner else None,
        "aborted": state.aborted,
    }
