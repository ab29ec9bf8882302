"""Helpers of a rebuild: processes of their own that fill parts beside the one that rebuilds."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from typing import TYPE_CHECKING

from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.mapper import decode_or_mark
from adapters.postgres.pool import open_pool
from adapters.sealing import MasterKeys
from domain.errors import DossierError
from projections.all import READ_MODELS
from projections.rebuild import fill

if TYPE_CHECKING:
    from adapters.postgres.shadow import PostgresShadow


@contextmanager
def helpers(shadow: PostgresShadow, events: PostgresEventStore, count: int) -> Iterator[None]:
    """Start helpers, and wait for them at the end; they stop when this process fails or is gone."""
    names = [model.name for model in shadow.models]
    keys = events.master.bare() if events.master else None
    given = (str(events.pool.conninfo), keys, events.schema, shadow.live.prefix, names, os.getpid())
    process = get_context("spawn").Process  # a fork would take the pool's threads and connections along
    started = [process(target=_help, args=given, daemon=True) for _ in range(count)]
    for helper in started:
        helper.start()
    try:
        yield
    except BaseException:
        for helper in started:
            helper.terminate()
        raise
    finally:
        for helper in started:
            helper.join()


def _help(conninfo: str, keys: list[bytes] | None, schema: str, prefix: str, names: Sequence[str], parent: int) -> None:
    from adapters.postgres.read_store import PostgresReadStore
    from adapters.postgres.shadow import PostgresShadows

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: who rebuilds sees to it
    pool = open_pool(conninfo, size=3)
    try:
        master = MasterKeys(lambda: keys) if keys else None
        events = PostgresEventStore(pool, schema, master, decode_or_mark)
        shadow = PostgresShadows(PostgresReadStore(pool, prefix), events).joined(
            [model for model in READ_MODELS if model.name in names]
        )
        with suppress(DossierError):  # aborted or gone; a part that failed is tried again by who rebuilds
            fill(events, shadow, alive=lambda: os.getppid() == parent)
    finally:
        pool.close()
