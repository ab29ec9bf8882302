"""Writes the zip of an evidence file: the one sequence of bytes that `verifier` knows for given contents."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import BinaryIO, Final

from adapters.audit.verifier import Entry, directory, local_header

_BUFFERED: Final = 1 << 18


class Part:
    """A file of the zip while it is written, a chunk at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._chunks: list[bytes] = []
        self._held = 0
        self._digest = sha256()
        self.size, self.crc = 0, 0

    def write(self, data: bytes) -> None:
        """Add bytes to the end."""
        self._chunks.append(data)
        self._held += len(data)
        if self._held >= _BUFFERED:
            self.flush()

    def flush(self) -> str:
        """Write what is held; returns the digest of everything so far."""
        data = b"".join(self._chunks)
        self._chunks, self._held = [], 0
        self._digest.update(data)
        self.crc, self.size = zlib.crc32(data, self.crc), self.size + len(data)
        self._file.write(data)
        return self._digest.hexdigest()


class Archive:
    """A zip in a file that can be written and sought; `entries` are those written so far."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.entries: list[Entry] = []

    @contextmanager
    def part(self, name: str) -> Iterator[Part]:
        """Give the next file of the zip to write to; its header is filled in at the end."""
        offset = self._file.tell()
        self._file.write(local_header(name, 0, 0))
        part = Part(self._file)
        yield part
        digest = part.flush()
        self._file.seek(offset)
        self._file.write(local_header(name, part.size, part.crc))
        self._file.seek(0, 2)
        self.entries.append(Entry(name, offset, part.size, part.crc, digest))

    def add(self, name: str, contents: bytes) -> None:
        """Add a small file."""
        with self.part(name) as part:
            part.write(contents)

    def cut(self, count: int) -> None:
        """Take back all files but the first `count`."""
        self._file.seek(self.entries[count].offset)
        self._file.truncate()
        del self.entries[count:]

    def finish(self) -> None:
        """Write the directory."""
        self._file.write(directory(self.entries))
