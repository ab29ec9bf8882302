"""Migrations of the contexts system, on PostgreSQL: what an export may be, and what cannot be read."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapters.bootstrap import Application
from adapters.legacy import json_lines
from adapters.legacy.json_lines import open_export
from adapters.migration import Migration, plan, run, run_status, verify, write_report
from adapters.samples.contexts import write_sample
from domain.errors import InputUnreadable, NotFound
from migrations_replay.bundle import BundleIndex
from migrations_replay.systems.contexts import SYSTEM
from projections import accounts
from tests.support.application import schemas_of, watch
from tests.support.legacy import blob, write_export
from tests.support.reports import is_green

_contexts = partial(Migration.of, "contexts")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    write_sample(folder, 20, 4)
    return folder


def _zip(path: Path, folder: Path, *, under: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, under + str(file.relative_to(folder)))
    return path


def test_the_layout_of_the_export_does_not_matter(
    small: Path, new_app: Callable[[], Application], tmp_path: Path
) -> None:
    write_sample(tmp_path / "convex", 20, 4, layout="convex")
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in small.glob("*.jsonl"):
        content = file.read_bytes()
        (flat / file.name).write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n").removesuffix(b"\r\n"))
    sources = {
        tmp_path / "convex": "convex_export",
        _zip(tmp_path / "convex.zip", tmp_path / "convex"): "zip",
        _zip(tmp_path / "flat.zip", small): None,
        flat: None,
    }
    app = new_app()
    wanted = plan(app, _contexts(small), watch)
    assert is_green(wanted)
    assert wanted["source"]["kind"] == "json_lines"
    for source, kind in sources.items():
        found = plan(app, _contexts(source), watch)
        if kind:
            assert found["source"]["kind"] == kind
        for part in ("snapshots", "leaves", "conflicts", "unmapped", "findings", "reconcile", "events"):
            assert found[part] == wanted[part], (source, part)


def test_a_selection_of_roots(small: Path, new_app: Callable[[], Application]) -> None:
    app = new_app()
    with open_export(small) as source:
        index = BundleIndex(source, SYSTEM)
        bundle = next(bundle for bundle in index if bundle.root.table == "User" and bundle.of("Profile"))
        other = next(found for found in index if found.root.table == "User" and found.root.key != bundle.root.key)
        profile = bundle.of("Profile")[0].key
    names = (bundle.root.key, f"legacy:contexts/Profile/{profile}", f"legacy:contexts/User/{bundle.root.key}")
    for name in names:
        report = run(app, _contexts(small, only=(name,)), watch)
        assert is_green(report)
        rows = app.reads.fetch(accounts.MODEL)
        assert len(rows) == 1
    account = str(rows[0]["account_id"])
    assert is_green(verify(app, _contexts(small, only=(account, *names)), watch))
    run(app, _contexts(small, only=(other.root.key,)), watch)
    assert len(app.reads.fetch(accounts.MODEL)) == 2
    head = app.events.head()
    for unknown in ("nobody", "legacy:contexts/User/nobody", "legacy:talent/User/x", str(uuid4()), "legacy:contexts/"):
        with pytest.raises(NotFound) as error:
            run(app, _contexts(small, only=(unknown,)), watch)
        assert error.value.field == "only"
    assert app.events.head() == head
    assert is_green(run(app, _contexts(small), watch))


def test_a_system_nobody_knows(small: Path) -> None:
    with pytest.raises(NotFound) as error:
        Migration.of("context", small)
    assert error.value.field == "system"


def test_an_export_of_empty_tables(new_app: Callable[[], Application], tmp_path: Path) -> None:
    app = new_app()
    (tmp_path / "User.jsonl").touch()
    (tmp_path / "Profile.jsonl").write_text("\n \n\t\n")
    for act in (plan, run, verify):
        report = act(app, _contexts(tmp_path), watch)
        assert is_green(report)
        assert report["leaves"]["total"] == 0
    assert app.events.head() == 0
    assert run_status(app, "contexts") == []


@pytest.mark.parametrize("act", [plan, run, verify])
def test_an_export_that_cannot_be_read_at_all(
    new_app: Callable[[], Application], tmp_path: Path, small: Path, act: Any
) -> None:
    app = new_app()
    schemas = schemas_of(app)
    empty, rootless, not_a_zip, broken = (tmp_path / name for name in ("empty", "rootless", "x.zip", "broken.zip"))
    empty.mkdir()
    write_export(rootless, Profile=[blob("c1")])
    not_a_zip.write_bytes(b"PK\x05\x06 no")
    whole = _zip(tmp_path / "whole.zip", small).read_bytes()
    broken.write_bytes(whole[:200] + bytes(200) + whole[400:])
    climbing = tmp_path / "climbing.zip"
    with zipfile.ZipFile(climbing, "w") as archive:
        archive.writestr("../User.jsonl", "{}")
        archive.writestr("/User.jsonl", "{}")
    folder_only = tmp_path / "tables.zip"
    with zipfile.ZipFile(folder_only, "w") as archive:
        archive.writestr("_tables/documents.jsonl", "{}")
    for source in (tmp_path / "nowhere", empty, rootless, not_a_zip, broken, climbing, folder_only):
        with pytest.raises(InputUnreadable) as error:
            act(app, _contexts(source), watch)
        assert error.value.field == "source", source
    assert (app.events.head(), schemas_of(app)) == (0, schemas)


def test_a_zip_that_would_grow_beyond_measure(
    new_app: Callable[[], Application], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, bomb, unpacked = new_app(), tmp_path / "bomb.zip", tmp_path / "unpacked"
    unpacked.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(unpacked))
    monkeypatch.setattr(json_lines, "SMALL", 1_000_000)
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("User/documents.jsonl", b" " * 20_000_000)
    with pytest.raises(InputUnreadable, match="20000000 bytes"):
        run(app, _contexts(bomb), watch)
    monkeypatch.setattr(json_lines, "MAX_UNPACKED", 1000)
    large = tmp_path / "large.zip"
    with zipfile.ZipFile(large, "w") as archive:
        archive.writestr("User/documents.jsonl", random.Random(1).randbytes(1001))
    with pytest.raises(InputUnreadable):
        run(app, _contexts(large), watch)
    assert list(unpacked.iterdir()) == []


def test_a_zip_that_lies_about_its_size(new_app: Callable[[], Application], tmp_path: Path) -> None:
    bomb = tmp_path / "liar.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("User/documents.jsonl", b" " * 20_000_000)
    raw = bomb.read_bytes().replace((20_000_000).to_bytes(4, "little"), (2_000).to_bytes(4, "little"))
    bomb.write_bytes(raw)
    with pytest.raises(InputUnreadable):
        run(new_app(), _contexts(bomb), watch)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(new_app: Callable[[], Application], tmp_path: Path, small: Path) -> None:
    shutil.copytree(small, tmp_path, dirs_exist_ok=True)
    (tmp_path / "User.jsonl").chmod(0)
    with pytest.raises(InputUnreadable):
        run(new_app(), _contexts(tmp_path), watch)


def test_a_report_is_json_or_markdown(tmp_path: Path) -> None:
    with pytest.raises(InputUnreadable) as error:
        write_report({}, tmp_path / "report.html")
    assert error.value.field == "report"
