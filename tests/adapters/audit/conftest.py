"""An application over a database of its own for each test, and the command line over that of a module."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.bootstrap import Application
from tests.support.application import application_at
from tests.support.sealing import MASTER_TEXT


@pytest.fixture
def app(make_database: Any) -> Iterator[Application]:
    with application_at(make_database()) as opened:
        yield opened


@pytest.fixture
def line(app: Application, tmp_path: Path) -> Iterator[Path]:
    """The environment in which the command line works on the database of `app`, with keys of its own; their folder."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("DOSSIER_")]:
            patch.delenv(name)
        patch.setenv("DOSSIER_DATABASE_URL", str(app.pool.conninfo))
        patch.setenv("DOSSIER_MASTER_KEY", MASTER_TEXT)
        patch.setenv("DOSSIER_AUDIT_HOME", str(tmp_path / "audit"))
        yield tmp_path / "audit"
