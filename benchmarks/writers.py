"""Writers as a process of their own: `python -m benchmarks.writers THREADS` in the environment of a command line.

They register accounts and rename them until the standard input ends; then it prints how many.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Self
from uuid import uuid4

from adapters.bootstrap import application
from adapters.logging import configure_logging
from adapters.settings import load_settings
from domain.access import Actor
from domain.account import ChangeContact, RegisterAccount
from domain.errors import StoreError

ROOT: Final = Path(__file__).parents[1]


class Writers:
    """So many writers on a database until the block is left; `written` tells how many accounts they wrote."""

    def __init__(self, url: str, count: int) -> None:
        self._command = [sys.executable, "-m", "benchmarks.writers", str(count)]
        self._environment = os.environ | {"DOSSIER_DATABASE_URL": url}
        self.written = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.written = int(self._process.communicate(timeout=120)[0])


def write(threads: int) -> int:
    """Write until the standard input ends."""
    stop, written = threading.Event(), [0] * threads
    operator = Actor.operator()
    with application(load_settings()) as app:

        def work(number: int) -> None:
            while not stop.is_set():
                account = uuid4()
                with suppress(StoreError):  # a busy store is part of the load
                    app.dossier.execute(RegisterAccount(account_id=account, name="old"), actor=operator)
                    app.dossier.execute(ChangeContact(account_id=account, name="new"), actor=operator)
                    written[number] += 1

        writers = [threading.Thread(target=work, args=[number]) for number in range(threads)]
        for writer in writers:
            writer.start()
        sys.stdin.read()
        stop.set()
        for writer in writers:
            writer.join()
    return sum(written)


if __name__ == "__main__":
    configure_logging(load_settings())
    print(write(int(sys.argv[1])))
