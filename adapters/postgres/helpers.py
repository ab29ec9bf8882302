"""Helpers of a rebuild: processes of their own that fill parts beside the one that rebuilds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel

from adapters.logging import configure_logging
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.mapper import decode_or_mark
from adapters.postgres.pool import open_pool
from adapters.sealing import MasterKeys
from adapters.settings import load_settings
from domain.errors import DossierError
from projections.all import READ_MODELS
from projections.rebuild import fill

if TYPE_CHECKING:
    from adapters.postgres.shadow import PostgresShadow

_COMMAND: Final = (sys.executable, "-P", "-c", "from adapters.postgres.helpers import main; main()")


class Given(BaseModel, ser_json_bytes="base64", val_json_bytes="base64"):
    """What a helper is told, on its standard input: nobody else sees passwords and keys there."""

    conninfo: str
    keys: list[bytes] | None
    schema_name: str
    prefix: str
    read_models: list[str]
    parent: int


@contextmanager
def helpers(shadow: PostgresShadow, events: PostgresEventStore, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start helpers, and wait for them at the end; they stop when this process fails or is gone."""
    given = Given(
        conninfo=str(events.pool.conninfo),
        keys=events.master.bare() if events.master else None,
        schema_name=events.schema,
        prefix=shadow.live.prefix,
        read_models=[model.name for model in shadow.models],
        parent=os.getpid(),
    )
    # Programs of their own: a fork would take threads and connections along, a spawn the whole program that rebuilds.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    started = [
        subprocess.Popen(_COMMAND, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)  # noqa: S603
        for _ in range(count)
    ]
    for helper in started:
        with suppress(BrokenPipeError):  # it died: what it left is done by who rebuilds
            _tell(helper, given)
    try:
        yield started
    except BaseException:
        for helper in started:
            helper.terminate()
        raise
    finally:
        for helper in started:
            helper.wait()


def _tell(helper: subprocess.Popen[bytes], given: Given) -> None:
    assert helper.stdin is not None
    with helper.stdin as pipe:
        pipe.write(given.model_dump_json().encode())


def main() -> None:
    """Fill parts as told on standard input, until there are none or the process that rebuilds is gone."""
    from adapters.postgres.read_store import PostgresReadStore
    from adapters.postgres.shadow import PostgresShadows

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: who rebuilds sees to it
    given = Given.model_validate_json(sys.stdin.buffer.read())
    configure_logging(load_settings())
    pool = open_pool(given.conninfo, size=3)
    try:
        keys = given.keys
        master = MasterKeys(lambda: keys) if keys else None
        events = PostgresEventStore(pool, given.schema_name, master, decode_or_mark)
        shadow = PostgresShadows(PostgresReadStore(pool, given.prefix), events).joined(
            [model for model in READ_MODELS if model.name in given.read_models]
        )
        with suppress(DossierError):  # aborted or gone; a part that failed is tried again by who rebuilds
            fill(events, shadow, alive=lambda: os.getppid() == given.parent)
    finally:
        pool.close()
