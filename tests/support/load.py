"""Writers as a process of their own: `python -m tests.support.load URL THREADS`; writes until its input ends.

Then it prints how many accounts each of its threads registered and renamed, all together.
"""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from uuid import uuid4

from domain.access import Actor
from domain.account import ChangeContact, RegisterAccount
from domain.errors import StoreError
from tests.support.application import application_at


def main(url: str, threads: int) -> int:
    stop, written = threading.Event(), [0] * threads
    operator = Actor.operator()
    with application_at(url) as app:

        def write(number: int) -> None:
            while not stop.is_set():
                account = uuid4()
                with suppress(StoreError):  # a busy store is part of the load
                    app.dossier.execute(RegisterAccount(account_id=account, name="old"), actor=operator)
                    app.dossier.execute(ChangeContact(account_id=account, name="new"), actor=operator)
                    written[number] += 1

        writers = [threading.Thread(target=write, args=[number]) for number in range(threads)]
        for writer in writers:
            writer.start()
        sys.stdin.read()
        stop.set()
        for writer in writers:
            writer.join()
    return sum(written)


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2])))
