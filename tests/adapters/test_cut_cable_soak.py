"""A cable is cut: nobody says goodbye."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.postgres.embedded_host import choose_home
from adapters.postgres.liveness import LOCKS_GONE, WORK_GONE

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("ip")),
        reason="only root makes network namespaces",
    ),
]


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path every user may pass through: the server runs as another one."""
    home, _ = choose_home(Path(tempfile.gettempdir()) / f"dossier-cable-{os.getpid()}")
    yield home
    shutil.rmtree(home, ignore_errors=True)


def test_another_follows_soon_when_the_cable_of_the_first_is_cut(home: Path) -> None:
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-m", "tests.support.cut_cable", str(home)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found = json.loads(done.stdout)
    assert found["taken_over"] < LOCKS_GONE + 10
    assert found["batch_ended"] < WORK_GONE + 10
    assert found["ended_with"] == [0, 0]
