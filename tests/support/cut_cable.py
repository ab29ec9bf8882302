"""Cut the cable of a follower and see who follows: `unshare -n python -m tests.support.cut_cable HOME`.

In a network namespace of its own everything over TCP goes through `lo`, and is cut off when that is down; a Unix
socket still works. Prints after how many seconds the locks were free, and a batch under way was ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from psycopg.conninfo import make_conninfo

from adapters.bootstrap import Application
from adapters.logging import configure_logging
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.followers import followed
from adapters.settings import load_settings
from domain.errors import StoreError
from projections.all import READ_MODELS
from tests.support.application import application_at

FOLLOW = [sys.executable, "-c", "from adapters.cli.main import main; main()", "projections", "follow"]


def follower(url: str, says: str) -> subprocess.Popen[str]:
    started = subprocess.Popen(
        FOLLOW, env=os.environ | {"DOSSIER_DATABASE_URL": url}, stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    assert started.stdout.readline().startswith(says)
    return started


def cable(state: str) -> None:
    subprocess.run(["ip", "link", "set", "lo", state], check=True)


def seen(near: Application, second: subprocess.Popen[str], began: float) -> dict[str, float]:
    """Return after how many seconds the second followed everything, and the followers' lock was free."""
    found: dict[str, float] = {}
    while len(found) < 2 and time.monotonic() - began < 100:
        owners = {str(follower.owner) for follower in followed(near.reads, READ_MODELS).values()}
        if len(owners) == 1 and owners.pop().endswith(f":{second.pid}"):
            found.setdefault("taken_over", time.monotonic() - began)
        with suppress(StoreError), near.reads.patient("500ms").batch():
            found.setdefault("batch_ended", time.monotonic() - began)
    return found


def main() -> None:
    configure_logging(load_settings())
    cable("up")
    server = EmbeddedPostgres(Path(sys.argv[1]), settings={"listen_addresses": "127.0.0.1"})
    url = server.ensure_running()
    tcp = make_conninfo(url, host="127.0.0.1")
    try:
        with application_at(url) as near, application_at(tcp) as far:
            first = follower(tcp, "Following")
            second = follower(url, "Standing by")
            with suppress(StoreError), far.reads.batch() as transaction:
                cable("down")
                found = seen(near, second, time.monotonic())
                cable("up")
                transaction.positions(READ_MODELS)
            for one in (first, second):
                one.send_signal(signal.SIGTERM)
            print(json.dumps({**found, "ended_with": [one.wait(30) for one in (first, second)]}))
    finally:
        server.stop()


if __name__ == "__main__":
    main()
