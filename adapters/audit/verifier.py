"""Verifies an evidence file or consistency proof: `python verifier.py FILE --key PUBLIC_KEY`; no database, no network.

This one module depends on the standard library and `cryptography` alone. It is also where the format is defined:
leaves, signed notes, CloudEvents attributes, the canonical zip, consistency proofs. `docs/audit-format.md` says it in
words.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import csv
import io
import json
import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

HASH: Final = 32
FORMAT: Final = "dossier evidence 1"
CONSISTENCY: Final = "dossier consistency 1"
MANIFEST, SIGNATURE, PROOFS = "manifest.json", "manifest.sig", "proofs.jsonl"
EVENT_FILES: Final = {"jsonl": "events.jsonl", "csv": "events.csv"}
_CHUNK: Final = 1 << 16
_LONGEST: Final = 1 << 28  # no line of a file we wrote is longer; one that is does not fill the memory
_LONGEST_PROOF: Final = 1 << 18
_ED25519: Final = b"\1"

Attributes = dict[str, str | int]
Progress = Callable[[int, int], None]


class Unproven(Exception):
    """The file, or a note in it, is not what was signed; the message says where it is wrong."""


# --- leaves and paths (RFC 9162) -----------------------------------------------------------------------------------


def leaf_hash(stream: bytes, version: int, position: int, topic: bytes, body: bytes) -> bytes:
    """Return the hash of a stored event: all of its columns, the body as it is stored."""
    fixed = struct.pack(">16sqqI", stream, version, position, len(topic))
    return sha256(b"".join((b"\0", fixed, topic, body))).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\1" + left + right).digest()


def root_of(leaf: bytes, index: int, size: int, path: bytes) -> bytes | None:
    """Return the root that an inclusion path leads to (RFC 9162, 2.1.3.2), None if it has not the right length."""
    if not 0 <= index < size:
        return None
    at, last = index, size - 1
    for start in range(0, len(path), HASH):
        if last == 0:
            return None
        sibling = path[start : start + HASH]
        if at & 1 or at == last:
            leaf = node_hash(sibling, leaf)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            leaf = node_hash(leaf, sibling)
        at, last = at >> 1, last >> 1
    return leaf if last == 0 else None


def is_consistent(earlier: int, root_then: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether a proof shows that the earlier tree is the beginning of the later one (RFC 9162, 2.1.4.2)."""
    if not 0 < earlier < size:
        return not proof and (earlier == 0 or (earlier == size and root_then == root))
    path = [root_then, *proof] if earlier & (earlier - 1) == 0 else list(proof)
    at, last = earlier - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    if not path:
        return False
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and old == root_then and new == root


# --- keys, signed notes, checkpoints (C2SP signed-note, tlog-checkpoint) -------------------------------------------


@dataclass(frozen=True)
class PublicKey:
    """An Ed25519 public key with the name of the log it signs for; its text form is `name+id+key`."""

    name: str
    raw: bytes

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Read the text form; raises Unproven."""
        name, _, rest = text.strip().partition("+")
        key_id, _, key = rest.partition("+")
        raw = _decoded(key)
        found = cls(name, raw[1:])
        if not name or raw[:1] != _ED25519 or len(raw) != HASH + 1 or found.id.hex() != key_id:
            raise Unproven(f"{text.strip()[:80]!r} is not a public key of the form name+id+key")
        return found

    @property
    def id(self) -> bytes:
        """The four bytes by which signatures name the key."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.raw).decode()}"


def public_keys(texts: Iterable[str]) -> list[PublicKey]:
    """Read public keys, each a text or the path of a file with one a line; raises Unproven."""
    lines: list[str] = []
    for text in texts:
        is_file = "+" not in text or Path(text).is_file()
        lines += Path(text).read_text(encoding="utf-8").splitlines() if is_file else [text]
    found = [PublicKey.parse(line) for line in lines if line.strip()]
    if not found:
        raise Unproven("no public key was given")
    return found


def signature_line(key: PublicKey, signature: bytes) -> str:
    """Return the line of a signed note that holds a signature."""
    return f"\u2014 {key.name} {base64.b64encode(key.id + signature).decode()}\n"


def opened(note: str, keys: Iterable[PublicKey]) -> str:
    """Return the text of a signed note that has exactly one signature, by one of the keys; raises Unproven."""
    text, blank, line = note.rpartition("\n\n")
    text += "\n"
    for key in keys:
        prefix = f"\u2014 {key.name} "
        if blank and line.startswith(prefix):
            signature = _decoded(line[len(prefix) :].removesuffix("\n"))
            if signature[:4] == key.id and line == signature_line(key, signature[4:]):
                try:
                    Ed25519PublicKey.from_public_bytes(key.raw).verify(signature[4:], text.encode())
                except InvalidSignature:
                    break
                return text
    raise Unproven("the signature is not by any of the given keys")


class Checkpoint(NamedTuple):
    """A signed tree head: the log's name, size and root of its tree, position of the last leaf, when it was made."""

    origin: str
    size: int
    root: bytes
    position: int
    time: str

    def text(self) -> str:
        """Return the text that is signed."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\nposition {self.position}\ntime {self.time}\n"

    def plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {**self._asdict(), "root": self.root.hex()}

    @classmethod
    def verified(cls, note: str, keys: Sequence[PublicKey]) -> Checkpoint:
        """Return the checkpoint in a signed note; raises Unproven."""
        text = opened(note, keys)
        try:
            origin, size, root, position, time = text.splitlines()
            found = cls(origin, int(size), _decoded(root), int(position[9:]), time[5:])
        except ValueError:
            raise Unproven("a signed note is not a checkpoint") from None
        if found.text() != text or len(found.root) != HASH or f"\n\u2014 {origin} " not in note:
            raise Unproven("a signed note is not a checkpoint")
        return found


def _decoded(text: str) -> bytes:
    """Read base64, canonical only: no other text stands for the same bytes."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unproven("not base64") from None
    if base64.b64encode(found).decode() != text:
        raise Unproven("not canonical base64")
    return found


# --- consistency of two checkpoints --------------------------------------------------------------------------------


class Consistent(NamedTuple):
    """What a consistency proof shows: the log of the later checkpoint begins with that of the earlier one."""

    earlier: Checkpoint
    later: Checkpoint

    def plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"earlier": self.earlier.plain(), "later": self.later.plain()}


def consistency_text(earlier: str, later: str, proof: Sequence[bytes]) -> str:
    """Return the contents of a consistency proof: two signed checkpoints, and the hashes between them."""
    path = base64.b64encode(b"".join(proof)).decode()
    return canonical({"earlier": earlier, "format": CONSISTENCY, "later": later, "proof": path}) + "\n"


def is_consistency_proof(path: Path) -> bool:
    """Tell whether a file is meant to be a consistency proof; an evidence file is a zip."""
    with path.open("rb") as file:
        return file.read(1) == b"{"


def verify_consistency(path: Path, keys: Sequence[PublicKey]) -> Consistent:
    """Verify a consistency proof; raises Unproven saying what is wrong with it."""
    with path.open("rb") as file:
        text = file.read(_LONGEST_PROOF + 1)
    if len(text) > _LONGEST_PROOF:
        raise Unproven("the file is too large for a consistency proof")
    try:
        found = json.loads(text)
        earlier, later, joined = found["earlier"], found["later"], _decoded(found["proof"])
        proof = [joined[at : at + HASH] for at in range(0, len(joined), HASH)]
        written = consistency_text(earlier, later, proof).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unproven(f"a part of the file cannot be read ({type(error).__name__})") from error
    if written != text:
        raise Unproven("the file is not a consistency proof, or not written canonically")
    then, now = Checkpoint.verified(earlier, keys), Checkpoint.verified(later, keys)
    if then.origin != now.origin:
        raise Unproven(f"the checkpoints are of two logs, {then.origin} and {now.origin}")
    if not is_consistent(then.size, then.root, now.size, now.root, proof):
        raise Unproven(f"the log of {now.size} events does not begin with that of {then.size} events")
    return Consistent(then, now)


# --- events (CloudEvents 1.0) --------------------------------------------------------------------------------------

OF_META: Final = {
    "occurred_at": "time",
    "recorded_at": "recordedtime",
    "actor": "authid",
    "recorded_by": "recordedby",
    "subject": "subject",
    "command_id": "commandid",
    "correlation_id": "correlationid",
    "causation_id": "causationid",
    "origin": "origin",
    "provenance": "provenance",
}
"""The envelope as it is stored, and the attribute each of its fields becomes."""
_OPENED: Final = ("provenance", "sealed", "personal")
_OPTIONAL: Final = frozenset({"subject", "commandid", "correlationid", "causationid", *_OPENED})
_NUMBERS: Final = frozenset({"streamversion", "dataschemaversion"})
COLUMNS: Final = (
    *("specversion", "id", "source", "type", "datacontenttype", "dataschemaversion", "sequence", "streamversion"),
    *("authtype", *OF_META.values(), "sealed", "personal", "data"),
)
"""The columns of `events.csv`."""


def canonical(value: Any) -> str:
    """Return JSON with sorted keys and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def attributes(
    stream: str, version: int, position: int, topic: str, meta: Mapping[str, Any], schema_version: int
) -> Attributes:
    """Return the CloudEvents attributes of a stored event: the whole envelope; provenance is JSON in a text.

    Those of a sealed event are followed by `sealed`, as it is stored, and what it opens to: `personal`, JSON in a text
    too, and `provenance`. For what it opens to only the signature of the file vouches.
    """
    found: Attributes = {
        "specversion": "1.0",
        "id": str(position),
        "source": f"/dossier/{stream}",
        "type": topic,
        "datacontenttype": "application/json",
        "dataschemaversion": schema_version,
        "sequence": f"{position:020d}",
        "streamversion": version,
        "authtype": auth_type(meta["actor"]),
    }
    for name, attribute in OF_META.items():
        if name in meta:
            found[attribute] = canonical(meta[name]) if name == "provenance" else meta[name]
    return found


def stored_body(data: bytes, meta: bytes, sealed: str, schema_version: int) -> bytes:
    """Return the body of an event as it is stored."""
    beside = b',"sealed":"%b"' % sealed.encode() if sealed else b""
    return b'{"data":%b,"meta":%b%b,"v":%d}' % (data, meta, beside, schema_version)


def auth_type(actor: str) -> str:
    """Return what kind of actor it is, in the words of the CloudEvents extension for the auth context."""
    if actor.startswith("operator:"):
        return "user"
    if actor == "import":
        return "system"
    is_uuid = len(actor) == 36 and actor.count("-") == 4
    return "app_user" if is_uuid else "unknown"


def matches(filters: Mapping[str, Any], found: Attributes) -> bool:
    """Tell whether an event is one that the filters ask for; times and positions from included, `to` excluded."""
    position, time, origins = int(found["id"]), found["time"], filters.get("origins")
    return (
        filters.get("position_from", 0) <= position <= filters.get("position_to", position)
        and filters.get("from", "") <= time
        and ("to" not in filters or time < filters["to"])
        and ("subject" not in filters or found.get("subject") == filters["subject"])
        and ("actor" not in filters or found["authid"] == filters["actor"])
        and ("topic" not in filters or found["type"] in filters["topic"])
        and (origins is None or found["origin"] in origins)
    )


def csv_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe goes before what could begin one."""
    return f"'{text}" if text.lstrip()[:1] in _STARTS_FORMULA or text[:1] in _STARTS_FORMULA else text


_STARTS_FORMULA: Final = tuple("=+-@\t\r\n'|%\uff1d\uff0b\uff0d\uff20")


class Row(NamedTuple):
    """An event of the file: its attributes, and its data as the bytes that were stored."""

    attributes: Attributes
    data: bytes

    def leaf(self) -> bytes:
        """Return the leaf hash of the stored event, put together again from what the row says."""
        said = self.attributes
        sealed = str(said.get("sealed", ""))
        meta = {
            name: json.loads(str(said[attribute])) if name == "provenance" else said[attribute]
            for name, attribute in OF_META.items()
            if attribute in said and not (sealed and name == "provenance")
        }
        stream, version, position = str(said["source"])[9:], int(said["streamversion"]), int(said["id"])
        topic, schema_version = str(said["type"]), int(said["dataschemaversion"])
        again = attributes(stream, version, position, topic, meta, schema_version)
        again |= {name: str(said[name]) for name in _OPENED if sealed and name in said}
        if canonical(again) != canonical(said):
            raise Unproven(f"position {position}: the attributes do not fit together")
        body = stored_body(self.data, canonical(meta).encode(), sealed, schema_version)
        return leaf_hash(bytes.fromhex(stream.replace("-", "")), version, position, topic.encode(), body)


def _rows_of_lines(file: io.BufferedReader) -> Iterator[Row]:
    while line := file.readline(_LONGEST):
        head, found, data = line.partition(b',"data":')
        if not found or not data.endswith(b"}\n"):
            raise Unproven("a line of the events is not an event")
        said = json.loads(head + b"}")
        if json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode() != head + b"}":
            raise Unproven("a line of the events is not written canonically")
        yield Row(said, data[:-2])


def _rows_of_cells(file: io.BufferedReader) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST)
    reader = csv.reader(io.TextIOWrapper(file, encoding="utf-8", newline=""), strict=True)
    if tuple(next(reader, ())) != COLUMNS:
        raise Unproven("the events have other columns")
    for cells in reader:
        plain = [cell.removeprefix("'") for cell in cells]
        found = dict(zip(COLUMNS, plain, strict=True))
        data = found.pop("data").encode()
        yield Row(
            {
                name: int(value) if name in _NUMBERS else value
                for name, value in found.items()
                if value or name not in _OPTIONAL
            },
            data,
        )


# --- the zip: stored, fixed times, sizes always in 64 bits; one sequence of bytes for given contents ---------------

_FULL: Final = 0xFFFFFFFF
_DAY: Final = 0x21  # 1980-01-01
_MADE: Final = 3 << 8 | 45


class Entry(NamedTuple):
    """A file in the zip, and where its header begins."""

    name: str
    offset: int
    size: int
    crc: int
    sha256: str

    @property
    def data_at(self) -> int:
        """Where its contents begin."""
        return self.offset + len(local_header(self.name, 0, 0))


def local_header(name: str, size: int, crc: int) -> bytes:
    """Return what stands before the contents of a file."""
    fixed = struct.pack("<4s5H3I2H", b"PK\3\4", 45, 0, 0, 0, _DAY, crc, _FULL, _FULL, len(name), 20)
    return fixed + name.encode("ascii") + struct.pack("<2H2Q", 1, 16, size, size)


def directory(entries: Sequence[Entry]) -> bytes:
    """Return what stands after the contents of the last file."""
    listed = b""
    for entry in entries:
        listed += struct.pack(
            "<4s6H3I5H2I",
            *(b"PK\1\2", _MADE, 45, 0, 0, 0, _DAY, entry.crc, _FULL, _FULL, len(entry.name), 28),
            *(0, 0, 0, 0o100600 << 16, _FULL),
        )
        listed += entry.name.encode("ascii") + struct.pack("<2H3Q", 1, 24, entry.size, entry.size, entry.offset)
    last = entries[-1]
    start = last.data_at + last.size
    count = len(entries)
    end64 = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, _MADE, 45, 0, 0, count, count, len(listed), start)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, start + len(listed), 1)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, _FULL, _FULL, 0)
    return listed + end64 + locator + end


class _Part(io.RawIOBase):
    """The contents of one file of the zip, as a file."""

    def __init__(self, path: Path, entry: Entry) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._file.seek(entry.data_at)
        self._left = entry.size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._file.read(min(len(buffer), self._left))
        buffer[: len(found)] = found
        self._left -= len(found)
        return len(found)

    def close(self) -> None:
        self._file.close()
        super().close()


def read_entries(path: Path) -> list[Entry]:
    """Read the whole file once, and return what is in it; raises Unproven unless each byte is as it must be."""
    entries: list[Entry] = []
    with path.open("rb") as file:
        for _ in range(4):
            offset = file.tell()
            start = file.read(30)
            name = file.read(int.from_bytes(start[26:28], "little")).decode("ascii", "replace")
            extra = file.read(20)
            if len(extra) < 20 or not name.isascii():
                raise Unproven("not an evidence file")
            size, crc, digest = int.from_bytes(extra[4:12], "little"), 0, sha256()
            left = size
            while left and (chunk := file.read(min(_CHUNK, left))):
                crc, left = zlib.crc32(chunk, crc), left - len(chunk)
                digest.update(chunk)
            if left or start + name.encode() + extra != local_header(name, size, crc):
                raise Unproven("the zip is cut short, or was written by something else")
            entries.append(Entry(name, offset, size, crc, digest.hexdigest()))
        expected = directory(entries)
        if file.read(len(expected) + 1) != expected:
            raise Unproven("the directory of the zip is not as it must be")
    return entries


# --- the evidence file ---------------------------------------------------------------------------------------------


class Verified(NamedTuple):
    """What an evidence file proves: each of its events is in the log whose root was signed.

    `complete` says that nothing between its first and last event was left out.
    """

    manifest: dict[str, Any]
    checkpoint: Checkpoint
    complete: bool


def verify(path: Path, keys: Sequence[PublicKey], progress: Progress = lambda _done, _total: None) -> Verified:
    """Verify an evidence file; raises Unproven saying what is wrong with it."""
    try:
        return _verify(path, keys, progress)
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error, RecursionError) as error:
        raise Unproven(f"a part of the file cannot be read ({type(error).__name__})") from error


def signed_text(manifest: bytes) -> str:
    """Return the text that is signed for a manifest."""
    return f"{FORMAT}\n{sha256(manifest).hexdigest()}\n"


def _verify(path: Path, keys: Sequence[PublicKey], progress: Progress) -> Verified:
    entries = {entry.name: entry for entry in read_entries(path)}
    events, *others = entries
    if events not in EVENT_FILES.values() or others != [PROOFS, MANIFEST, SIGNATURE]:
        raise Unproven("not an evidence file")
    manifest_text = _contents(path, entries[MANIFEST])
    if opened(_contents(path, entries[SIGNATURE]).decode(), keys) != signed_text(manifest_text):
        raise Unproven("the manifest is not the one that was signed")
    manifest = json.loads(manifest_text)
    listed = {name: {"sha256": entries[name].sha256, "size": entries[name].size} for name in (events, PROOFS)}
    if manifest["format"] != FORMAT or manifest["files"] != listed:
        raise Unproven("the files are not those of the manifest")
    checkpoint = Checkpoint.verified(manifest["checkpoint"], keys)
    if manifest["tree"] != {"size": checkpoint.size, "root": checkpoint.root.hex()}:
        raise Unproven("the tree of the manifest is not that of its checkpoint")
    with _Part(path, entries[events]) as said, _Part(path, entries[PROOFS]) as proven:
        read_rows = _rows_of_cells if events == EVENT_FILES["csv"] else _rows_of_lines
        rows = read_rows(io.BufferedReader(said))
        complete = _verify_rows(rows, io.BufferedReader(proven), manifest, checkpoint, progress)
    return Verified(manifest, checkpoint, complete)


def _verify_rows(
    rows: Iterator[Row],
    proofs: io.BufferedReader,
    manifest: Mapping[str, Any],
    checkpoint: Checkpoint,
    progress: Progress,
) -> bool:
    positions: list[int] = []  # the first and the last
    indexes: list[int] = []
    count, total = 0, manifest["events"]
    for row, line in zip_longest(rows, iter(proofs.readline, b"")):
        if row is None or line is None:
            raise Unproven("events and proofs are not of the same number")
        proof = json.loads(line)
        position, index = int(row.attributes["id"]), proof["index"]
        if line != b'{"index":%d,"path":"%b"}\n' % (index, proof["path"].encode()):
            raise Unproven(f"position {position}: its proof is not written canonically")
        if positions and not (positions[-1] < position and indexes[-1] < index):
            raise Unproven(f"position {position}: the events are not in order")
        if root_of(row.leaf(), index, checkpoint.size, _decoded(proof["path"])) != checkpoint.root:
            raise Unproven(f"position {position}: the event is not in the log that was signed")
        if not matches(manifest["filters"], row.attributes):
            raise Unproven(f"position {position}: the event is not one that the filters ask for")
        positions[1:], indexes[1:] = [position], [index]
        count += 1
        if count % 1000 == 0 or count == total:
            progress(count, total)
    found = (count, positions[0] if positions else None, positions[-1] if positions else None)
    if found != (total, manifest["first_position"], manifest["last_position"]):
        raise Unproven("the events are not as many as the manifest says, or others")
    return not indexes or indexes[-1] - indexes[0] == count - 1


def _contents(path: Path, entry: Entry) -> bytes:
    if entry.size > _LONGEST:
        raise Unproven(f"{entry.name} is too large")
    with _Part(path, entry) as part:
        return part.readall()


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify a file from the command line: exit code 0 if it is proven, 1 if not."""
    parser = argparse.ArgumentParser(description="Verify an evidence file or a consistency proof of Dossier.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--key", action="append", required=True, help="a public key, or a file with one a line")
    chosen = parser.parse_args(arguments)
    try:
        keys = public_keys(chosen.key)
        proves = _consistency_summary if is_consistency_proof(chosen.file) else _evidence_summary
        summary = proves(chosen.file, keys)
    except (Unproven, OSError, ValueError) as error:
        sys.stderr.write(f"NOT PROVEN: {error}\n")
        return 1
    sys.stdout.write(json.dumps({"proven": True, **summary}, indent=2) + "\n")
    return 0


def _evidence_summary(path: Path, keys: Sequence[PublicKey]) -> dict[str, Any]:
    found = verify(path, keys)
    said = {name: value for name, value in found.manifest.items() if name not in ("checkpoint", "files")}
    return {"complete": found.complete, **said}


def _consistency_summary(path: Path, keys: Sequence[PublicKey]) -> dict[str, Any]:
    return verify_consistency(path, keys).plain()


if __name__ == "__main__":
    sys.exit(main())
