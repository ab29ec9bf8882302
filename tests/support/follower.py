"""A follower as a process of its own, to be killed: `python -m tests.support.follower URL`.

Its read model of accounts counts: `name` is how many events of the account were folded.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.followers import Follower
from adapters.postgres.mapper import decode_or_mark
from adapters.postgres.notifications import Notifications
from adapters.postgres.pool import open_pool
from adapters.postgres.read_store import PostgresReadStore
from domain.event import Recorded
from projections import accounts
from projections.all import READ_MODELS
from projections.follow import follow
from projections.read_model import Key, Row, Rows


def _counted(rows: Rows, recorded: Recorded) -> Mapping[Key, Row | None]:
    before = next(iter(rows.values()), {"name": "0"})
    counted = str(int(before["name"]) + 1)
    return {key: row and {**row, "name": counted} for key, row in accounts.MODEL.evolve(rows, recorded).items()}


COUNTING: Final = replace(accounts.MODEL, evolve=_counted)
MODELS: Final = (COUNTING, *(model for model in READ_MODELS if model is not accounts.MODEL))


if __name__ == "__main__":
    pool = open_pool(sys.argv[1], size=4)
    reads = PostgresReadStore(pool)
    with Notifications(sys.argv[1]) as notifications, Follower(reads, MODELS) as follower:
        print("following", flush=True)
        follow(
            PostgresEventStore(pool, decode=decode_or_mark),
            reads,
            follower.mine,
            stop=lambda: False,
            wait=notifications.wait,
            rest=follower.failed,
            worked=follower.worked,
        )
