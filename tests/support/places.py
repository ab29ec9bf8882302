"""Where each value of a sample must be found in the tables: worked out from the export's documents and its truth alone.

Shares no code with the mapping: only row ids are looked up, by the natural keys that stand in the tables.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from adapters.bootstrap import Application

TABLES = ("User", "ContextProfile", "Profile", "ChatMessage")
TEXTS = ("name", "location", "ageRange")
LISTS = ("coreValues", "constraints", "complementarySkills")
OBJECTS = ("beliefs", "interactionStyle", "lifestyle")
SHARED = {*TEXTS, "coreValues", "constraints", *OBJECTS}

_OF_MESSAGE = {
    "/id": "key",
    "/role": "role",
    "/content": "content",
    "/offRecord": "off_record",
    "/createdAt": "sent_at",
}

Leaf = tuple[str, str, str]
"""Table, id and pointer."""


class Spot(NamedTuple):
    """A value in a table: steps into the JSON of a column, or an item of the list that stands there."""

    model: str
    key: UUID | str
    column: str
    steps: tuple[str | int, ...] = ()
    item: str | None = None


class _Record(NamedTuple):
    table: str
    key: str
    document: dict[str, Any]
    classes: dict[str, str]

    def holds(self, pointer: str, *classes: str) -> bool:
        """Tell whether there is a set value that ended in one of the classes."""
        value: Any = self.document
        for step in pointer.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            value = value.get(name) if isinstance(value, dict) else value[int(name)]
        return not _unset(value) and self.classes.get(pointer) in classes

    def kept(self, pointer: str) -> bool:
        """Tell whether a set value is in the target."""
        return self.holds(pointer, "mapped", "normalised") if self._has(pointer) else False

    def _has(self, pointer: str) -> bool:
        return pointer in self.classes


def _unset(value: Any) -> bool:
    return value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip())


def _leaves(value: Any, pointer: str = "", steps: tuple[str | int, ...] = ()) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _leaves(child, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}", (*steps, key))
    elif isinstance(value, list) and value:
        for index, child in enumerate(value):
            yield from _leaves(child, f"{pointer}/{index}", (*steps, index))
    else:
        yield pointer, steps, value


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name)


def _opened(value: Any) -> Any:
    while isinstance(value, str):
        value = json.loads(value)
    return value


def _records(source: Path) -> dict[str, list[_Record]]:
    truth = json.loads((source / "truth.json").read_text())
    found: dict[str, list[_Record]] = {}
    for table in TABLES:
        lines = (source / f"{table}.jsonl").read_bytes().splitlines()
        found[table] = [
            _Record(table, str(document["id"]), document, classes)
            for number, classes in truth["classes"][table].items()
            if classes.get("/id") in ("mapped", "normalised")
            for document in [json.loads(lines[int(number) - 1])]
        ]
    return found


class Places:
    """Every spot of a migrated sample that holds a value, with the leaves it came from, and the user it belongs to."""

    def __init__(self, app: Application, source: Path) -> None:
        self.leaves: dict[Spot, set[Leaf]] = defaultdict(set)
        self.owner: dict[Spot, str] = {}
        self.classes: dict[Leaf, str] = {}
        self._ids = self._look_up(app, "SELECT table_name, key, snapshot_id FROM legacy_ids.legacy_ids")
        became = self._look_up(app, "SELECT table_name, key, became FROM legacy_ids.legacy_ids")
        profiles = self._look_up(app, "SELECT account_id, kind, profile_id FROM profiles.profiles")
        intents = self._look_up(app, "SELECT account_id, context, intent_id FROM intents.intents")
        chosen = self._look_up(app, "SELECT intent_id, 'row', context_profile_id FROM intents.intents")
        times = self._look_up(app, "SELECT table_name, key, ARRAY[created, updated] FROM legacy_ids.legacy_ids")
        blobs: dict[UUID, list[tuple[Any, _Record]]] = defaultdict(list)
        records = _records(source)
        owner_of, account_of, kind_of = {}, {}, {}
        for user in records["User"]:
            self._user, account = user.key, became["User", user.key]
            account_of[user.key] = account
            self._add_user(user, account, profiles[account, "personal"])
        for row in records["ContextProfile"]:
            self._user = owner_of[row.key] = str(row.document["userId"])
            kind_of[row.key] = row.document["contextType"].strip()
            intent = intents[account_of[self._user], kind_of[row.key]]
            self._add_context(row, intent, chosen=chosen[intent, "row"] == row.key)
        for blob in records["Profile"]:
            parent = str(blob.document["contextProfileId"])
            self._user = owner_of[parent]
            account = account_of[self._user]
            profile = profiles[account, "personal"]
            self._add_blob(blob, profile, intents[account, kind_of[parent]])
            created, updated = times["Profile", blob.key]
            if created or updated:
                blobs[profile].append((created or updated, blob))
        messages = {message.key: message for message in records["ChatMessage"]}
        numbers = self._look_up(app, "SELECT key, conversation_id, number FROM messages.messages")
        for (key, talk), number in numbers.items():
            self._user = str(messages[key].document["userId"])
            self._add_message(messages[key], talk, f"{talk}/{number}")
        for profile, dated in blobs.items():
            # a profile is as old as its oldest blob, if that says so itself
            first, oldest = min(dated, key=lambda pair: pair[0])
            if sum(when == first for when, _ in dated) == 1 and first == times["Profile", oldest.key][0]:
                self._user = owner_of[str(oldest.document["contextProfileId"])]
                self._add_kept(oldest, "/createdAt", "profiles", profile, "created_at")

    @staticmethod
    def _look_up(app: Application, query: Any) -> dict[tuple[Any, Any], Any]:
        with app.pool.connection() as connection:
            return {(one, two): three for one, two, three in connection.execute(query)}

    def _add(self, record: _Record, pointer: str, spot: Spot) -> None:
        self.leaves[spot].add((record.table, record.key, pointer))
        self.classes[record.table, record.key, pointer] = record.classes[pointer]
        self.owner[spot] = self._user

    def _add_kept(self, record: _Record, pointer: str, *spot: Any) -> None:
        if record.kept(pointer):
            self._add(record, pointer, Spot(*spot))

    def _add_row(self, record: _Record, parent: str | None = None) -> None:
        snapshot = self._ids[record.table, record.key]
        self._add_kept(record, "/id", "legacy_ids", snapshot, "key")
        self._add_kept(record, "/createdAt", "legacy_ids", snapshot, "created")
        self._add_kept(record, "/updatedAt", "legacy_ids", snapshot, "updated")
        if parent:
            self._add_kept(record, parent, "legacy_ids", snapshot, "parent_key")

    def _add_user(self, user: _Record, account: UUID, profile: UUID) -> None:
        self._add_row(user)
        self._add_kept(user, "/email", "accounts", account, "email")
        self._add_kept(user, "/name", "accounts", account, "name")
        self._add_kept(user, "/createdAt", "accounts", account, "registered_at")
        self._add_kept(user, "/id", "profiles", profile, "account_id")

    def _add_context(self, row: _Record, intent: UUID, *, chosen: bool) -> None:
        self._add_row(row, "/userId")
        self._add_kept(row, "/userId", "intents", intent, "account_id")
        self._add_kept(row, "/contextType", "intents", intent, "context")
        self._add_kept(row, "/tonePreference", "intents", intent, "tone_preference")
        if chosen:
            self._add_kept(row, "/id", "intents", intent, "context_profile_id")
            self._add_kept(row, "/createdAt", "intents", intent, "created_at")

    def _add_blob(self, blob: _Record, profile: UUID, intent: UUID) -> None:
        self._add_row(blob, "/contextProfileId")
        data = blob.document.get("data")
        for name, value in data.items() if isinstance(data, dict) else ():
            model, key = ("profiles", profile) if name in SHARED else ("intents", intent)
            for pointer, _, _ in _leaves(value, f"/data/{name}"):
                if blob.kept(pointer):
                    for steps, item in self._targets(name, value, pointer):
                        self._add(blob, pointer, Spot(model, key, "fields", (_snake(name), *steps), item))

    def _add_message(self, message: _Record, talk: UUID, row: str) -> None:
        self._add_row(message, "/userId")
        self._add_kept(message, "/userId", "conversations", talk, "account_id")
        self._add_kept(message, "/contextProfileId", "conversations", talk, "context_profile_id")
        for pointer, column in _OF_MESSAGE.items():
            self._add_kept(message, pointer, "messages", row, column)

    @staticmethod
    def _targets(name: str, value: Any, pointer: str) -> Iterator[tuple[tuple[str | int, ...], str | None]]:
        """Yield the steps to, or the item that is, what a leaf of a field became."""
        is_text = isinstance(value, str)
        opened = _opened(value) if is_text and name not in TEXTS and (name in LISTS or name in OBJECTS) else value
        if name in LISTS:
            items = opened if is_text else [opened[int(pointer.rpartition("/")[2])]]
            yield from (((), item) for item in items if not _unset(item))
        elif name in OBJECTS:
            for below, steps, leaf in _leaves(opened, f"/data/{name}"):
                if not _unset(leaf) and (is_text or below == pointer):
                    yield steps, None
        else:
            yield (), None
