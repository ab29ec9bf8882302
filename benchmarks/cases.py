"""How long reading cases takes, where there are 100,000 with ten changes of status each.

The events are what the case itself decides, for 500 courses of statuses; every case takes one of them. They go in
through bulk append, and a rebuild makes the read models of them. One reader asks, over the pool of the application, for
something else each time. There is nothing to pair a run with: the baseline is the limit of the legacy team's plan.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from adapters.bootstrap import Application
from adapters.postgres.case_queries import CaseFilters, Within
from adapters.postgres.mapper import encode
from benchmarks.harness import Latency, Pair, Result, Server, latency, summarise
from benchmarks.workload import EventRow, batches
from domain.access import Actor
from domain.case import CASE, CaseOpened, ChangeCaseStatus
from domain.collective import CollectiveOpened
from domain.company import CompanyRegistered
from domain.event import DomainEvent, EventMetadata, NewEvent
from domain.status_catalogue import CASE_CODES, SEEDED

CASES: Final = 100_000
CHANGES: Final = 10
COURSES: Final = 500
COMPANIES: Final = 400
COLLECTIVES: Final = 2_000
QUERIES: Final = 2_000
WARMING: Final = 100
"""Queries that are not measured: connections are made and tables are read for the first time."""

PAGE: Final = 50
LIMIT_MS: Final = 200.0
AIM_MS: Final = 5.0
SEED: Final = 20261
CODES: Final = tuple(code for code, status in SEEDED.items() if status.catalogue == CASE_CODES)
_BEGIN: Final = datetime(2022, 1, 3, 12, tzinfo=UTC)

Query = Callable[[], object]


def run(server: Server, runs: int) -> list[Result]:
    """Measure the group: of each kind of query the slowest but one in a hundred, and the middle one."""
    with server.database() as name, server.application(name) as app:
        world = World(app)
        world.fill(CASES)
        found: dict[str, list[Latency]] = {kind: [] for kind in world.kinds}
        for number in range(1, runs + 1):
            for kind, measured in found.items():
                measured.append(latency(server, world.queries(kind, QUERIES)))
                p50, p99 = measured[-1]
                print(f"cases.{kind}  {number}/{runs}  p50 {p50:.2f} ms, p99 {p99:.2f} ms", flush=True)
    return [result for kind, measured in found.items() for result in results(kind, measured)]


def results(kind: str, measured: list[Latency]) -> list[Result]:
    """Return what latencies say, as rates against the limit of the plan: the shorter, the higher."""
    limit = f"the legacy team's plan: {LIMIT_MS:g} ms a query at most"
    aim = f"{limit}; the aim is {AIM_MS:g} ms, a ratio of {LIMIT_MS / AIM_MS:g}"
    planned = 1000 / LIMIT_MS
    slow = [Pair(1000 / of_run.p99, planned) for of_run in measured]
    middle = [Pair(1000 / of_run.p50, planned) for of_run in measured]
    return [
        summarise(f"cases.{kind}_p99", "queries/s at p99", aim, 1.0, slow),
        summarise(f"cases.{kind}_p50", "queries/s at p50", limit, None, middle),
    ]


class World:
    """Companies, their collective processes and cases, and what is asked about them."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._rng = random.Random(SEED)
        self._queries = app.cases(Actor.operator())
        self._companies = self._ids(COMPANIES)
        self._cases: list[UUID] = []
        self.kinds: dict[str, Callable[[], Query]] = {
            "by_status_and_company": self._by_status_and_company,
            "by_status": self._by_status,
            "timeline": self._timeline,
        }

    def fill(self, cases: int) -> None:
        """Append the events of so many cases, and make the read models."""
        self._cases = self._ids(cases)
        for batch in batches(list(self._rows())):
            self._app.events.append_rows(batch)
        self._app.rebuild()

    def queries(self, kind: str, count: int) -> list[Query]:
        """Return queries of a kind to be asked, after as many others as it takes to warm up."""
        for _ in range(WARMING):
            self.kinds[kind]()()
        return [self.kinds[kind]() for _ in range(count)]

    # --- what is asked -----------------------------------------------------------------------------------------------

    def _by_status_and_company(self) -> Query:
        filters = CaseFilters(status=self._rng.choice(CODES), is_current=True)
        return partial(self._queries.page, filters, PAGE, Within([self._rng.choice(self._companies)]))

    def _by_status(self) -> Query:
        return partial(self._queries.page, CaseFilters(status=self._rng.choice(CODES)), PAGE)

    def _timeline(self) -> Query:
        return partial(self._queries.timeline, self._rng.choice(self._cases))

    # --- what there is -----------------------------------------------------------------------------------------------

    def _rows(self) -> Iterator[EventRow]:
        rng = self._rng
        for number, company in enumerate(self._companies):
            yield _row(company, 1, CompanyRegistered(fields={"name": f"Company {number}"}))
        collectives = self._ids(COLLECTIVES)
        for number, collective in enumerate(collectives):
            opened = CollectiveOpened(company_id=rng.choice(self._companies), reference_number=f"R-{number}")
            yield _row(collective, 1, opened)
        courses = [_course(rng) for _ in range(COURSES)]
        persons = self._ids(len(self._cases) // 2 + 1)
        for number, case in enumerate(self._cases):
            together = rng.random() < 0.25
            yield _row(
                case,
                1,
                CaseOpened(
                    person_id=rng.choice(persons),
                    company_id=None if together else rng.choice(self._companies),
                    collective_id=rng.choice(collectives) if together else None,
                    fields={"passport_id": f"P{number:07}", "deadline_date": "2026-03-01"},
                    is_current=rng.random() < 0.8,
                ),
            )
            for version, (topic, body) in enumerate(rng.choice(courses), start=2):
                yield case, version, topic, body

    def _ids(self, count: int) -> list[UUID]:
        return [UUID(int=self._rng.getrandbits(128), version=4) for _ in range(count)]


def _course(rng: random.Random) -> list[tuple[str, bytes]]:
    """Return topics and bodies of the events of one course: frequent statuses and rare ones, some with notes."""
    case = UUID(int=rng.getrandbits(128), version=4)
    state, at = CASE.fold([CaseOpened(fields={})]), _BEGIN + timedelta(hours=rng.randrange(20_000))
    events: list[DomainEvent] = []
    weights = [1 / place for place in range(1, len(CODES) + 1)]
    for _ in range(CHANGES):
        at += timedelta(hours=rng.randrange(1, 1_000))
        status = rng.choices(CODES, weights)[0]
        notes = "the office asked for the original of it" if rng.random() < 0.3 else None
        decided = CASE.decide(state, ChangeCaseStatus(case_id=case, status=status, effective_at=at, notes=notes))
        state = CASE.fold(decided, state)
        events += decided
    return [(event.topic, _body(case, number, event, at)) for number, event in enumerate(events, start=2)]


def _row(stream: UUID, version: int, event: DomainEvent) -> EventRow:
    return stream, version, event.topic, _body(stream, version, event, _BEGIN)


def _body(stream: UUID, version: int, event: DomainEvent, at: datetime) -> bytes:
    occurred: datetime = getattr(event, "effective_at", at)
    metadata = EventMetadata(
        occurred_at=occurred, recorded_at=occurred, actor="operator:bench", recorded_by="operator:bench"
    )
    return encode(NewEvent(stream, version, event, metadata))
