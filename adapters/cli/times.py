"""Points in time as options take them, and durations as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import typer

KnownAt = Annotated[
    str | None,
    typer.Option(
        "--known-at",
        metavar="TIME|POSITION",
        help="As it was known then: an ISO time with its zone, or a position of the log.",
    ),
]
_EXAMPLE: Final = "2026-01-31T12:00Z"
_DIGITS: Final = 18
_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def moment(option: str, text: str | None) -> datetime | None:
    """Return the point in time an option names, in UTC."""
    found = None if text is None else _read(text)
    if text is not None and found is None:
        raise typer.BadParameter(f"{option}: {text!r} is no ISO time with its zone ({_EXAMPLE})")
    return found


def known_at_moment(text: str | None) -> datetime | int | None:
    """Return the point in time, or the position of the log, that `--known-at` names."""
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= _DIGITS:
        return int(text)
    found = _read(text)
    if found is None:
        raise typer.BadParameter(
            f"--known-at: {text!r} is neither a position nor an ISO time with its zone ({_EXAMPLE})"
        )
    return found


def duration(seconds: float | None) -> str:
    """Return a duration in its two greatest units: `3 d 4 h`."""
    if seconds is None:
        return "-"
    left = int(seconds)
    parts: list[str] = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part) or "0 s"


def _read(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
