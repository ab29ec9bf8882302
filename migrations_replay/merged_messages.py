"""How conversations are merged: messages are added, counts add up, and of two summaries the live one stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from domain.conversation import HistorySummarised, InteractionsCounted, MessageRecorded
from domain.event import LIVE, DomainEvent, Recorded
from domain.legacy import ImportWithdrawn
from migrations_replay.facts import ImportedEvent
from migrations_replay.merging import CannotMerge, Merging
from migrations_replay.numbers import likeness

SUMMARY: Final = ("summary", "summary_version", "token_usage")


def merge_conversation(merging: Merging) -> None:
    """Merge a conversation; what was said once stays, also where a newer export no longer tells it."""
    merging.same_but("conversations", ("message_count", "interaction_count", "last_message_at", *SUMMARY))
    _messages(merging)
    said, says, now = ({name: row[name] for name in SUMMARY} for row in merging.rows("conversations"))
    if merging.takes("summary", said, says, now):
        merging.append(HistorySummarised(**says), like=_told(merging, HistorySummarised))
    _count(merging)


def _messages(merging: Merging) -> None:
    told, logged = messages_of(merging.says.events), imported_messages(merging.log)
    found = found_messages(told, logged)
    gone = logged.keys() - found.values()
    if any(likeness(told[number]) != likeness(logged[version]) for number, version in found.items()):
        raise CannotMerge("messages: one was edited")
    if any(_key(logged[version]) is not None for version in gone):
        raise CannotMerge("messages: one is gone")
    added = [number for number in told if number not in found]
    if added and gone and merging.remapped:
        raise CannotMerge("messages")
    # A list without keys comes back in the order of the log.
    order = [found.get(number, merging.next_version) for number, event in told.items() if _key(event) is None]
    if order != sorted(order):
        raise CannotMerge("messages: one came in between")
    for number, version in found.items():
        merging.numbers.known[merging.stream, number] = version
    for number in added:
        merging.numbers.known[merging.stream, number] = merging.next_version
        merging.append(told[number].event, like=told[number])


def messages_of(events: Mapping[int, ImportedEvent]) -> dict[int, ImportedEvent]:
    """Return the messages among events, by version."""
    return {version: imported for version, imported in events.items() if isinstance(imported.event, MessageRecorded)}


def imported_messages(log: Sequence[Recorded]) -> dict[int, ImportedEvent]:
    """Return the messages an import recorded that count, by version."""
    begun = max((found.version for found in log if isinstance(found.event, ImportWithdrawn)), default=0)
    return {
        found.version: ImportedEvent(found.event, found.occurred_at, found.metadata.provenance, found.metadata.actor)
        for found in log
        if isinstance(found.event, MessageRecorded) and found.metadata.origin != LIVE and found.version > begun
    }


def found_messages(told: Mapping[int, ImportedEvent], logged: Mapping[int, ImportedEvent]) -> dict[int, int]:
    """Return which message in the log each derived one is: that of its record, or the first left that says the same."""
    by_name: dict[str, list[int]] = {}
    for version, imported in logged.items():
        by_name.setdefault(_name(imported), []).append(version)
    return {number: versions.pop(0) for number, imported in told.items() if (versions := by_name.get(_name(imported)))}


def _name(imported: ImportedEvent) -> str:
    key = _key(imported)
    return likeness(imported) if key is None else f"key {key}"


def _key(imported: ImportedEvent) -> str | None:
    assert isinstance(imported.event, MessageRecorded)
    return imported.event.key


def _count(merging: Merging) -> None:
    """Count the interactions there and those people had here since; nobody counts where the newer export does not."""
    said, says, now = (row["interaction_count"] for row in merging.rows("conversations"))
    if says is None:
        if said is not None:
            raise CannotMerge("conversations.interaction_count")
        return
    here = [found for found in merging.log if isinstance(found.event, MessageRecorded)]
    total = says + sum(found.metadata.origin == LIVE for found in here)
    added = sum(isinstance(imported.event, MessageRecorded) for imported in merging.events)
    if now is None or now + added != total:
        merging.append(InteractionsCounted(total=total), like=_told(merging, InteractionsCounted))


def _told(merging: Merging, kind: type[DomainEvent]) -> ImportedEvent | None:
    return next((told for told in merging.says.events.values() if isinstance(told.event, kind)), None)


def holds_live(column: str, log: Sequence[Recorded]) -> bool:
    """Tell whether a column of a conversation holds what came of live events: its summary is theirs, or they count."""
    if column in SUMMARY:
        summaries = [found for found in log if isinstance(found.event, HistorySummarised)]
        return bool(summaries) and summaries[-1].metadata.origin == LIVE
    of_messages = (found for found in log if isinstance(found.event, MessageRecorded))
    return column == "interaction_count" and any(found.metadata.origin == LIVE for found in of_messages)
