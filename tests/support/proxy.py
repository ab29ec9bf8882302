"""A proxy between a test and PostgreSQL that can break a connection at a chosen moment."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from psycopg.conninfo import conninfo_to_dict, make_conninfo

Cut = Literal["before the request", "with the request", "after the reply"]
READY = b"Z\x00\x00\x00\x05"


class Proxy:
    """Forwards bytes. Once armed, it breaks the connection that sends the marker, before it is passed on, as soon as it
    was, or after the server answered it; with `refuse` set it takes no further connections."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._armed: tuple[bytes, Cut] | None = None
        self._lock = threading.Lock()
        self.refuse = False
        self.cuts = 0
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Conninfo through the proxy."""
        return make_conninfo(self._upstream, host="127.0.0.1", port=self.port, sslmode="disable", gssencmode="disable")

    def arm(self, marker: bytes, cut: Cut, *, then_refuse: bool = False) -> None:
        """Break the next connection that sends the marker."""
        with self._lock:
            self._armed = marker, cut
        self._then_refuse = then_refuse

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.refuse:
                    client.close()
                else:
                    threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _server(self) -> socket.socket:
        parts = conninfo_to_dict(self._upstream)
        host, port = str(parts.get("host", "127.0.0.1")), int(str(parts.get("port", 5432)))
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(Path(host) / f".s.PGSQL.{port}"))
        except OSError:
            server.close()
            raise
        return server

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), self._server() as server:
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(1 << 20)
                    if not data:
                        return
                    if source is server:
                        client.sendall(data)
                        continue
                    cut = self._cut(data)
                    if cut != "before the request":
                        server.sendall(data)
                    if cut == "after the reply":
                        self._swallow(server)
                    if cut:
                        return

    def _cut(self, data: bytes) -> Cut | None:
        with self._lock:
            if self._armed is None or self._armed[0] not in data:
                return None
            cut, self._armed = self._armed[1], None
            self.cuts += 1
            self.refuse = self._then_refuse
            return cut

    def _swallow(self, server: socket.socket) -> None:
        reply = b""
        while READY not in reply:
            more = server.recv(1 << 20)
            if not more:
                return
            reply += more


@contextmanager
def proxied(upstream: str) -> Iterator[Proxy]:
    """Open a proxy before a server."""
    proxy = Proxy(upstream)
    try:
        yield proxy
    finally:
        proxy.close()
