"""The sample itself: the groups of oddities, the users that hold them, and the lines beside the users."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from adapters.samples.contexts.merges import FIRST_WINS, MERGES, ORDER, UNIONS, second_row_of_one_type
from adapters.samples.contexts.people import INTENT, Bundle, Oddity, add_messages, build, cuid
from adapters.samples.contexts.rows import (
    BROKEN_CONTEXTS,
    BROKEN_MESSAGES,
    BROKEN_PROFILES,
    EMAIL,
    ROWS,
    TWINS,
    WAYS,
    dangling_user,
)
from adapters.samples.contexts.values import (
    BLOB_VALUES,
    CONTEXT_VALUES,
    INTENT_VALUES,
    MESSAGE_VALUES,
    PROFILE_VALUES,
    SKILL_VALUES,
    TIMES,
    UNMAPPED_VALUES,
    USER_VALUES,
    bad_blob,
    intent_target,
    puts,
)
from adapters.samples.truth import DERIVED, MAPPED, UNMAPPED, Layout, Record, SampleWriter, Truth, make_rng, turns_of

TABLES: Final = ("User", "ContextProfile", "Profile", "ChatMessage")
PLANTED: Final = 20
"""So many users hold every oddity; those after them draw theirs."""

_COLUMNS: Final = {
    "User": {"id", "email", "name", "createdAt", "updatedAt"},
    "ContextProfile": {"id", "userId", "contextType", "tonePreference", "createdAt", "updatedAt"},
    "Profile": {"id", "contextProfileId", "createdAt", "updatedAt"},
    "ChatMessage": {"id", "userId", "contextProfileId", "role", "content", "offRecord", "createdAt"},
}
_SHARED: Final = {
    *("name", "location", "ageRange", "coreValues", "constraints", "beliefs", "interactionStyle", "lifestyle")
}


def class_of(record: Record, at: str) -> str:
    """Give the class of a set leaf of a record that was taken in, when nothing odd is said about it."""
    column, _, rest = at[1:].partition("/")
    if record.table == "Profile" and column == "data":
        own = rest.partition("/")[0]
        return MAPPED if own in _SHARED or own in INTENT[record.kind] else UNMAPPED
    if record.table == "Profile" and column in {"completeness", "missing"}:
        return DERIVED
    return MAPPED if column in _COLUMNS[record.table] else UNMAPPED


@dataclass(frozen=True)
class _Group:
    """Oddities of one place, of which a user has at most one, and the contexts and messages they need."""

    oddities: dict[str, Oddity]
    contexts: int = 0
    messages: int = 0


GROUPS: Final = {
    "values": _Group(FIRST_WINS, 2),
    "lists": _Group(UNIONS, 2),
    "objects": _Group(MERGES, 2),
    "order": _Group(ORDER, 2),
    "intent": _Group(
        puts(intent_target, INTENT_VALUES)
        | puts(lambda bundle: bundle.contexts[1].blob, SKILL_VALUES)
        | {"second_row_of_one_type": second_row_of_one_type},
        2,
    ),
    "unmapped": _Group(puts(lambda bundle: bundle.contexts[1].blob, UNMAPPED_VALUES), 2),
    "row": _Group(ROWS, 3),
    "email": _Group(EMAIL | TWINS),
    "user": _Group(puts(lambda bundle: bundle.user, USER_VALUES)),
    "user_time": _Group(puts(lambda bundle: bundle.user, TIMES)),
    "context": _Group(puts(lambda bundle: bundle.contexts[2].row, CONTEXT_VALUES), 3),
    "context_time": _Group(puts(lambda bundle: bundle.contexts[2].row, TIMES), 3),
    "profile": _Group(puts(lambda bundle: bundle.contexts[2].blob, PROFILE_VALUES), 3),
    "profile_time": _Group(puts(lambda bundle: bundle.contexts[2].blob, TIMES), 3),
    "blob": _Group(
        {
            name: partial(bad_blob, put)
            for name, put in puts(lambda bundle: bundle.contexts[2].blob, BLOB_VALUES).items()
        },
        3,
    ),
    "broken_profile": _Group(BROKEN_PROFILES, 4),
    "broken_context": _Group(BROKEN_CONTEXTS, 5),
    "message": _Group(puts(lambda bundle: bundle.messages[0], MESSAGE_VALUES) | {"dangling_user": dangling_user}, 1, 1),
    "broken_message": _Group(BROKEN_MESSAGES, 1, 3),
}
_CHANCE: Final = 0.03
_PLACES: Final = PLANTED - 1


def _planted() -> dict[int, dict[str, str]]:
    """Say which oddity of each group the first users get; the last of them has no contexts."""
    plan: dict[int, dict[str, str]] = {place: {} for place in range(PLANTED)}
    for turn, (group, content) in enumerate(GROUPS.items()):
        for index, name in enumerate(content.oddities):
            # an email twin needs a plain neighbour before it
            place = 2 * index + 1 if group == "email" else (index + 7 * turn) % _PLACES
            plan[place][group] = name
    return plan


class _Sample:
    """Adds users and the lines beside them to a writer, one after the other."""

    def __init__(self, writer: SampleWriter, rng: random.Random, users: int) -> None:
        self._writer, self._rng, self._users = writer, rng, users
        self._plan = _planted()
        self._neighbour: str | None = None
        self._extra_serial = users
        self._extras: dict[str, Callable[[], None]] = {
            f"broken_user.{way}": partial(self._broken_user, way) for way in WAYS["User"]
        } | {
            "context.dangling_user": partial(self._orphans, cuid),
            "context.user_null": partial(self._orphans, lambda _: None),
            "profile.dangling_context": self._stray_profile,
            "line.empty": partial(self._blank, b""),
            "line.of_blanks": partial(self._blank, b"  \t"),
        }
        self.oddities: Counter[str] = Counter()

    def add_user(self, index: int) -> None:
        """Add the user of this number, and now and then lines of nobody."""
        chosen = self._plan[index] if index < PLANTED else self._drawn()
        needs = [GROUPS[group] for group in chosen]
        contexts = self._rng.choices(range(6), (8, 32, 28, 18, 9, 5))[0]
        contexts = max([contexts, *(need.contexts for need in needs)]) if index != PLANTED - 1 else 0
        second = "professional" if chosen.get("intent", "").startswith("skills") else None
        bundle = build(self._rng, index, contexts, odd=any(need.contexts for need in needs), second=second)
        bundle.neighbour = self._neighbour
        before = [name for name in chosen if not GROUPS[name].messages]
        for group in sorted(before, key=list(GROUPS).index):
            self._apply(bundle, group, chosen[group])
        add_messages(bundle, max((need.messages for need in needs), default=0))
        for group in ("message", "broken_message"):
            if group in chosen:
                self._apply(bundle, group, chosen[group])
        self._neighbour = None if "email" in chosen else bundle.user.doc["email"]
        self.oddities["no_contexts"] += not bundle.contexts
        self.oddities["no_profile_row"] += any(context.profile is None for context in bundle.contexts)
        self._add(bundle.records)
        self._add_lines(index)

    def _drawn(self) -> dict[str, str]:
        return {
            group: self._rng.choice(list(content.oddities))
            for group, content in GROUPS.items()
            if self._rng.random() < _CHANCE
        }

    def _apply(self, bundle: Bundle, group: str, name: str) -> None:
        if name in TWINS and bundle.neighbour is None:
            return
        GROUPS[group].oddities[name](bundle)
        self.oddities[f"{group}.{name}"] += 1

    def _add_lines(self, index: int) -> None:
        for name in turns_of(self._extras, index, PLANTED, self._rng, _CHANCE):
            self._extras[name]()
            self.oddities[name] += 1

    def _add(self, records: list[Record]) -> None:
        for record in records:
            self._writer.add(record)

    def _extra_bundle(self) -> Bundle:
        self._extra_serial += 1
        bundle = build(self._rng, self._extra_serial, 2, odd=True)
        add_messages(bundle, 2)
        return bundle

    def _broken_user(self, way: str) -> None:
        bundle = self._extra_bundle()
        for record in bundle.records:
            record.code = "no_subject"
        WAYS["User"][way](bundle.user)
        self._add(bundle.records)

    def _orphans(self, parent: Callable[[random.Random], str | None]) -> None:
        bundle = self._extra_bundle()
        user_id = parent(self._rng)
        for record in bundle.records[1:]:
            record.code = "no_subject"
            if "userId" in record.doc:
                record.doc["userId"] = user_id
        self._add(bundle.records[1:])

    def _stray_profile(self) -> None:
        blob = self._extra_bundle().contexts[0].blob
        blob.put("/contextProfileId", cuid(self._rng))
        blob.code = "no_subject"
        self._add([blob])

    def _blank(self, raw: bytes) -> None:
        self._add([Record(table, {}, raw=raw) for table in TABLES])

    def add_too_large(self) -> None:
        """Add a line above the limit of 16 MiB."""
        blob = self._extra_bundle().contexts[0].blob
        blob.unread("too_large", b'{"id": "clarge", "data": {"intent": "' + b"long " * 4_000_000 + b'"}}')
        self._add([blob])
        self.oddities["line.too_large"] += 1


def write_sample(out: Path, users: int, seed: int, *, layout: Layout = "json_lines", too_large: bool = False) -> Truth:
    """Write an export of `users` users and its `truth.json`; `too_large` adds a line of 20 MB."""
    writer = SampleWriter(
        out,
        TABLES,
        class_of,
        make_rng("contexts", "order", seed),
        layout=layout,
    )
    sample = _Sample(writer, make_rng("contexts", seed), users)
    for index in range(users):
        sample.add_user(index)
    if too_large:
        sample.add_too_large()
    return writer.close("contexts", users, seed, sample.oddities)
