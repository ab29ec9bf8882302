"""Arrays as parameters in PostgreSQL's binary form, for the statements that every command runs.

psycopg looks into each list to find out what it holds, which costs more than all else it does for a statement. Here the
statement says what it takes, and the list is only put together.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final
from uuid import UUID

from psycopg import postgres, pq
from psycopg.adapt import Dumper

_HEAD: Final = Struct("!iiIii")  # dimensions, flags, type of the elements, how many there are, number of the first
_NUMBER: Final = Struct("!iq")
_LENGTH: Final = Struct("!i")
_LENGTH_OF_UUID: Final = _LENGTH.pack(16)
_NULL: Final = _LENGTH.pack(-1)

UUIDS, NUMBERS, TEXTS, BYTES = (postgres.types[name].oid for name in ("uuid", "int8", "text", "bytea"))


class Array(bytes):
    """An array in binary form; what it is an array of must be what the statement takes there."""


class ArrayDumper(Dumper):
    """Passes an array on as it is, of the type the statement gives the parameter."""

    format = pq.Format.BINARY

    def dump(self, obj: Array) -> bytes:
        """Return the array."""
        return obj


def array(kind: int, count: int, elements: Iterable[bytes]) -> Array:
    """Return an array of so many elements of a kind, each as `of_…` made it, or several of them joined."""
    return Array(_HEAD.pack(1, 0, kind, count, 1) + b"".join(elements))


def of_uuid(value: UUID | None) -> bytes:
    """Return an id as an element; None is NULL."""
    return _NULL if value is None else _LENGTH_OF_UUID + value.bytes


def of_bytes(value: bytes | None) -> bytes:
    """Return bytes, or text as UTF-8, as an element; None is NULL."""
    return _NULL if value is None else _LENGTH.pack(len(value)) + value


def of_number(value: int) -> bytes:
    """Return a number as an element; raises struct.error for one beyond 64 bits."""
    return _NUMBER.pack(8, value)
