"""Messages, payments and profile changes of the same 100 users from 16 writers, against one wide row a user in place.

The caregivers system kept all of it in one hot row, and split it to halve what its writers waited for each other. Ours
keeps each in a stream of its own, with its whole history; the baseline keeps the newest state alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from typing import Any, Final
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from adapters.bootstrap import Application
from adapters.samples.caregivers.people import caregiver
from benchmarks.append import Call, Shares, all_at_once
from benchmarks.harness import Benchmark, Latency, Pair, Result, Server, Work, pairs, summarise
from domain.access import Actor
from domain.account import RegisterAccount
from domain.billing import ChangeSubscriptionStatus, StartSubscription
from domain.command import Command
from domain.conversation import MessageRole, RecordMessage, StartConversation
from domain.errors import VersionConflict
from domain.profile import CreateProfile, UpdateProfile
from domain.streams import conversation_id, merged_profile_id

USERS: Final = 100
WRITERS: Final = 16
CALLS: Final = 60
"""How many commands each writer issues, message, payment and profile change in turn, about users drawn at random."""

KEPT: Final = 20
"""How many messages the wide row keeps."""

SEED: Final = 7
BASELINE: Final = "UPDATE of one wide row a user in place, one transaction each, a connection for each writer"
_OPERATOR: Final = Actor.operator()
_MESSAGE: Final = f"""
UPDATE wide SET total = total + 1,
    messages = jsonb_path_query_array(messages || %(said)s, '$[last - {KEPT - 1} to last]') WHERE id = %(id)s
"""
_PAYMENT: Final = "UPDATE wide SET status = %(said)s #>> '{0,status}', updated_at = now() WHERE id = %(id)s"
_CHANGE: Final = "UPDATE wide SET doc = doc || (%(said)s -> 0), updated_at = now() WHERE id = %(id)s"
_UPDATES: Final = (_MESSAGE, _PAYMENT, _CHANGE)
"""What a message, a payment and a change of the profile do to a wide row."""


def run(server: Server, runs: int) -> list[Result]:
    """Measure the group."""
    ours: list[Latency] = []
    theirs: list[Latency] = []
    benchmark = Benchmark(
        f"hot_rows.mixed_{WRITERS}",
        "commands/s",
        BASELINE,
        None,
        partial(_side, partial(_streams, server), ours),
        partial(_side, partial(_wide_rows, server), theirs),
    )
    measured = pairs(server, benchmark, runs)
    waits = [Pair(1000 / one.p99, 1000 / other.p99) for one, other in zip(ours, theirs, strict=True)]
    return [
        summarise(benchmark.name, benchmark.unit, BASELINE, None, measured),
        summarise(f"hot_rows.p99_{WRITERS}", "commands/s a writer, at its p99", BASELINE, None, waits),
    ]


@contextmanager
def _side(setup: Callable[[], Any], latencies: list[Latency]) -> Iterator[Work]:
    with setup() as shares:
        yield partial(all_at_once, shares, latencies)


def _shares(users: Sequence[UUID], call: Callable[[int, UUID, int], Call]) -> Shares:
    """Return the calls of each writer: of which kind, about whom, and the number of the call."""
    draw = random.Random(SEED)
    return [
        [call(kind, draw.choice(users), writer * CALLS + turn) for turn, kind in zip(range(CALLS), cycle(range(3)))]
        for writer in range(WRITERS)
    ]


# --- ours -------------------------------------------------------------------------------------------------------------


@contextmanager
def _streams(server: Server) -> Iterator[Shares]:
    with server.database() as name, server.application(name) as app:
        users = [uuid4() for _ in range(USERS)]
        for user in users:
            for command in _opened(user):
                app.dossier.execute(command, actor=_OPERATOR)
        yield _shares(users, lambda kind, user, number: partial(_until_done, app, _command(kind, user, number)))


def _opened(user: UUID) -> list[Command]:
    return [
        RegisterAccount(account_id=user),
        CreateProfile(account_id=user, profile_id=merged_profile_id(user, "caregiver"), kind="caregiver"),
        StartConversation(account_id=user, conversation_id=conversation_id(user)),
        StartSubscription(account_id=user),
    ]


def _command(kind: int, user: UUID, number: int) -> Command:
    match kind:
        case 0:
            return RecordMessage(
                conversation_id=conversation_id(user), role=MessageRole.USER, content=f"message {number}"
            )
        case 1:
            return ChangeSubscriptionStatus(account_id=user, status=("active", "past_due")[number % 2])
        case _:
            profile = merged_profile_id(user, "caregiver")
            return UpdateProfile(profile_id=profile, changes={"burnout_score": number % 101})


def _until_done(app: Application, command: Command) -> None:
    while True:
        try:
            app.dossier.execute(command, actor=_OPERATOR)
        except VersionConflict:  # five others were faster; the time until it is done counts
            continue
        return


# --- the wide row -----------------------------------------------------------------------------------------------------


@contextmanager
def _wide_rows(server: Server) -> Iterator[Shares]:
    with (
        server.database() as name,
        ConnectionPool(server.url(name), min_size=WRITERS, max_size=WRITERS, kwargs={"autocommit": True}) as pool,
    ):
        users = [uuid4() for _ in range(USERS)]
        with pool.connection() as connection:
            _fill(connection, users)
        yield _shares(users, lambda kind, user, number: partial(_update, pool, kind, user, number))


def _fill(connection: Connection[Any], users: Sequence[UUID]) -> None:
    connection.execute(
        "CREATE TABLE wide (id uuid PRIMARY KEY, doc jsonb, messages jsonb, status text, total bigint,"
        " updated_at timestamptz)"
    )
    draw = random.Random(SEED)
    for number, user in enumerate(users):
        document = caregiver(draw, number).user.doc
        messages = document.pop("recentMessages") * KEPT
        connection.execute(
            "INSERT INTO wide VALUES (%s, %s, %s, 'active', 0, now())",
            [user, Jsonb(document), Jsonb(messages[:KEPT])],
        )


def _update(pool: ConnectionPool[Connection[Any]], kind: int, user: UUID, number: int) -> None:
    message = {"role": "user", "content": f"message {number}", "timestamp": number}
    said = (message, {"status": ("active", "past_due")[number % 2]}, {"burnoutScore": number % 101})[kind]
    with pool.connection() as connection:
        connection.execute(_UPDATES[kind].encode(), {"id": user, "said": Jsonb([said])})
