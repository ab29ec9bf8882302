"""The keys of subjects on PostgreSQL, with a bounded cache that no erasure can be hidden from.

Every read of events brings the number of erasures there were with it, in the same statement. Where it differs from the
one the cached keys belong to they are forgotten, so a key that another process erased opens nothing that is read later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from threading import Lock
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import Connection, sql
from psycopg_pool import ConnectionPool

from adapters.errors import translated
from adapters.postgres.groups import Asked, Group, Groups
from adapters.postgres.mapper import Keys
from adapters.sealing import MasterKeys, SubjectKey, new_key
from domain.errors import RuleViolated

CACHED: Final = 10_000
REWRAPPED: Final = 1_000

_Wanted = Asked[Sequence[UUID]]
"""The people whose keys somebody waits for."""

Known = dict[UUID, SubjectKey | None]
"""Keys by subject; None for one who was erased."""


class KeyCounts(NamedTuple):
    """People who have a key, people who were erased, and keys that another master key than the newest wraps."""

    people: int
    erased: int
    under_another_master_key: int


class SubjectKeys:
    """The table `subject_keys` of a store. Thread-safe."""

    def __init__(
        self, pool: ConnectionPool[Connection[tuple[Any, ...]]], schema: str, master: MasterKeys, cached: int = CACHED
    ) -> None:
        self._pool, self.master, self._most = pool, master, cached
        self._cache: OrderedDict[UUID, SubjectKey] = OrderedDict()
        self._epoch = -1
        self._lock = Lock()
        self._fits = False
        self._groups: Groups[_Wanted, Known] = Groups(self._make, self._make)
        name = sql.Identifier(schema)
        self._select = sql.SQL(
            "SELECT subject, wrapped, (SELECT erasures FROM {0}.key_epoch) FROM {0}.subject_keys"
            " WHERE subject = ANY(%b)"
        ).format(name)
        self._insert = sql.SQL(
            "INSERT INTO {}.subject_keys (subject, wrapped) SELECT * FROM unnest(%b::uuid[], %b::bytea[])"
            " ON CONFLICT DO NOTHING RETURNING subject, (SELECT erasures FROM {}.key_epoch)"
        ).format(name, name)
        self._any = sql.SQL("SELECT subject, wrapped FROM {}.subject_keys WHERE wrapped IS NOT NULL LIMIT 1").format(
            name
        )
        self._count = sql.SQL(
            "SELECT count(wrapped), count(erased_at), count(*) FILTER (WHERE substr(wrapped, 1, 8) <> %s)"
            " FROM {}.subject_keys"
        ).format(name)
        self._older = sql.SQL(
            "SELECT subject, wrapped FROM {}.subject_keys WHERE wrapped IS NOT NULL AND substr(wrapped, 1, 8) <> %s"
            " LIMIT %s FOR UPDATE"
        ).format(name)
        self._rewrap = sql.SQL(
            "UPDATE {}.subject_keys AS k SET wrapped = n.wrapped"
            " FROM unnest(%b::uuid[], %b::bytea[]) AS n (subject, wrapped) WHERE k.subject = n.subject"
        ).format(name)

    def for_reading(self, subjects: Collection[UUID], epoch: int) -> Keys:
        """Return the keys of these subjects, to open events that were read when there had been `epoch` erasures."""
        self.see(epoch)
        with self._lock:
            found = self._cached(subjects)
        missing = [subject for subject in subjects if subject not in found]
        return found | self._fetched(missing) if missing else found

    def for_writing(self, subjects: Collection[UUID]) -> dict[UUID, SubjectKey]:
        """Return the keys of these subjects, made where there are none yet; raises RuleViolated for an erased one."""
        known = self._made(subjects)
        keys = {subject: key for subject, key in known.items() if key is not None}
        if len(keys) < len(known):
            raise erased_person()
        return keys

    def for_importing(self, subjects: Collection[UUID]) -> dict[UUID, SubjectKey]:
        """Return what `for_writing` does; of an erased person a key that nobody keeps.

        An import may hold something about them amid a record about others: it reads as erased from the first.
        """
        return {subject: key or SubjectKey(new_key()) for subject, key in self._made(subjects).items()}

    def _made(self, subjects: Collection[UUID]) -> Known:
        """Return the keys of these subjects, made where there are none yet, before anything is sealed with them."""
        with self._lock:
            known = self._cached(subjects)
        missing = [subject for subject in subjects if subject not in known]
        return known | self._groups.submit(Asked(missing)) if missing else known

    def _make(self, group: Group[_Wanted]) -> list[Known | Exception]:
        """Read the keys a group of threads wants, and make those that are not there, in one statement each."""
        wanted = dict.fromkeys(subject for request in group.requests for subject in request.of)
        known = self._fetched(list(wanted))
        if new := {subject: new_key() for subject in wanted if subject not in known}:
            wrapped = [self.master.wrap(subject, key) for subject, key in new.items()]
            with translated(), self._pool.connection() as connection:
                self._check_master(connection)
                made = connection.execute(self._insert, [list(new), wrapped]).fetchall()
            ours = {subject: SubjectKey(new[subject]) for subject, _ in made}
            known |= ours
            if made:
                self._remember(ours, made[0][1])
            if len(made) < len(new):  # another process was first
                known |= self._fetched([subject for subject in new if subject not in known])
        return [{subject: known[subject] for subject in request.of} for request in group.requests]

    def see(self, epoch: int) -> None:
        """Take note of the number of erasures there were: keys held from before the last one are forgotten."""
        with self._lock:
            if epoch > self._epoch:
                self._cache.clear()
                self._epoch = epoch

    def for_checking(self, subject: UUID) -> SubjectKey | None:
        """Return the key of a subject as it is now, None where there is none, or none any more."""
        return self._fetched([subject]).get(subject)

    def erased(self, subjects: Collection[UUID]) -> frozenset[UUID]:
        """Return which of these subjects were erased."""
        return frozenset(subject for subject, key in self._fetched(list(subjects)).items() if key is None)

    def counts(self) -> KeyCounts:
        """Return how many keys there are, how many were erased, and how many wait to be wrapped anew."""
        with translated(), self._pool.connection() as connection:
            row = connection.execute(self._count, [self.master.newest]).fetchone()
        return KeyCounts(*row) if row else KeyCounts(0, 0, 0)

    def rewrap(self) -> int:
        """Wrap every key anew that is not under the newest master key, a batch at a time; returns how many."""
        done = 0
        while True:
            with translated(), self._pool.connection() as connection, connection.transaction():
                rows = connection.execute(self._older, [self.master.newest, REWRAPPED]).fetchall()
                fresh = [self.master.wrap(subject, self.master.unwrap(subject, wrapped)) for subject, wrapped in rows]
                connection.execute(self._rewrap, [[subject for subject, _ in rows], fresh])
            if not rows:
                return done
            done += len(rows)

    def _check_master(self, connection: Connection[tuple[Any, ...]]) -> None:
        """Raise ConfigurationInvalid if the keys that are there are wrapped by another master key than ours."""
        if not self._fits:
            for subject, wrapped in connection.execute(self._any):
                self.master.unwrap(subject, wrapped)
            self._fits = True

    def _fetched(self, subjects: Collection[UUID]) -> Known:
        """Read keys, and remember those that are there."""
        with translated(), self._pool.connection() as connection:
            rows = connection.cursor(binary=True).execute(self._select, [list(subjects)], prepare=True).fetchall()
        found = {
            subject: None if wrapped is None else SubjectKey(self.master.unwrap(subject, wrapped))
            for subject, wrapped, _ in rows
        }
        if rows:
            self._remember({subject: key for subject, key in found.items() if key is not None}, rows[0][2])
        return found

    def _remember(self, keys: Mapping[UUID, SubjectKey], epoch: int) -> None:
        """Keep keys that were there when there had been `epoch` erasures, unless there were more since."""
        self.see(epoch)
        with self._lock:
            if epoch == self._epoch:
                self._cache.update(keys)
            while len(self._cache) > self._most:
                self._cache.popitem(last=False)

    def _cached(self, subjects: Collection[UUID]) -> Known:
        found: Known = {}
        for subject in subjects:
            if subject in self._cache:
                self._cache.move_to_end(subject)
                found[subject] = self._cache[subject]
        return found


def erased_person() -> RuleViolated:
    """Return the error for whatever would hold something about a person again who was erased."""
    return RuleViolated("the person was erased: nothing about them is recorded any more", field="account_id")
