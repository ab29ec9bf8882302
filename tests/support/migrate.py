"""A migration in a process of its own, to be killed.

`python -m tests.support.migrate URL SOURCE BATCH_EVENTS [SYSTEM]` prints a line each time it is told how far it is.
"""

from __future__ import annotations

import sys
from pathlib import Path

from adapters.migration import Migration, run
from tests.support.application import application_at


def _watch(stage: str, done: int, total: int) -> None:
    print(stage, done, total, flush=True)


if __name__ == "__main__":
    url, source, batch_events, system = [*sys.argv[1:], "contexts"][:4]
    with application_at(url) as app:
        run(app, Migration.of(system, Path(source), batch_events=int(batch_events)), _watch)
