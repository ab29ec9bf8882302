"""A process that appends from many threads and says what it was told: `python -m tests.support.stubborn_writer URL`.

Each thread has streams of its own, and one it shares with all threads of all processes. It asks with the same command
id until it is told what became of a request, which now and then holds no events. Where it is told that nothing was
written it looks whether that is so. What is about to be asked and what was told is printed, a JSON line each, until it
is killed or its standard input ends.
"""

from __future__ import annotations

import json
import random
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final
from uuid import UUID, uuid4

from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.pool import open_pool
from domain.errors import StoreBusy, StoreUnavailable, UnknownOutcome, VersionConflict
from domain.event import NewEvent
from domain.service import Append
from tests.support.writer import registered

THREADS: Final = 12
ENDED: Final = 0.002
"""How often the thread that leads a group is ended before it is written, and how often after."""


CONTESTED: Final = UUID(int=4)
"""The stream that all write to."""

SHARED: Final = 0.1
EMPTY: Final = 0.05
"""How often a request is for the stream that all write to, and how often it holds no events."""


class Writer:
    """One thread: appends to its two streams, none to three events a request, and reads what it wrote."""

    def __init__(self, store: PostgresEventStore, say: Callable[..., None], stop: threading.Event) -> None:
        self._store, self._say, self._stop = store, say, stop
        self._versions = {uuid4(): 0, uuid4(): 0}
        self._random = random.Random()

    def run(self) -> None:
        while not self._stop.is_set():
            wanted = self._next()
            self._say(
                asks=str(wanted.command_id), stream=str(wanted.stream), version=wanted.version,
                events=[(str(new.stream), new.version) for new in wanted.events],
            )  # fmt: skip
            if not self._ask(wanted):
                return
            for new in wanted.events:
                if new.stream in self._versions:
                    self._versions[new.stream] = new.version
            self._look(wanted.command_id)

    def _next(self) -> Append:
        command_id, versions = uuid4(), dict(self._versions)
        streams = self._random.choices(list(versions), k=self._random.randint(1, 3))
        chance = self._random.random()
        if chance < EMPTY:
            stream = streams[0]
            return Append(command_id, command_id.bytes, stream, versions[stream], 0, [], {stream: versions[stream]})
        if chance < EMPTY + SHARED:
            streams, versions = [CONTESTED], {CONTESTED: self._contested()}
        events: list[NewEvent] = []
        for stream in streams:
            versions[stream] += 1
            event = registered(stream, versions[stream])
            events.append(event._replace(metadata=replace(event.metadata, command_id=command_id)))
        last = events[-1]
        return Append(command_id, command_id.bytes, last.stream, last.version, 0, events, {})

    def _contested(self) -> int:
        with suppress(StoreUnavailable, StoreBusy):
            return len(self._store.load_since({CONTESTED: 0}).events[CONTESTED])
        return 0

    def _ask(self, wanted: Append) -> bool:
        """Ask until told; a request of which nothing was written is sent again as well."""
        while not self._stop.is_set():
            try:
                receipt = self._store.append(wanted)
            except VersionConflict as error:
                self._say(
                    command=str(wanted.command_id), told=error.code if wanted.stream == CONTESTED else repr(error)
                )
                return wanted.stream == CONTESTED
            except UnknownOutcome as error:
                self._say(command=str(wanted.command_id), told=error.code)
            except (StoreUnavailable, StoreBusy) as error:
                self._say(command=str(wanted.command_id), told=error.code)
                self._doubt(wanted)
            except Exception as error:  # noqa: BLE001 – nothing else may happen: the test looks for it
                self._say(command=str(wanted.command_id), told=repr(error))
                return False
            else:
                self._say(command=str(wanted.command_id), told="receipt", receipt=_plain(receipt))
                return True
        return False

    def _doubt(self, wanted: Append) -> None:
        """Look whether a request was written of which we were told that it was not."""
        with suppress(StoreUnavailable, StoreBusy):
            if self._store.receipt(wanted.command_id, wanted.digest):
                self._say(command=str(wanted.command_id), told="not written, and it was")

    def _look(self, command_id: UUID) -> None:
        """See whether what was written is read, and nothing else: nobody else writes to these streams."""
        try:
            since = self._store.load_since({stream: max(0, version - 1) for stream, version in self._versions.items()})
        except (StoreUnavailable, StoreBusy):
            return
        found = {stream: events[-1].version if events else 0 for stream, events in since.events.items()}
        if found != self._versions:
            self._say(command=str(command_id), told="read otherwise")


def _plain(receipt: Any) -> list[Any]:
    return [str(part) if isinstance(part, UUID) else part for part in receipt]


def _sometimes_ended(write: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return what writes a group, in a thread that may be ended at it."""

    def carry_out(group: Any) -> Any:
        chance = random.random()
        if chance < ENDED:
            raise SystemExit
        answers = write(group)
        if chance > 1 - ENDED:
            raise SystemExit
        return answers

    return carry_out


def main(url: str) -> None:
    """Write until standard input ends."""
    pool = open_pool(url, size=6, lock_timeout_ms=2_000)
    pool.timeout = 3.0
    lock, stop = threading.Lock(), threading.Event()
    threads: list[threading.Thread] = []

    def say(**line: Any) -> None:
        with lock:
            print(json.dumps(line), flush=True)

    store = PostgresEventStore(pool)
    groups = store._appends._groups
    groups._carry_out = _sometimes_ended(groups._carry_out)

    def write() -> None:
        try:
            Writer(store, say, stop).run()
        except SystemExit:
            say(ended=1)
            start()

    def start() -> None:
        threads.append(threading.Thread(target=write))
        threads[-1].start()

    for _ in range(THREADS):
        start()
    sys.stdin.read()
    stop.set()
    while threads:
        threads.pop().join()
    pool.close()


if __name__ == "__main__":
    main(sys.argv[1])
