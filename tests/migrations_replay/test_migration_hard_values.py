"""Migrations of the contexts system, on PostgreSQL: values that databases find hard."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from adapters.bootstrap import Application
from adapters.migration import Migration, plan, run, verify, write_report
from domain.contexts import Context
from migrations_replay.leaves import CLASSES
from projections import legacy_ids
from tests.support.application import watch
from tests.support.legacy import blob, context, user, write_export
from tests.support.reports import is_green

_contexts = partial(Migration.of, "contexts")


def test_numbers_texts_and_keys_survive_the_tables(new_app: Callable[[], Application], tmp_path: Path) -> None:
    numbers = [
        *(0, -0.0, 1.0, 1e19, 1.2345678901234567e18, 9.223372036854775e18, 1e300, 1.5e300, 5e-324, 2.5e-308),
        *(
            2**63 - 1,
            -(2**63),
            2**53 + 1,
            0.1,
            1e22,
            1e23,
            123456789012345680.0,
            True,
            False,
            -1e19,
            1.8446744073709552e19,
        ),
    ]
    long = random.Random(1).randbytes(60_000).hex()
    odd_keys = {"": 1, "a/b": {"~": 1}, "é🌻": 1, "key": {"old": 1, "new": 2}, "erased": True, "\u2028": "\\u0000"}
    source = write_export(
        tmp_path,
        User=[user("u1", email=f"{long}@x", name="\u202e🌻" * 50), user(" u\u00a0\n", name="x\ty")],
        ContextProfile=[context("c1"), context("c" + "x" * 450, userId=" u\u00a0\n")],
        Profile=[
            blob("c1", {"beliefs": {f"n{n}": value for n, value in enumerate(numbers)}, "lifestyle": odd_keys}),
            blob(
                "c" + "x" * 450, {"location": long, "coreValues": [long, '"', "\\", "{}"], "beliefs": {"erased": True}}
            ),
        ],
    )
    app = new_app()
    report = run(app, _contexts(source), watch)
    assert report["differences"] == []
    assert is_green(report)
    assert report["leaves"]["mapped"] + report["leaves"]["normalised"] == report["leaves"]["total"]
    assert is_green(verify(app, _contexts(source), watch))


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "\\ud800", "name": "x"}',
        '{"id": "u1\\u0000", "name": "x"}',
        '{"id": "%s"}' % ("k" * 3000),
        '{"id": "u1", "createdAt": "0001-01-01T00:00:00Z", "updatedAt": "9999-12-31T23:59:59.999999Z"}',
        '{"id": "u1", "x": 1e400, "email": NaN, "name": {"a": -Infinity}}',
        '{"id": 1e400}',
        "null",
        '"\\ud800"',
        '{"id": "u1", "%s": 1}' % ("k" * 5000),
    ],
)
def test_a_strange_line_stops_neither_the_run_nor_its_report(
    new_app: Callable[[], Application], tmp_path: Path, line: str
) -> None:
    app, source = new_app(), write_export(tmp_path / "source", User=[line, user("good")])
    for act in (plan, run, run, verify):
        report = act(app, _contexts(source), watch)
        assert is_green(report)
        assert report["leaves"]["total"] == sum(report["leaves"][name] for name in CLASSES)
        for name in ("r.json", "r.md"):
            write_report(report, tmp_path / name)
    assert app.reads.fetch(legacy_ids.MODEL, key="good")


def test_a_blob_of_texts_that_hold_poison_as_json(new_app: Callable[[], Application], tmp_path: Path) -> None:
    """What a text hides when it is opened must not get past the checks of its line."""
    poison = [
        '["a\\u0000"]',
        '["\\ud800"]',
        '{"a": {"b": 1, "b": 2}}',
        '{"a": "\\u0000"}',
        '{"\\udfff": 1}',
        '{"a": 1e400}',
    ]
    kinds = list(Context)
    source = write_export(
        tmp_path / "source",
        User=[user()],
        ContextProfile=[context(f"c{n}", kinds[n % 5], day=n + 1) for n in range(len(poison))],
        Profile=[blob(f"c{n}", {"coreValues": text, "beliefs": text}) for n, text in enumerate(poison)],
    )
    app = new_app()
    report = run(app, _contexts(source), watch)
    assert is_green(report)
    assert report["leaves"]["unreadable"] == 2 * len(poison)
    write_report(report, tmp_path / "r.json")


def test_true_is_not_one(new_app: Callable[[], Application], tmp_path: Path) -> None:
    app = new_app()
    profile = blob("c1", {"beliefs": {"flag": True}})
    source = write_export(tmp_path, User=[user("u1")], ContextProfile=[context("c1")], Profile=[profile])
    run(app, _contexts(source), watch)
    with app.pool.connection() as connection:
        connection.execute("UPDATE profiles.profiles SET fields = jsonb_set(fields, '{beliefs,flag}', '1')")
    assert [entry["pointer"] for entry in verify(app, _contexts(source), watch)["differences"]] == [
        "/data/beliefs/flag"
    ]
