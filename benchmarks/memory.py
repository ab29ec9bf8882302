"""How much memory `dossier migrate run` takes at most: of few users, and of ten times as many."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.harness import Result, Server
from benchmarks.workload import sample

SYSTEM: Final = "contexts"
SIZE: Final = 100_000
LIMIT: Final = 400.0
"""What that many users may take, in MB."""

_IN_A_MB: Final = 1024 * 1024 if sys.platform == "darwin" else 1024
"""What the system counts memory in: bytes on macOS, elsewhere kB."""


def run(server: Server, _runs: int, size: int = SIZE) -> list[Result]:
    """Measure a tenth of the users and all of them, once: what a process holds does not depend on what else runs."""
    few, many = _peak(server, size // 10), _peak(server, size)
    return [
        _result(f"memory.{size}_users", many, "what it may take", LIMIT, gate=1.0),
        _result(f"memory.{size}_users_flat", many, f"the same of {size // 10} users; 1 is flat", few, gate=None),
    ]


def _result(name: str, peak: float, baseline: str, baseline_peak: float, gate: float | None) -> Result:
    ratio = round(baseline_peak / peak, 3)
    return Result(name, peak, "MB", baseline, baseline_peak, ratio, (ratio, ratio), gate)


def _peak(server: Server, size: int) -> float:
    """Return how many MB a run of so many users held at most, writing its report included."""
    dossier = str(Path(sys.executable).with_name("dossier"))
    with sample(SYSTEM, size) as export, server.database() as name, server.application(name):
        report = export / "report.json"  # no table, and it goes with the folder
        command = [dossier, "migrate", "run", SYSTEM, "--source", str(export), "--report", str(report)]
        environment = os.environ | {"DOSSIER_DATABASE_URL": server.url(name)}
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            _, status, used = os.wait4(run.pid, 0)
            run.returncode = os.waitstatus_to_exitcode(status)
    if run.returncode not in (0, 1):
        raise RuntimeError(f"the migration of {size} users ended with {run.returncode}")
    peak = round(used.ru_maxrss / _IN_A_MB, 1)
    print(f"memory  {size} users  {peak} MB", flush=True)
    return peak
