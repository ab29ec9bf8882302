"""Dates and wall clocks without a zone, as the *cases* application wrote them: the text stays beside what it means.

A case is worked on in Brazil: its days, and the wall clocks that name no zone, are those of São Paulo.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict

from domain.values import in_utc

ZONE: Final = "America/Sao_Paulo"
_LOCAL: Final = ZoneInfo(ZONE)
_FORM: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,6}0*)?)?)([Zz]|[+-]\d\d:?\d\d)?)?", re.ASCII
)


class WallClock(BaseModel):
    """A date, or a date with a time of day, as it was written.

    `day` is the day it names; `instant` the point in time, UTC, None for a bare date; `zone` the zone that was assumed,
    None where the text names its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    day: date
    instant: AwareDatetime | None = None
    zone: str | None = None


def read_wall_clock(text: str) -> WallClock:
    """Read `YYYY-MM-DD`, alone or with `THH:MM[:SS]` and perhaps a zone; raises ValueError for anything else."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError("a date (2026-01-31) or a date with a time (2026-01-31T12:00) is expected")
    day_text, time_text, zone_text = found.groups()
    day = date.fromisoformat(day_text)
    if time_text is None:
        return WallClock(text=text, day=day)
    moment = datetime.combine(day, time.fromisoformat(time_text))
    if zone_text:
        aware = datetime.fromisoformat(f"{moment.isoformat()}{zone_text.upper()}")
        return WallClock(text=text, day=day, instant=in_utc(aware))
    return WallClock(text=text, day=day, instant=in_utc(moment.replace(tzinfo=_LOCAL)), zone=ZONE)


def local_day(moment: datetime) -> date:
    """Return the day of a point in time in São Paulo."""
    try:
        return moment.astimezone(_LOCAL).date()
    except OverflowError:
        return moment.date()
