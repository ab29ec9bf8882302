"""Shadow tables for a rebuild: filled beside the live ones in schemas `next_<model>`, then renamed in.

How far a rebuild is lies beside their positions, so one that was stopped or killed is resumed where it was. The live
tables are put aside by the swap (`put_aside.py`), which waits for no reader.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import repeat
from typing import Final, NamedTuple
from uuid import UUID

import psycopg
from psycopg import errors, sql
from psycopg.types.json import Jsonb

from adapters.errors import translate, translated
from adapters.garbage import rare_collections
from adapters.postgres.collisions import colliding_keys
from adapters.postgres.compare import compare_tables
from adapters.postgres.event_reads import FIRST, LAST
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.grants import copy_grants
from adapters.postgres.helpers import helpers
from adapters.postgres.locks import holding, wait_at_most
from adapters.postgres.pool import Conn
from adapters.postgres.put_aside import PutAside, rename
from adapters.postgres.read_store import POSITIONS, PostgresReadStore, PostgresReadTransaction
from adapters.postgres.readers import guard
from adapters.postgres.schema_migrations import schema_sql
from adapters.postgres.swap_lock import swapping
from domain.account import AccountErased
from domain.errors import NotFound, RowsRefused, RunConflict, SchemaMismatch, StoreBusy
from projections.all import READ_MODELS
from projections.read_model import ReadModel
from projections.rebuild import Comparison, Level, Part

NEXT: Final = "next_"
PART_EVENTS: Final = 10_000
MOST_PARTS: Final = 2_000
INDEXED_AT_ONCE: Final = 3
"""Tables; each takes a connection of the pool, and memory."""

# The server takes a moment to notice that the client of an earlier rebuild was killed.
PATIENCE: Final = "2s"
PATIENCE_WITH_ABORTED: Final = "60s"
# A follower is in the middle of a batch, on a busy machine a long one, or a helper that a killed rebuild left behind in
# the middle of a part: no reason to give a rebuild up.
PATIENCE_WITH_WORKERS: Final = "60s"


_STATE: Final = """
SELECT stage, models, head, aborted, trouble, started_at, updated_at,
    (SELECT coalesce(sum(events), 0)::bigint FROM {parts}),
    (SELECT (sum(events) / extract(epoch FROM greatest(now() - min(begun_at), interval '1 ms')))::float8
     FROM {parts} WHERE done_at > now() - interval '1 min')
FROM {rebuild}
"""


class RebuildState(NamedTuple):
    """How far a rebuild is: its stage, the read models with their versions, events folded of the log up to `head`."""

    stage: str
    models: dict[str, int]
    head: int
    aborted: bool
    trouble: str | None
    started_at: datetime
    updated_at: datetime
    events: int
    rate: float | None


def shadow_store(live: PostgresReadStore) -> PostgresReadStore:
    """Return the store of the shadow tables of a read store."""
    return PostgresReadStore(live.pool, NEXT + live.prefix)


class PostgresShadows:
    """Makes shadows of the tables of a read store.

    `workers` is how many processes may fill them, this one among them.
    """

    def __init__(self, live: PostgresReadStore, events: PostgresEventStore, workers: int | None = None) -> None:
        self._live, self._events = live.patient(PATIENCE_WITH_WORKERS), events
        self._next = shadow_store(live).patient(PATIENCE_WITH_WORKERS)
        self.aside = PutAside(live)
        self._workers = workers or min(os.cpu_count() or 1, 4)

    @property
    def lock(self) -> str:
        """The name of the lock that whoever rebuilds holds."""
        return f"{self._live.schema(POSITIONS)} rebuild"

    @contextmanager
    def begin(self, models: Sequence[ReadModel]) -> Iterator[PostgresShadow]:
        """Begin a rebuild anew; what an unfinished one left is dropped. Raises RunConflict if one is under way."""
        with self._alone(PATIENCE):
            with self._live.locked():
                pass  # which makes the positions where there are none
            self._clear()
            self._note(models)
            yield self.joined(models)

    @contextmanager
    def resume(self) -> Iterator[PostgresShadow]:
        """Go on with an unfinished rebuild; raises NotFound if there is none, RunConflict if it is under way."""
        with self._alone(PATIENCE):
            state = self.state()
            if state is None or state.aborted:
                raise NotFound("no rebuild was left unfinished", hint="`dossier projections rebuild` begins one")
            models = [model for model in READ_MODELS if state.models.get(model.name) == model.version]
            if outdated := state.models.keys() - {model.name for model in models}:
                raise SchemaMismatch(
                    f"the unfinished rebuild is of another version of {', '.join(sorted(outdated))}",
                    hint="begin anew with `dossier projections rebuild`",
                )
            self._guard(models)
            yield self.joined(models)

    def _guard(self, models: Sequence[ReadModel]) -> None:
        """Give finished tables the policies of this release: another one may have made them."""
        with translated(), self._live.pool.connection() as connection:
            finished = self._next.progress(connection)
            guard(self._next, connection, [model for model in models if model.name in finished])

    def abort(self) -> bool:
        """Stop a rebuild wherever it runs and drop its tables; returns whether there was one, and it did not swap."""
        if self.state() is None:
            return False
        flag = sql.SQL("UPDATE {} SET aborted = true").format(self._table("rebuild"))
        gone = suppress(errors.UndefinedTable, errors.InvalidSchemaName)  # it was swapped at this moment
        with translated(), self._live.pool.connection() as connection, gone:
            connection.execute(flag)
        with self._alone(PATIENCE_WITH_ABORTED):
            there = self.state() is not None
            self._clear()
        return there

    def state(self) -> RebuildState | None:
        """Return how far the rebuild is that is under way or was left unfinished."""
        query = sql.SQL(_STATE).format(rebuild=self._table("rebuild"), parts=self._table("parts"))
        with translated(), self._live.pool.connection() as connection:
            try:
                row = connection.execute(query).fetchone()
            except (errors.UndefinedTable, errors.InvalidSchemaName):
                return None
        return RebuildState(*row) if row else None

    def previous(self) -> list[str]:
        """Return the read models whose tables of before a swap are kept."""
        return self.aside.names()

    def drop_previous(self, models: Sequence[ReadModel]) -> list[str]:
        """Drop the tables that earlier swaps put aside and return the names of their read models.

        Raises StoreBusy where somebody still reads some, SchemaMismatch where something that is not ours depends on
        some; all others are dropped.
        """
        return self.aside.drop({model.name for model in models})

    @contextmanager
    def _alone(self, patience: str) -> Iterator[None]:
        conflict = RunConflict("another rebuild is under way", hint="`dossier projections status` tells how far it is")
        with holding(str(self._live.pool.conninfo), "rebuild") as locks:
            locks.wait_for(self.lock, patience, conflict)
            yield

    def joined(self, models: Sequence[ReadModel]) -> PostgresShadow:
        """Return the shadow of a rebuild that was begun, by this process or by the one it helps."""
        return PostgresShadow(self, self._live, self._next, self._events, models, self._workers)

    def _clear(self) -> None:
        if state := self.state():
            with self._next.locked() as connection:
                # Whoever still fills a part ends first, or it would go on in the tables of the next rebuild.
                connection.execute(sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(self._table("parts")))
                for name in (*state.models, POSITIONS):
                    self.aside.discard(connection, self._next.schema(name), name)
        self.aside.drop_older()

    def _note(self, models: Sequence[ReadModel]) -> None:
        """Make the shadow tables, empty, and note what is to be done."""
        head = self._events.head()
        bounds = self._events.quantiles(max(1, min(MOST_PARTS, head // PART_EVENTS)))
        parts = zip([FIRST, *(UUID(int=bound.int + 1) for bound in bounds)], [*bounds, LAST], strict=True)
        with self._next.locked() as connection:
            self._next.make_tables(connection, models)
            self._next.define(connection, POSITIONS, schema_sql("rebuild"))
            connection.execute(
                sql.SQL("INSERT INTO {} (head, stage, models) VALUES (%s, 'begun', %s)").format(self._table("rebuild")),
                [head, Jsonb({model.name: model.version for model in models})],
            )
            connection.cursor().executemany(
                sql.SQL("INSERT INTO {} (number, first, last) VALUES (%s, %s, %s)").format(self._table("parts")),
                [(number, *part) for number, part in enumerate(parts, start=1)],
            )

    def _table(self, name: str) -> sql.Identifier:
        return sql.Identifier(self._next.schema(POSITIONS), name)


class PostgresShadow:
    """The shadow tables of one rebuild; `store` gives them to followers."""

    def __init__(
        self,
        shadows: PostgresShadows,
        live: PostgresReadStore,
        store: PostgresReadStore,
        events: PostgresEventStore,
        models: Sequence[ReadModel],
        workers: int = 1,
    ) -> None:
        self.models, self.live, self.store = models, live, store
        self._shadows, self._events, self._workers = shadows, events, workers
        self._rebuild = sql.Identifier(store.schema(POSITIONS), "rebuild")
        self._parts = sql.Identifier(store.schema(POSITIONS), "parts")

    # --- filling ---------------------------------------------------------------------------------------

    @contextmanager
    def part(self, *, wait: bool = False) -> Iterator[Part | None]:
        """Claim a part nobody works on, which is done when the block is left; None if there is none.

        With `wait` those that others work on are waited for: they are done then, or given back.
        """
        claim = sql.SQL(
            "SELECT number, first, last FROM {} WHERE events IS NULL ORDER BY number LIMIT 1 FOR UPDATE {}"
        ).format(self._parts, sql.SQL("" if wait else "SKIP LOCKED"))
        done = sql.SQL(
            "UPDATE {} SET events = %s, begun_at = now(), done_at = clock_timestamp() WHERE number = %s"
        ).format(self._parts)
        with translated(), self.store.pool.connection() as connection, connection.transaction():
            connection.execute("SET LOCAL synchronous_commit = off")  # if it is lost, so is the note that it is done
            head = self._check_aborted(connection)
            wait_at_most(connection, PATIENCE_WITH_WORKERS)
            try:
                claimed = connection.execute(claim).fetchone()
            except errors.LockNotAvailable:
                raise StoreBusy(
                    "another process still fills a part of the tables",
                    hint="it is one of a rebuild that was killed: end it or wait, then `dossier projections resume`",
                ) from None
            if claimed is None:
                yield None
                return
            number, first, last = claimed
            part = Part(first, last, head, PostgresReadTransaction(self.store, connection))
            with rare_collections():
                yield part
            connection.execute(done, [part.events, number])

    @contextmanager
    def helped(self) -> Iterator[None]:
        """Let further processes fill parts until there are none, where that helps."""
        count = min(self._workers, self._left()) - 1
        registered = all(any(model is known for known in READ_MODELS) for model in self.models)
        with helpers(self, self._events, count if registered else 0):
            yield

    def filled(self) -> tuple[int, int]:
        """Return how many events were folded, and the head of the log the parts go up to."""
        query = sql.SQL("SELECT (SELECT coalesce(sum(events), 0)::bigint FROM {}), head FROM {}")
        with translated(), self.store.pool.connection() as connection:
            row = connection.execute(query.format(self._parts, self._rebuild)).fetchone()
        assert row is not None
        return row[0], row[1]

    def _left(self) -> int:
        query = sql.SQL("SELECT count(*) FROM {} WHERE events IS NULL").format(self._parts)
        with translated(), self.store.pool.connection() as connection:
            row = connection.execute(query).fetchone()
        return int(row[0]) if row else 0

    def enter(self, stage: str) -> None:
        """Note what the rebuild is doing; raises RunConflict if it was aborted meanwhile."""
        note = sql.SQL("UPDATE {} SET stage = %s, trouble = NULL, updated_at = now()").format(self._rebuild)
        with translated(), self.store.pool.connection() as connection:
            self._check_aborted(connection)
            connection.execute(note, [stage])

    def _check_aborted(self, connection: Conn) -> int:
        """Return the head the parts go up to; raises RunConflict if the rebuild was aborted."""
        row = connection.execute(sql.SQL("SELECT head, aborted FROM {}").format(self._rebuild)).fetchone()
        if row is None or row[1]:
            raise RunConflict("the rebuild was aborted", hint="`dossier projections rebuild` begins a new one")
        return int(row[0])

    def complete(self) -> None:
        """Make keys and indexes of the filled tables, gather statistics, note their position.

        Raises RunConflict while a part is not done, RowsRefused where rows of several records break a constraint.
        """
        if unfilled := self._left():
            raise RunConflict(
                f"{unfilled} parts of the tables are not filled", hint="`dossier projections resume` goes on"
            )
        head = self.filled()[1]
        with translated(), self.store.pool.connection() as connection:
            there = self.store.progress(connection)
        left = [model for model in self.models if model.name not in there]
        with ThreadPoolExecutor(min(self._workers, INDEXED_AT_ONCE)) as executor:
            for _ in executor.map(self._complete, left, repeat(head)):
                pass

    def _complete(self, model: ReadModel, head: int) -> None:
        try:
            with self.store.pool.connection() as connection, connection.transaction():
                connection.execute("SET LOCAL maintenance_work_mem = '128MB'; SET LOCAL enable_seqscan = on")
                # The server may still be at an index for an earlier rebuild that was killed.
                wait_at_most(connection, PATIENCE_WITH_WORKERS)
                self.store.make_indexes(connection, [model])
                connection.execute(sql.SQL("ANALYZE {}").format(self.store.table(connection, model).name))
                self.store.place(connection, [model], head)
        except errors.IntegrityError as error:
            raise self._refused(model, str(error.diag.constraint_name)) from error
        except psycopg.Error as error:
            raise translate(error) from error

    def _refused(self, model: ReadModel, constraint: str) -> RowsRefused:
        """Note which records break a constraint together, and return the error that says so."""
        with translated(), self.store.pool.connection() as connection:
            keys = colliding_keys(connection, model, self.store.table(connection, model), constraint)
            records = ", ".join("/".join(map(str, key)) for key in keys)
            trouble = f"{model.name}: rows of several records break {constraint}: {records}"
            connection.execute(sql.SQL("UPDATE {} SET trouble = %s").format(self._rebuild), [trouble])
        return RowsRefused(
            trouble,
            hint="the live tables are as they were; look at `dossier history ID` of each; then install the release that"
            " mends it, or leave the wrong one out (`dossier projections dead-letters skip ID`), and `rebuild` anew",
        )

    # --- comparing and swapping ------------------------------------------------------------------------

    def comparable(self) -> Sequence[ReadModel]:
        """Return the read models whose live tables have been filled, by the same version."""
        with translated(), self.live.pool.connection() as connection:
            live = self.live.progress(connection)
            return [
                model
                for model in self.models
                if model.name in live
                and live[model.name].version == model.version
                and live[model.name].position
                and self.live.table(connection, model).columns == self.store.table(connection, model).columns
            ]

    def compare(self, models: Sequence[ReadModel], level: Level) -> Sequence[Comparison]:
        """Compare live and shadow tables at the same position; the live ones stand still only while `level` runs."""
        with translated(), self.live.pool.connection() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            with self.live.locked() as held:
                progress = self.live.progress(held)
                level({model.name: progress[model.name].position for model in models})
                connection.execute("SELECT 1")  # the snapshot of all that follows
            connection.execute("SET LOCAL enable_seqscan = on; SET LOCAL work_mem = '64MB'")
            return [
                compare_tables(
                    connection,
                    model,
                    progress[model.name].position,
                    self.live.table(connection, model),
                    self.store.table(connection, model),
                )
                for model in models
            ]

    def swap(self, level: Level) -> None:
        """Hold the live followers, call `level`, let the shadows take the live place; what was there is kept.

        Raises RunConflict if the rebuild was aborted meanwhile.
        """
        looked = self._forget(self.store, self.filled()[1])
        with swapping(str(self.live.pool.conninfo)), self.live.locked() as connection:
            live = self.live.progress(connection)
            level({model.name: live[model.name].position for model in self.models if model.name in live})
            self._check_aborted(connection)
            for model in self.models:
                if model.name in live:
                    copy_grants(connection, self.live.schema(model.name), self.store.schema(model.name), model.name)
                    self._shadows.aside.keep(connection, model.name)
                rename(connection, self.store.schema(model.name), self.live.schema(model.name))
            self._move_notes(connection)
        self._forget(self.live, looked)
        self._shadows.aside.drop_older()

    def _forget(self, store: PostgresReadStore, after: int) -> int:
        """Clear dead rows and statistics of who was erased after a position; return how far the log was looked at.

        Their rows are folded anew, like those of the live tables; what was filled before lies about until then.
        """
        head = self._events.head()
        erased = sql.SQL("SELECT FROM {}.stored_events WHERE notification_id > %s AND topic = %s LIMIT 1").format(
            sql.Identifier(self._events.schema)
        )
        with translated(), store.pool.connection() as connection:
            if connection.execute(erased, [after, AccountErased.topic]).fetchone() is not None:
                for model in self.models:
                    connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(store.table(connection, model).name))
        return head

    def _move_notes(self, connection: Conn) -> None:
        """Let positions and dead letters of the shadows take the place of the live ones."""
        here, there = self.store.schema(POSITIONS), self.live.schema(POSITIONS)
        names = [model.name for model in self.models]
        for table in ("positions", "dead_letters"):
            target, source = sql.Identifier(there, table), sql.Identifier(here, table)
            connection.execute(sql.SQL("DELETE FROM {} WHERE read_model = ANY(%s)").format(target), [names])
            connection.execute(sql.SQL("INSERT INTO {} SELECT * FROM {}").format(target, source))
        self._shadows.aside.discard(connection, here, POSITIONS)
