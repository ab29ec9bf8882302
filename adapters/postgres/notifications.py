"""Waiting for new events: LISTEN on the channel that every append notifies, with polling as the fallback."""

from __future__ import annotations

import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

import psycopg
from psycopg import Connection

from adapters.postgres.liveness import client_side

CHANNEL: Final = "stored_events"
POLL: Final = 0.5


class Notifications:
    """A connection of its own that listens; a broken one is opened again, and meanwhile `wait` just polls."""

    def __init__(self, conninfo: str, poll: float = POLL) -> None:
        self._conninfo, self._poll = conninfo, poll
        self._connection: Connection[tuple[Any, ...]] | None = None

    def __enter__(self) -> Self:
        with suppress(psycopg.OperationalError):  # `wait` tries again
            self._listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def wait(self) -> None:
        """Return when something was appended, at the latest after the polling interval."""
        try:
            connection = self._connection or self._listen()
            for _ in connection.notifies(timeout=self._poll, stop_after=1):
                return
        except psycopg.OperationalError:
            self._connection = None
            time.sleep(self._poll)

    def _listen(self) -> Connection[tuple[Any, ...]]:
        connection = psycopg.connect(self._conninfo, autocommit=True, **client_side())
        connection.execute(f"LISTEN {CHANNEL}")
        self._connection = connection
        return connection
