"""Erasing a person, from the first look to the last dead row: key and event, tables, what lies about besides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson
import structlog
from psycopg import sql

from adapters.bootstrap import Application
from adapters.errors import translated
from adapters.postgres.locks import owners
from adapters.postgres.mapper import canonical_json
from adapters.sealing import no_master_key
from adapters.written_files import About, Cleaned, clean_files, legacy_records
from domain.access import Actor
from domain.account import EraseAccount
from domain.errors import ConfigurationInvalid, NotFound, RuleViolated
from domain.event import Recorded, personal_fields
from domain.service import Receipt
from domain.streams import unknown_person_id
from projections.all import READ_MODELS
from projections.read_model import Row

JOURNAL: Final = "erasures.jsonl"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Held:
    """What is held about a person: the events that say something about them, and the rows made of those, by table.

    `people` are the ids it stands under: theirs, and those of legacy records of theirs that were quarantined when
    nobody could tell whose they are.
    """

    person: UUID
    events: Sequence[Recorded]
    rows: dict[str, list[Row]]
    people: tuple[UUID, ...]

    @property
    def erased(self) -> bool:
        """Whether the person was erased."""
        return any(event.topic == "account.erased" for event in self.events)

    def summary(self) -> dict[str, Any]:
        """Return what there is, in numbers; no value."""
        sealed = [event for event in self.events if personal_fields(type(event.event))]
        return {
            "person": self.person,
            "erased": self.erased,
            "streams": len({event.stream for event in self.events}),
            "events": len(self.events),
            "events_with_values": len(sealed),
            "by_topic": dict(sorted(Counter(event.topic for event in self.events).items())),
            "rows": {name: len(rows) for name, rows in self.rows.items()},
        }


def held(app: Application, person: UUID) -> Held:
    """Return what is held about a person; raises NotFound for somebody of whom nothing is."""
    app.catch_up()
    events = _events_about(app, {person})
    if not events:
        raise NotFound(f"nothing is held about {person}", field="id", hint="give the id of an account or a person")
    unknown = {unknown_person_id(*record) for record in legacy_records(events)} - {person}
    apart = _events_about(app, unknown)
    events += apart
    rows = {}
    for model in READ_MODELS:
        keys = dict.fromkeys(key for event in events if event.topic in model.topics for key in model.touches(event))
        found = [row for key in keys if (row := app.reads.find(model, key))]
        if found:
            rows[model.name] = found
    people = dict.fromkeys([person, *(event.metadata.subject for event in apart if event.metadata.subject)])
    return Held(person, sorted(events, key=lambda event: event.position), rows, tuple(people))


def _events_about(app: Application, people: Collection[UUID]) -> list[Recorded]:
    loaded = app.events.load(app.events.streams_about(people))
    return [event for stream in loaded.values() for event in stream if event.metadata.subject in people]


@dataclass(frozen=True)
class Erasure:
    """What an erasure did: its receipt, what became of files, tables of before a swap, a rebuild; schemas left over.

    The tables of a rebuild that is under way forget the person before they are swapped in.
    """

    receipt: Receipt
    files: Cleaned
    dropped_previous: list[str]
    aborted_rebuild: bool
    leftovers: list[str]
    rebuild_under_way: bool


def check_erasable(app: Application, person: UUID) -> None:
    """Raise unless erasing a person's key would erase all there is of them."""
    if app.events.keys is None:
        raise no_master_key()
    if still_open := app.events.subjects.open_about(person):
        raise RuleViolated(
            f"{len(still_open)} events about the person are not sealed, the first at position {still_open[0].position}",
            hint="`dossier db seal` seals what was stored before sealing was on; then erase",
        )


def erase(app: Application, person: UUID, reason: str, actor: Actor, home: Path) -> Erasure:
    """Erase a person; done again, it does what is left to do. `home` is where erasures and files are noted.

    Their key goes in the transaction that appends the event. Then the tables are brought up to the log, which drops the
    rows' values, and what else held them is cleared away.
    """
    check_erasable(app, person)
    found = held(app, person)
    command_id = app.dossier.new_id()
    receipt = app.dossier.execute(EraseAccount(account_id=person, reason=reason), actor=actor, command_id=command_id)
    for one in found.people[1:]:  # whoever may erase the person may erase what turned out to be theirs
        also = EraseAccount(account_id=one, reason=reason)
        app.dossier.execute(also, actor=Actor.operator(), correlation_id=command_id)
    note(home / JOURNAL, person, app.dossier.clock())
    app.catch_up()
    erasure = Erasure(receipt, clean_files(home, About.of(found.events)), *clear(app))
    _log.info("person_erased", person=str(person), position=receipt.position, events=receipt.events)
    return erasure


def clear(app: Application) -> tuple[list[str], bool, list[str], bool]:
    """Clear away what may hold values of an erased person beside the tables.

    That is the tables of before a swap, the tables of a rebuild nobody works on, dead rows, and the statistics of the
    planner, which are samples of the values.
    """
    shadows = app.shadows()
    with translated(), app.pool.connection() as connection:
        under_way = bool(owners(connection, [shadows.lock]))
    aborted = not under_way and shadows.abort()
    with translated(), app.pool.connection() as connection:
        for model in READ_MODELS:
            table = sql.Identifier(app.reads.schema(model.name), model.name)
            connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(table))
        for name in ("subject_keys", "stored_events"):
            connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(app.events.schema, name)))
        rows = connection.execute(
            r"SELECT nspname FROM pg_namespace WHERE nspname LIKE 'plan\_%' ORDER BY 1"
        ).fetchall()
    dropped = shadows.drop_previous(READ_MODELS)  # now: a rebuild that ends meanwhile leaves those cleared above
    return dropped, aborted, [name for (name,) in rows], under_way


def note(journal: Path, person: UUID, at: datetime) -> None:
    """Note an erasure outside the database, so that restoring an older backup can repeat it; ids and times only."""
    journal.parent.mkdir(parents=True, exist_ok=True)
    journal.touch(mode=0o600)
    with journal.open("ab") as file:
        file.write(canonical_json({"person": person, "at": at}) + b"\n")


def noted(journal: Path) -> list[UUID]:
    """Return the people whose erasure was noted, in order; raises ConfigurationInvalid for a damaged journal."""
    if not journal.exists():
        return []
    try:
        return list(dict.fromkeys(UUID(orjson.loads(line)["person"]) for line in journal.read_bytes().splitlines()))
    except (ValueError, KeyError, TypeError):
        raise ConfigurationInvalid(
            f"{journal} is damaged", hint='each line is {"at": …, "person": …}; mend it: it says who must not come back'
        ) from None
