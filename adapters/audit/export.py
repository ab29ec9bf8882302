"""Writes an evidence file: the events asked for as CloudEvents 1.0, each with its proof, and a signed manifest.

The tree is brought up to the log first, and what it holds then is what is exported: live writes go on meanwhile.
"""

from __future__ import annotations

import csv
import io
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, Final, Literal, NamedTuple

import orjson

from adapters.audit.archive import Archive
from adapters.audit.checkpoints import Signed
from adapters.audit.cloudevents import cloud_event
from adapters.audit.keys import SigningKey
from adapters.audit.merkle import WIDTH
from adapters.audit.verifier import (
    COLUMNS,
    EVENT_FILES,
    FORMAT,
    HASH,
    MANIFEST,
    PROOFS,
    SIGNATURE,
    Attributes,
    canonical,
    csv_cell,
    matches,
    root_of,
    signed_text,
)
from adapters.postgres.audit_log import LeafTile, PostgresAuditLog, StoredRow
from domain.access import Actor
from domain.errors import ProofFailed, VersionConflict
from domain.event import Recorded
from domain.evidence import RecordExport
from domain.service import ATTEMPTS, Dossier
from domain.streams import EVIDENCE_STREAM
from projections.follow import Progress

FileFormat = Literal["jsonl", "csv"]
_HINT: Final = "`dossier audit verify` names what was altered"
_COPIED: Final = 1 << 18
_LAST: Final = (1 << 63) - 1


class Exported(NamedTuple):
    """What is in the file, as its manifest says, and the position of the event that records the export."""

    manifest: dict[str, Any]
    position: int


class Chosen(NamedTuple):
    """An event that goes into the file: attributes, data as stored, rank, and the path from its leaf to the root."""

    attributes: Attributes
    data: bytes
    rank: int
    path: bytes


@dataclass(frozen=True)
class Exporter:
    """Makes evidence files of a log, signed with a key; each export is an event itself."""

    dossier: Dossier
    log: PostgresAuditLog
    key: SigningKey

    def write(
        self,
        file: BinaryIO,
        head: Signed,
        filters: Mapping[str, Any],
        file_format: FileFormat,
        actor: Actor,
        progress: Progress,
    ) -> Exported:
        """Write the events that the filters ask for, up to a signed head of the log, into a file.

        Raises ProofFailed naming the position if an event is not what its leaf was made from.
        """
        archive, events, first, last = Archive(file), 0, None, None
        form = _line if file_format == "jsonl" else _row
        with tempfile.TemporaryFile() as proofs:
            with archive.part(EVENT_FILES[file_format]) as part:
                if file_format == "csv":
                    part.write(_csv(COLUMNS))
                for found in chosen(self.log, filters, head, progress):
                    part.write(form(found))
                    proofs.write(b'{"index":%d,"path":"%b"}\n' % (found.rank, b64encode(found.path)))
                    last = int(found.attributes["id"])
                    events, first = events + 1, last if first is None else first
            _copy(proofs, archive)
        manifest = {
            "format": FORMAT,
            "export_id": str(self.dossier.new_id()),
            "exported_at": head.checkpoint.time,
            "exported_by": actor.id,
            "filters": dict(filters),
            "events": events,
            "first_position": first,
            "last_position": last,
            "tree": {"size": head.checkpoint.size, "root": head.checkpoint.root.hex()},
            "checkpoint": head.note,
            "files": {entry.name: {"sha256": entry.sha256, "size": entry.size} for entry in archive.entries},
        }
        return self._seal(archive, manifest, file_format, actor)

    def _seal(self, archive: Archive, manifest: dict[str, Any], file_format: FileFormat, actor: Actor) -> Exported:
        """Add the manifest, which names the export before, and record the export as the one after that."""
        for attempt in range(1, ATTEMPTS + 1):
            earlier = self.dossier.store.load([EVIDENCE_STREAM])[EVIDENCE_STREAM]
            manifest["previous"] = _named(earlier[-1]) if earlier else None
            text = canonical(manifest).encode()
            signature = signed_text(text)
            archive.add(MANIFEST, text)
            archive.add(SIGNATURE, self.key.sign(signature).encode())
            archive.finish()
            record = RecordExport(
                export_id=manifest["export_id"],
                file_format=file_format,
                filters=manifest["filters"],
                events=manifest["events"],
                tree_size=manifest["tree"]["size"],
                tree_root=manifest["tree"]["root"],
                manifest_digest=signature.split()[-1],
            )
            try:
                receipt = self.dossier.execute(record, actor=actor, expected_version=len(earlier))
            except VersionConflict:
                if attempt == ATTEMPTS:
                    raise
                archive.cut(2)
                continue
            return Exported(manifest, receipt.position)
        raise AssertionError("the last attempt returns or raises")


def chosen(log: PostgresAuditLog, filters: Mapping[str, Any], head: Signed, progress: Progress) -> Iterator[Chosen]:
    """Yield the events that the filters ask for, in the order of the log, each with its proof."""
    size, root = head.checkpoint.size, head.checkpoint.root
    first, last = filters.get("position_from", 0), filters.get("position_to", _LAST)
    tree, number = log.tree(size), log.tile_holding(first)
    for expected, tile in enumerate(log.leaf_tiles(number, size), start=number):
        rows = list(log.rows(tile.positions[0] - 1, tile.positions[-1]))
        _check(expected, tile, rows)
        keys = log.keys(rows)
        found = [(at, *cloud_event(row, keys)) for at, row in enumerate(rows) if first <= row.position <= last]
        found = [event for event in found if matches(filters, event[1])]
        if found:
            paths, start = tree.inclusions(expected), expected * WIDTH
            if root_of(tile.hashes[:HASH], start, size, paths[0]) != root:
                raise ProofFailed("the tree is damaged: its leaves do not lead to its root", hint=_HINT)
            for at, said, data in found:
                yield Chosen(said, data, start + at, paths[at])
        progress(min(size, (expected + 1) * WIDTH), size)
        if tile.positions[-1] >= last:
            return
        number = expected + 1
    if number * WIDTH < size:
        raise ProofFailed("the tree is damaged: leaves are missing", hint=_HINT)


def _check(number: int, tile: LeafTile, rows: Sequence[StoredRow]) -> None:
    """Raise ProofFailed unless these are the events that the leaves of the tile were made from."""
    made_from = tuple([row.position for row in rows]) == tile.positions
    if tile.number != number or not made_from or b"".join([row.leaf() for row in rows]) != tile.hashes:
        span = f"positions {tile.positions[0]} to {tile.positions[-1]}"
        raise ProofFailed(f"{span}: the stored events are not those the tree was made from", hint=_HINT)


def _named(export: Recorded) -> dict[str, Any]:
    event = export.event
    return {
        "export_id": str(event.export_id),
        "manifest_digest": event.manifest_digest,
        "position": export.position,
    }


def _copy(source: IO[bytes], archive: Archive) -> None:
    source.seek(0)
    with archive.part(PROOFS) as part:
        while chunk := source.read(_COPIED):
            part.write(chunk)


def _line(found: Chosen) -> bytes:
    return b'%b,"data":%b}\n' % (orjson.dumps(found.attributes)[:-1], found.data)


def _row(found: Chosen) -> bytes:
    said = found.attributes | {"data": found.data.decode()}
    return _csv([csv_cell(str(said.get(name, ""))) for name in COLUMNS])


def _csv(cells: Sequence[str]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow(cells)
    return line.getvalue().encode()
