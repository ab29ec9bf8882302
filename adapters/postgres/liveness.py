"""How both ends of a connection notice that the other one is gone: its host died, or the cable was cut.

A process that dies is noticed at once, since its system closes its connections. Of a host that dies nobody hears; by
itself a server waits two hours for it, and keeps its locks.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from psycopg import Connection, errors

IDLE, INTERVAL, COUNT = 5, 2, 3
LOCKS_GONE: Final = IDLE + INTERVAL * COUNT
WORK_GONE: Final = 60
"""Seconds until a silent other end counts as gone. Where rows are sent a busy one may be silent for longer."""

HUNG_AFTER: Final = 300
"""Seconds that a transaction which all others wait for may do nothing: whoever holds it was stopped, not busy."""


def client_side(gone: int = LOCKS_GONE) -> dict[str, Any]:
    """Return the parameters with which this end of a connection notices that the server is gone."""
    return {
        "connect_timeout": 10,
        "keepalives_idle": IDLE,
        "keepalives_interval": INTERVAL,
        "keepalives_count": COUNT,
        "tcp_user_timeout": gone * 1_000,
    }


def watch_client(connection: Connection[Any], gone: int = LOCKS_GONE) -> None:
    """Let the server notice that this end is gone, and end what it does for it; a Unix socket needs the last alone."""
    settings = {
        "tcp_keepalives_idle": IDLE,
        "tcp_keepalives_interval": INTERVAL,
        "tcp_keepalives_count": COUNT,
        "tcp_user_timeout": gone * 1_000,
    }
    connection.execute(
        "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS wanted (name, value)",
        [list(settings), [str(value) for value in settings.values()]],
    )
    with suppress(errors.InvalidParameterValue):  # a server whose system cannot tell
        connection.execute("SELECT set_config('client_connection_check_interval', %s, false)", [f"{IDLE}s"])


def end_if_hung(connection: Connection[Any]) -> None:
    """Let the server end the transaction under way once it waits for this process for much too long."""
    connection.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, true)", [f"{HUNG_AFTER}s"])
