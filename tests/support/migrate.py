"""A migration, or a rollback of one, in a process of its own, to be killed.

`python -m tests.support.migrate URL SOURCE BATCH_EVENTS [SYSTEM [rollback]]` prints a line each time it is told how far
it is.
"""

from __future__ import annotations

import sys
from pathlib import Path

from adapters.migration import Migration, run
from adapters.taken_in import rollback
from tests.support.application import application_at


def _watch(stage: str, done: int, total: int) -> None:
    print(stage, done, total, flush=True)


if __name__ == "__main__":
    url, source, batch_events, system, work = [*sys.argv[1:], *("contexts", "run")[len(sys.argv) - 4 :]][:5]
    with application_at(url) as app:
        if work == "rollback":
            rollback(app, system, _watch, force=False, apply=True)
        else:
            run(app, Migration.of(system, Path(source), batch_events=int(batch_events)), _watch)
