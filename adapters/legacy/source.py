"""Where legacy records come from: an export in files, or the legacy database itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from adapters.legacy.database import is_database, open_database
from adapters.legacy.json_lines import LineFiles, open_export
from migrations_replay.bundle import LegacyTable


@contextmanager
def open_source(source: str | Path, tables: Mapping[str, LegacyTable]) -> Iterator[LineFiles]:
    """Open what `--source` names: a directory, a `.zip` or a `postgresql://` URL; raises InputUnreadable."""
    if is_database(str(source)):
        with open_database(str(source)) as opened:
            yield opened
    else:
        json_columns = {name: table.json_columns for name, table in tables.items()}
        with open_export(Path(source), json_columns) as opened:
            yield opened
