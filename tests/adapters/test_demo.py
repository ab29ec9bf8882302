"""The demo, twice on one database."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.audit.verifier import public_keys, verify

ROOT = Path(__file__).parents[2]


def demo(folder: Path, url: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOSSIER_")}
    environment |= {"DOSSIER_DATABASE_URL": url, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "adapters.demo", "0.1"],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def report(folder: Path, system: str, name: str) -> Any:
    assert (folder / f"{system}-{name}.md").exists()
    return json.loads((folder / f"{system}-{name}.json").read_bytes())


@pytest.mark.timeout(600)  # each run takes what it takes on a busy machine
def test_the_demo_works_twice(make_database: Any, tmp_path: Path) -> None:
    url = make_database()
    first = demo(tmp_path, url)
    assert "access_denied" in first
    assert "invalid_command" in first
    assert "pending_documents may not go to completed (allowed: documents_submitted, cancelled)" in first
    assert "removed: the case is undetermined" in first
    assert re.search(r"^4 +deferido .* by entry 6$", first, re.MULTILINE)
    assert "16 events appended, 1 command and 1 read refused" in first
    assert "2 events appended, 2 commands refused, account and profile untouched" in first
    assert "0 accounts left" in first
    second = demo(tmp_path, url)
    assert "the first admin was granted before" in second
    assert "removed: the case is undetermined" in second
    assert "0 events appended, 1 command and 1 read refused" in second
    folder = tmp_path / "demo-output"
    for system in ("contexts", "caregivers", "cases", "talent", "decks"):
        for name in ("plan", "run", "run-again"):
            assert report(folder, system, name)["events"]["appended"] == 0
        verified = report(folder, system, "verify-live")["reconcile"]
        assert verified["changed_live"] > 0
        assert verified["unexplained"] == verified["missing"] == verified["extra"] == 0
    keys = public_keys([str(folder / "audit" / "public.keys")])
    assert verify(folder / "evidence.zip", keys).complete
