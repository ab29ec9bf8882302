"""A migration, or what is done with one, in a process of its own, to be killed.

`python -m tests.support.migrate URL SOURCE BATCH_EVENTS SYSTEM WORK` prints a line each time it is told how far it is.
A rederive runs under the mapping version after this one.
"""

from __future__ import annotations

import sys
from pathlib import Path

from adapters.migration import Migration, retry, run
from adapters.taken_in import rederive, rollback
from migrations_replay.systems import SYSTEMS
from tests.support.application import application_at


def _watch(stage: str, done: int, total: int) -> None:
    print(stage, done, total, flush=True)


if __name__ == "__main__":
    url, source, batch_events, system, work = sys.argv[1:]
    with application_at(url) as app:
        migration = Migration.of(system, Path(source), batch_events=int(batch_events))
        match work:
            case "rollback":
                rollback(app, system, _watch, force=False, apply=True)
            case "rederive":
                type(SYSTEMS[system]).mapping_version += 1
                rederive(app, system, _watch, batch_events=migration.batch_events, apply=True)
            case "retry":
                retry(app, migration, _watch)
            case _:
                run(app, migration, _watch)
