"""Evidence files: what is in them, that any change to one is found, and that they are verified without us."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.audit import verifier
from adapters.audit.archive import Archive
from adapters.audit.cloudevents import cloud_event
from adapters.audit.keys import KeyFolder, SigningKey
from adapters.audit.verifier import MANIFEST, PROOFS, SIGNATURE, PublicKey, Row, Unproven, read_entries, verify
from adapters.bootstrap import Application
from adapters.postgres.audit_log import StoredRow
from adapters.postgres.mapper import canonical_json, encode
from domain.access import Actor, Role
from domain.account import AccountRegistered, GrantRole, RegisterAccount
from domain.errors import StoredEventUnreadable
from domain.event import EventMetadata, NewEvent, personal_fields
from domain.evidence import EvidenceExported
from domain.streams import EVIDENCE_STREAM
from tests.adapters.test_cli import cli, fine, refused
from tests.support.application import application_at
from tests.support.examples import EVENTS, METADATA, STREAM_ID
from tests.support.sealing import MASTER_TEXT, SUBJECT_KEY
from tests.support.writer import append_some

GOLDEN = Path(__file__).parent / "evidence.v1.zip"
GOLDEN_KEY = SigningKey.parse("PRIVATE+KEY+example.org/log+98af023b+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f")
NASTY = (
    '=cmd|"/c calc"!A1',
    "+1",
    "-1",
    "@SUM(1)",
    " =1",
    "\t=1",
    "'quoted",
    "a\r\n=b",
    "\u202e=1",
    'x,"data":1',
    "\uff1d1",
)
Flip = Callable[[int], Path]


@pytest.fixture(scope="module")
def app(make_database: Any) -> Iterator[Application]:
    with application_at(make_database()) as opened:
        yield opened


@pytest.fixture(scope="module")
def keys(app: Application, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[PublicKey]]:
    """The public key of a log with an import, a gap, and events by actors a spreadsheet might stumble over."""
    folder = tmp_path_factory.mktemp("audit")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("DOSSIER_")]:
            patch.delenv(name)
        patch.setenv("DOSSIER_DATABASE_URL", str(app.pool.conninfo))
        patch.setenv("DOSSIER_MASTER_KEY", MASTER_TEXT)
        patch.setenv("DOSSIER_AUDIT_HOME", str(folder))
        fine("sample", "contexts", "--users", 12, "--seed", 3, "--out", folder / "export")
        assert cli("migrate", "run", "contexts", "--source", folder / "export", "--json").code == 1
        by = [replace(METADATA, actor=actor, origin="live", provenance=None) for actor in NASTY]
        app.events.append_bulk([NewEvent(uuid4(), 1, AccountRegistered(name="Eve"), metadata) for metadata in by])
        append_some(app.events, 3)
        with app.pool.connection() as connection:
            connection.execute("SELECT nextval(pg_get_serial_sequence('store.stored_events', 'notification_id'))")
        append_some(app.events, 3)
        fine("audit", "keys", "generate", "--name", "example.org/log")
        yield KeyFolder(folder).known()


@pytest.fixture(scope="module")
def whole(app: Application, keys: list[PublicKey], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("evidence") / "all.zip"
    fine("audit", "export", "--out", path)
    return path


def events_of(path: Path) -> list[dict[str, Any]]:
    with zipfile.ZipFile(path) as opened:
        return [json.loads(line) for line in opened.read("events.jsonl").splitlines()]


def test_an_untouched_file_verifies_and_says_what_is_in_it(
    app: Application, keys: list[PublicKey], whole: Path
) -> None:
    found = verify(whole, keys)
    events = events_of(whole)
    stored = list(app.audit.rows(0, found.checkpoint.position))
    assert found.complete
    assert any(json.loads(event.get("personal", "{}")).get("name") for event in events)
    assert [event["id"] for event in events] == [str(row.position) for row in stored]
    assert (found.manifest["events"], found.manifest["filters"]) == (len(stored), {})
    assert (found.checkpoint.size, found.checkpoint.root) == (len(stored), app.audit.tree(len(stored)).root())
    assert whole.stat().st_mode & 0o777 == 0o600
    assert list(whole.parent.iterdir()) == [whole]
    for event, row in zip(events, stored, strict=True):
        body = json.loads(row.body)
        assert (event["specversion"], event["source"]) == ("1.0", f"/dossier/{UUID(bytes=row.stream)}")
        assert (event["time"], event["recordedtime"]) == (body["meta"]["occurred_at"], body["meta"]["recorded_at"])
        assert (int(event["sequence"]), event["authid"]) == (row.position, body["meta"]["actor"])
        assert event["data"] == body["data"]
        assert event.get("sealed") == body.get("sealed")
        assert ("personal" in event) == ("sealed" in event)
        assert all(name.isalnum() and name.islower() for name in event)
        assert all(isinstance(value, str | int) for name, value in event.items() if name != "data")


def test_csv_holds_the_same_and_no_cell_becomes_a_formula(keys: list[PublicKey], whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    fine("audit", "export", "--out", path, "--format", "csv", "--position-to", events_of(whole)[-1]["id"])
    assert verify(path, keys).complete
    with zipfile.ZipFile(path) as opened:
        text = opened.read("events.csv").decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert {row["authid"].removeprefix("'") for row in rows} >= set(NASTY)
    for row, event in zip(rows, events_of(whole), strict=True):
        assert json.loads(row["data"]) == event["data"]
        for cell in row.values():
            assert cell.lstrip()[:1] not in tuple("=+-@|%\uff1d\uff0b\uff0d\uff20")
            assert cell[:1] not in tuple("\t\r\n")


@pytest.mark.parametrize("topic", EVENTS)
def test_every_event_is_put_together_again_from_its_row(topic: str) -> None:
    event, subject = EVENTS[topic], METADATA.subject
    assert subject
    by_others = EventMetadata(METADATA.occurred_at, METADATA.recorded_at, NASTY[0], "import")
    for metadata, key in ((METADATA, None), (by_others, None), (METADATA, SUBJECT_KEY)):
        body = encode(NewEvent(STREAM_ID, 1, event, metadata), key)
        stored = StoredRow(7, STREAM_ID.bytes, 1, topic.encode(), body)
        for keys in ({subject: key}, {subject: None}, None):
            said, data = cloud_event(stored, keys)
            assert Row(said, data).leaf() == stored.leaf()
            values = json.loads(data) | json.loads(str(said.get("personal", "{}")))
            if key is None or keys == {subject: key}:
                assert values == json.loads(canonical_json(event))
                assert "provenance" in said or metadata is by_others
            elif keys:
                assert {name for name in values if values[name] == {"erased": True}} == personal_fields(type(event))
                assert "provenance" not in said


def test_a_body_not_of_our_form_is_named() -> None:
    good = encode(NewEvent(STREAM_ID, 1, EVENTS["account.role_granted"], METADATA))
    for body in (
        b"",
        b"{}",
        good[:-1],
        good.replace(b'"v":1', b'"v":01'),
        good.replace(b'"meta"', b'"mate"'),
        good + b" ",
    ):
        with pytest.raises(StoredEventUnreadable, match="position 7"):
            cloud_event(StoredRow(7, STREAM_ID.bytes, 3, b"account.role_granted", body))


@pytest.mark.parametrize(
    ("options", "holds"),
    [
        (("--topic", "profile.created", "--topic", "case.opened"), lambda e: e["type"] == "profile.created"),
        (("--actor", NASTY[0]), lambda e: e["authid"] == NASTY[0]),
        (("--subject", METADATA.subject), lambda e: e.get("subject") == str(METADATA.subject)),
        (("--position-from", 5, "--position-to", 9), lambda e: 5 <= int(e["id"]) <= 9),
        (("--from", "2024-01-01T00:00Z"), lambda e: e["time"] >= "2024"),
        (("--to", "2024-01-01T00:00Z"), lambda e: e["time"] < "2024"),
        (("--system", "live"), lambda e: e["origin"] == "live"),
        (("--system", "contexts"), lambda e: e["origin"] != "live"),
    ],
)
def test_a_selection_is_proven_too(
    keys: list[PublicKey], whole: Path, tmp_path: Path, options: tuple[object, ...], holds: Callable[[Any], bool]
) -> None:
    path, last = tmp_path / "some.zip", int(events_of(whole)[-1]["id"])
    fine("audit", "export", "--out", path, *options)
    found = verify(path, keys)
    expected = [event for event in events_of(whole) if holds(event)]
    assert [event for event in events_of(path) if int(event["id"]) <= last] == expected
    ranks = [rank for rank, event in enumerate(events_of(whole)) if event in expected]
    assert found.complete == (ranks[-1] - ranks[0] == len(ranks) - 1)


def test_each_export_is_an_event_and_names_the_one_before(
    app: Application, keys: list[PublicKey], tmp_path: Path
) -> None:
    auditor, person = uuid4(), uuid4()
    for account in (auditor, person):
        app.dossier.execute(RegisterAccount(account_id=account), actor=Actor.of_account(account))
    app.dossier.execute(GrantRole(account_id=auditor, role=Role.AUDITOR), actor=Actor.operator())
    before = app.dossier.store.load([EVIDENCE_STREAM])[EVIDENCE_STREAM]
    made = fine("audit", "export", "--out", tmp_path / "one.zip", "--as", auditor, "--topic", "profile.updated")
    recorded = app.dossier.store.load([EVIDENCE_STREAM])[EVIDENCE_STREAM][len(before) :]
    assert [(event.position, event.metadata.actor) for event in recorded] == [
        (made["recorded_at_position"], str(auditor))
    ]
    event = recorded[0].event
    assert isinstance(event, EvidenceExported)
    assert (str(event.export_id), event.filters) == (made["export_id"], {"topic": ["profile.updated"]})
    with zipfile.ZipFile(tmp_path / "one.zip") as opened:
        assert sha256(opened.read(MANIFEST)).hexdigest() == event.manifest_digest
    after = fine("audit", "export", "--out", tmp_path / "two.zip", "--as", auditor, "--position-to", 1)
    assert after["previous"] == {
        "export_id": made["export_id"],
        "manifest_digest": event.manifest_digest,
        "position": made["recorded_at_position"],
    }
    for command in (("export", "--out", tmp_path / "three.zip"), ("verify",)):
        code, error = refused("audit", *command, "--as", person)
        assert (code, error["code"]) == (1, "access_denied")
    assert not (tmp_path / "three.zip").exists()


def test_an_export_that_another_overtook_names_that_one(
    app: Application, keys: list[PublicKey], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtaken: list[Any] = []

    def late(self: Archive) -> None:
        finish(self)
        if not overtaken:
            overtaken.append({})
            overtaken.append(fine("audit", "export", "--out", tmp_path / "other.zip", "--position-to", 1))

    finish = Archive.finish
    monkeypatch.setattr(Archive, "finish", late)
    made = fine("audit", "export", "--out", tmp_path / "one.zip", "--position-to", 1)
    assert made["previous"]["export_id"] == overtaken[1]["export_id"]
    assert verify(tmp_path / "one.zip", keys).manifest["previous"] == made["previous"]


def test_live_writes_go_on_and_nothing_is_left_out(app: Application, keys: list[PublicKey], tmp_path: Path) -> None:
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            append_some(app.events, 5)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        found = [
            verify(Path(fine("audit", "export", "--out", tmp_path / f"{number}.zip")["file"]), keys)
            for number in range(2)
        ]
    finally:
        done.set()
        for writer in writers:
            writer.join()
    for one in found:
        assert one.complete
        assert one.manifest["events"] == one.checkpoint.size == len(list(app.audit.rows(0, one.checkpoint.position)))


def test_what_was_altered_is_not_exported(app: Application, keys: list[PublicKey], whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "some.zip"
    path.write_text("the old one")
    flip = "UPDATE store.stored_events SET state = set_byte(state, 9, get_byte(state, 9) # 1) WHERE notification_id = 3"
    with app.pool.connection() as connection:
        connection.execute("ALTER TABLE store.stored_events DISABLE TRIGGER USER")
        connection.execute(flip)
        code, error = refused("audit", "export", "--out", path)
        found = cli("audit", "verify", "--json")
        connection.execute(flip)
        connection.execute("ALTER TABLE store.stored_events ENABLE TRIGGER USER")
    assert (code, error["code"]) == (1, "proof_failed")
    assert found.code == 1
    assert [(f["code"], f["first"]) for f in found.json["findings"]] == [("changed", 3)]
    assert path.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [path]
    assert fine("audit", "verify")["proven"] is True


# --- what must not verify ------------------------------------------------------------------------------------------


def fails(path: Path, keys: list[PublicKey] | None = None) -> str:
    with pytest.raises(Unproven) as raised:
        verify(path, keys or [GOLDEN_KEY.public])
    return str(raised.value)


def flipped(folder: Path, bit: int) -> Path:
    """Write the golden file with one bit the other way."""
    altered = bytearray(GOLDEN.read_bytes())
    altered[bit // 8] ^= 1 << bit % 8
    path = folder / "flipped.zip"
    path.write_bytes(altered)
    return path


def test_the_golden_file_verifies_for_good() -> None:
    found = verify(GOLDEN, [GOLDEN_KEY.public])
    assert (found.complete, found.manifest["events"]) == (True, 3)


@settings(max_examples=100)
@given(st.integers(0, GOLDEN.stat().st_size * 8 - 1 if GOLDEN.exists() else 0))
def test_no_bit_can_be_flipped(tmp_path_factory: pytest.TempPathFactory, bit: int) -> None:
    assert fails(flipped(Path(tmp_path_factory.getbasetemp()), bit))


@pytest.mark.soak
def test_not_one_of_all_bits_can_be_flipped(tmp_path: Path) -> None:
    for bit in range(GOLDEN.stat().st_size * 8):
        assert fails(flipped(tmp_path, bit)), bit


def test_nothing_can_be_cut_added_or_signed_by_others(tmp_path: Path) -> None:
    path, data = tmp_path / "altered.zip", GOLDEN.read_bytes()
    for altered in (b"", data[:100], data[:-1], data + b"\0", b"PK" + data, data[: len(data) // 2]):
        path.write_bytes(altered)
        assert fails(path)
    assert "signature" in fails(GOLDEN, [SigningKey.generate("example.org/log").public])


def resigned(folder: Path, change: Callable[[dict[str, bytes]], None], key: SigningKey = GOLDEN_KEY) -> Path:
    """Write the golden file with other contents, the manifest signed anew: what somebody with the key could do."""
    with zipfile.ZipFile(GOLDEN) as opened:
        parts = {name: opened.read(name) for name in opened.namelist()}
    change(parts)
    path = folder / "resigned.zip"
    with path.open("w+b") as file:
        archive = Archive(file)
        for name in ("events.jsonl", PROOFS):
            archive.add(name, parts[name])
        manifest = json.loads(parts[MANIFEST])
        manifest["files"] = {entry.name: {"sha256": entry.sha256, "size": entry.size} for entry in archive.entries}
        text = verifier.canonical(manifest).encode()
        archive.add(MANIFEST, text)
        archive.add(SIGNATURE, key.sign(verifier.signed_text(text)).encode())
        archive.finish()
    return path


def _altered(name: str, old: bytes, new: bytes) -> Callable[[dict[str, bytes]], None]:
    def change(parts: dict[str, bytes]) -> None:
        assert old in parts[name]
        parts[name] = parts[name].replace(old, new, 1)

    return change


def _without(at: int) -> Callable[[dict[str, bytes]], None]:
    def change(parts: dict[str, bytes]) -> None:
        for name in ("events.jsonl", PROOFS):
            lines = parts[name].splitlines(keepends=True)
            parts[name] = b"".join(lines[:at] + lines[at + 1 :])

    return change


def test_not_even_the_key_makes_an_event_part_of_the_log(tmp_path: Path) -> None:
    assert verify(resigned(tmp_path, lambda parts: None), [GOLDEN_KEY.public]).complete
    changes = {
        "data": _altered("events.jsonl", b'"role":"auditor"', b'"role":"support"'),
        "sealed": _altered("events.jsonl", b'"sealed":"', b'"sealed":"AAAA'),
        "no longer sealed": _altered("events.jsonl", b'"sealed":', b'"sealet":'),
        "actor": _altered("events.jsonl", b'"authid":"', b'"authid":"x'),
        "kind of actor": _altered("events.jsonl", b'"authtype":"app_user"', b'"authtype":"unknown"'),
        "a version that is true": _altered("events.jsonl", b'"streamversion":1', b'"streamversion":true'),
        "position": _altered("events.jsonl", b'"id":"1"', b'"id":"2"'),
        "index": _altered(PROOFS, b'"index":1', b'"index":2'),
        "an event left out": _without(1),
        "filters": _altered(MANIFEST, b'"filters":{}', b'"filters":{"topic":["x"]}'),
        "count": _altered(MANIFEST, b'"events":3', b'"events":4'),
        "root": _altered(MANIFEST, b'"root":"', b'"root":"0'),
        "checkpoint": _altered(MANIFEST, b"position 3", b"position 4"),
        "spaces": _altered("events.jsonl", b'"specversion":', b'"specversion": '),
        "not JSON": _altered("events.jsonl", b'{"specversion"', b"{specversion"),
    }
    for name, change in changes.items():
        assert fails(resigned(tmp_path, change)), name


# --- without us ----------------------------------------------------------------------------------------------------


def test_the_verifier_stands_alone(tmp_path: Path) -> None:
    script = shutil.copy(verifier.__file__, tmp_path / "verify.py")
    program = (
        "import runpy, sys; sys.argv = sys.argv[1:]\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally:\n    import json; ours = {'adapters', 'domain', 'projections', 'psycopg', 'pydantic', 'orjson'}\n"
        "    assert not ours & {name.partition('.')[0] for name in sys.modules}\n"
    )
    environment = {"PATH": os.environ["PATH"]}
    for file, code in ((GOLDEN, 0), (flipped(tmp_path, 12_345), 1)):
        done = subprocess.run(
            [sys.executable, "-I", "-c", program, script, str(file), "--key", str(GOLDEN_KEY.public)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert ("NOT PROVEN" in done.stderr) == bool(code)


def test_the_command_line_verifies_a_file_without_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOSSIER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    found = fine("audit", "verify", GOLDEN, "--key", GOLDEN_KEY.public)
    assert (found["proven"], found["complete"], found["events"]) == (True, True, 3)
    key_file = tmp_path / "public.keys"
    key_file.write_text(f"{SigningKey.generate('other').public}\n{GOLDEN_KEY.public}\n")
    assert cli("audit", "verify", GOLDEN, "--key", key_file).code == 0
    assert refused("audit", "verify", flipped(tmp_path, 99), "--key", key_file)[0] == 1
    assert refused("audit", "verify", GOLDEN, "--key", "nonsense+key")[0] == 2
    assert len(read_entries(GOLDEN)) == 4


def test_the_vectors_of_the_documentation_are_those_of_the_golden_file() -> None:
    text = (Path(__file__).parents[3] / "docs" / "audit-format.md").read_text()
    with zipfile.ZipFile(GOLDEN) as opened:
        events, manifest = opened.read("events.jsonl").splitlines(), opened.read(MANIFEST)
    assert str(GOLDEN_KEY.public) in text
    assert sha256(manifest).hexdigest() in text
    assert json.loads(manifest)["tree"]["root"] in text
    leaves = []
    for line in events:
        head, _, data = line.partition(b',"data":')
        leaves.append(Row(json.loads(head + b"}"), data[:-1]).leaf().hex())
    assert ", ".join(f"`{leaf}`" for leaf in leaves) in text
    body = next(line.strip() for line in text.splitlines() if line.startswith('    {"data":')).encode()
    stream = UUID(json.loads(events[2])["source"].removeprefix("/dossier/"))
    assert verifier.leaf_hash(stream.bytes, 3, 3, b"account.role_granted", body).hex() == leaves[2]
