"""Prints events for people: who did what, when and why, and what changed; what one command caused stands under it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from adapters.cli.output import Output, shortened
from adapters.postgres.mapper import ENVELOPE
from domain.event import LIVE, Change, Erased, Recorded
from projections.explain import changes
from projections.read_model import ReadModel

SHOWN: Final = 100
_REASONS: Final = ("reason", "notes")
_UNSET: Final[tuple[Any, ...]] = (None, "", [], {}, ())


class Happened(NamedTuple):
    """An event, and by name what it changed, or what it says where nothing was there before."""

    event: Recorded
    says: Mapping[str, Any]


@dataclass
class _Command:
    """The events of one command, and the commands they caused."""

    first: Recorded
    events: list[Happened] = field(default_factory=list)
    caused: list[_Command] = field(default_factory=list)
    is_caused: bool = False


def of_record(model: ReadModel | None, events: Sequence[Recorded]) -> list[Happened]:
    """Return the events of one record with what each changed in it."""
    plain = list(map(by_itself, events))
    if model is None:
        return plain
    found: list[Happened] = []
    try:
        for known, changed in zip(plain, changes(model, events), strict=True):
            reasons = {name: known.says[name] for name in _REASONS if name in known.says}
            found.append(Happened(known.event, changed | reasons or known.says))
    except (LookupError, TypeError, ValueError, AttributeError, AssertionError):
        found += plain[len(found) :]  # an event that cannot be folded halts its record, not its history
    return found


def by_itself(event: Recorded) -> Happened:
    """Return an event with what it says without knowing the record."""
    says: dict[str, Any] = {}
    for name, value in vars(event.event).items():
        if name in ("changes", "fields") and isinstance(value, dict):
            says |= value
        elif value not in _UNSET:
            says[name] = value
    return Happened(event, says)


def print_happened(out: Output, happened: Iterable[Happened]) -> None:
    """Print events as trees: a command, its events, what it caused."""
    for command in _arranged(happened):
        for parts in _lines(command, "", ""):
            out.styled(*parts)


def as_dict(happened: Happened) -> dict[str, Any]:
    """Return an event with its whole envelope as plain values."""
    event = happened.event
    return {
        "stream": event.stream,
        "position": event.position,
        "version": event.version,
        "topic": event.topic,
        "schema_version": event.schema_version,
        **{name: getattr(event.metadata, name) for name in ENVELOPE if name != "provenance"},
        "data": event.event,
        "changed": {name: value for name, value in happened.says.items() if isinstance(value, Change)},
        "provenance": {
            name: [source._asdict() for source in sources]
            for name, sources in (event.metadata.provenance or {}).items()
        },
    }


def _arranged(happened: Iterable[Happened]) -> list[_Command]:
    commands: dict[Any, _Command] = {}
    for one in happened:
        meta = one.event.metadata
        key = meta.command_id or (meta.origin, meta.correlation_id, meta.actor, meta.recorded_at)
        if key not in commands:
            commands[key] = _Command(one.event)
            cause = commands.get(meta.causation_id)
            if meta.causation_id != meta.command_id and cause is not None:
                cause.caused.append(commands[key])
                commands[key].is_caused = True
        commands[key].events.append(one)
    return [command for command in commands.values() if not command.is_caused]


_Line = tuple[tuple[str, str], ...]


def _lines(command: _Command, indent: str, below: str) -> Iterator[_Line]:
    event, meta = command.first, command.first.metadata
    by = "" if meta.recorded_by == meta.actor else f", written by {meta.recorded_by}"
    origin = (
        ("live", "green") if meta.origin == LIVE else (meta.origin.replace("import:", "imported in run "), "yellow")
    )
    yield (
        (indent, "dim"),
        (_time(event.recorded_at), "bold"),
        ("  ", ""),
        (meta.actor, "bold cyan"),
        (by, "dim"),
        ("  ", ""),
        origin,
    )
    if why := _why(command):
        yield (f"{below}│ " if command.events else below, "dim"), (why, "dim")
    last = len(command.events) + len(command.caused) - 1
    for at, one in enumerate(command.events):
        yield from _event(one, below, is_last=at == last)
    for at, caused in enumerate(command.caused, start=len(command.events)):
        yield from _lines(
            caused, f"{below}{'└─ ' if at == last else '├─ '}", f"{below}{'   ' if at == last else '│  '}"
        )


def _why(command: _Command) -> str:
    meta = command.first.metadata
    parts = [f"command {meta.command_id}"] if meta.command_id else []
    if meta.correlation_id and meta.correlation_id != meta.command_id:
        parts.append(f"part of {meta.correlation_id}")
    if meta.causation_id and meta.causation_id != meta.command_id:
        parts.append(f"caused by {meta.causation_id}")
    return ", ".join(parts)


def _event(one: Happened, below: str, *, is_last: bool) -> Iterator[_Line]:
    event = one.event
    happened = "" if event.occurred_at == event.recorded_at else f"  happened {_time(event.occurred_at)}"
    branch, deeper = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
    yield (
        (below + branch, "dim"), (f"#{event.position} ", "dim"), (event.topic, "bold"),
        (f"  {event.stream} v{event.version}", "dim"), (happened, "magenta"),
    )  # fmt: skip
    for name, value in one.says.items():
        yield (f"{below}{deeper}   ", "dim"), (f"{name}: ", "cyan"), *_value(value)


def _value(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Change):
        yield _said(value.old), "red"
        yield " → ", "dim"
        yield _said(value.new), "green"
    else:
        yield _said(value), ""


def _said(value: Any) -> str:
    if isinstance(value, Erased):
        return "erased"
    return "unset" if value in _UNSET else shortened(value, SHOWN)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
