"""The command line, run in this process on a database of its own."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest

from adapters import migration
from adapters.cli.db import without_password
from adapters.cli.main import run
from adapters.cli.output import Output, clean
from domain.streams import imported_id
from projections.all import READ_MODELS

USERS = 60


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def cli(*arguments: object, stdin: str = "") -> Result:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.StringIO(stdin))
        code = run([str(argument) for argument in arguments])
    return Result(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))


def fine(*arguments: object, stdin: str = "") -> Any:
    """Run with --json, demand success and return the document."""
    result = cli(*arguments, "--json", stdin=stdin)
    assert result.code == 0, result
    return result.json


def refused(*arguments: object) -> tuple[int, dict[str, str]]:
    """Run with --json and return exit code and error."""
    result = cli(*arguments, "--json")
    error: dict[str, str] = result.json["error"]
    assert {"code", "message", "hint"} <= error.keys()
    return result.code, error


@pytest.fixture(scope="module", autouse=True)
def _environment(make_database: Any) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("DOSSIER_")]:
            patch.delenv(name)
        patch.setenv("DOSSIER_DATABASE_URL", make_database())
        yield


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "contexts"
    sums = fine("sample", "contexts", "--users", USERS, "--seed", 3, "--out", folder)
    assert sums["users"] == USERS
    return folder


@pytest.fixture(scope="module")
def migrated(source: Path) -> Path:
    """The sample, taken in."""
    fine("db", "init")
    result = cli("migrate", "run", "contexts", "--source", source, "--json")
    assert result.code == 1  # a sample is full of findings
    assert result.json["events"]["appended"] > USERS
    return source


@pytest.fixture(scope="module")
def report(migrated: Path) -> dict[str, Any]:
    result = cli("migrate", "plan", "contexts", "--source", migrated, "--json")
    assert result.json["events"]["appended"] == 0
    found: dict[str, Any] = result.json
    return found


@pytest.fixture
def account(migrated: Path) -> UUID:
    """An account registered live, with a profile."""
    account, profile = uuid4(), uuid4()
    name = "Eve \x1b[2J\u202e\x9b1m"
    fine("execute", "RegisterAccount", "--data", json.dumps({"account_id": str(account), "name": name}))
    created = {
        "account_id": str(account),
        "profile_id": str(profile),
        "kind": "personal",
        "fields": {"location": "Bern"},
    }
    fine("execute", "CreateProfile", "--data", json.dumps(created), "--actor", account)
    return account


def imported_person(report: dict[str, Any]) -> tuple[str, str]:
    """Legacy key of a user whose profile has a conflict on a name, and the profile's field."""
    conflict = next(entry for entry in report["conflicts"] if entry["field"] in ("name", "location"))
    return conflict["bundle"], conflict["field"]


# --- the frame -----------------------------------------------------------------------------------------------------


def test_help_says_what_the_exit_codes_mean() -> None:
    result = cli("--help")
    assert result.code == 0
    assert "Exit codes: 0 fine; 1 findings" in result.out
    assert cli("--version").out.startswith("dossier 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("show", "account", "not-an-id"),
        ("show", "house", str(uuid4())),
        ("show", "account", "legacy:contexts/User"),
        ("show", "account", str(uuid4()), "--known-at", "2026-01-01"),
        ("migrate", "plan", "talentless", "--source", "."),
        ("migrate", "plan", "contexts"),
        ("migrate", "plan", "contexts", "--source", ".", "--report", "report.pdf"),
        ("projections", "rebuild", "nothing"),
        ("schema", "events", "nothing.happened"),
        ("schema", "commands", "Nothing"),
    ],
)
def test_usage_errors_are_2(arguments: tuple[str, ...]) -> None:
    code, error = refused(*arguments)
    assert (code, error["code"]) == (2, "usage")
    plain = cli(*arguments)
    assert plain.code == 2
    assert plain.out == ""
    assert plain.err.startswith("usage: ")


def test_input_errors_are_3(tmp_path: Path, migrated: Path) -> None:
    assert refused("migrate", "plan", "contexts", "--source", tmp_path / "gone")[0] == 3
    code, error = refused("migrate", "run", "contexts", "--source", migrated, "--only", "nobody")
    assert (code, error["field"]) == (3, "only")
    assert refused("execute", "UpdateProfile", "--data", '{"a": 1, "a": 2}')[0] == 3
    assert refused("execute", "UpdateProfile", "--data", "{not json")[0] == 3
    assert refused("execute", "UpdateProfile", "--data", '{"changes": NaN}')[0] == 3
    assert refused("execute", "UpdateProfile", "--data", f"@{tmp_path / 'gone'}")[0] == 3
    assert refused("audit", "export", "--out", migrated / "truth.json" / "below")[0] == 3
    assert refused("audit", "export", "--out", "-")[0] == 2


def test_database_errors_are_3_and_hide_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOSSIER_DATABASE_URL", "postgresql://eve:s3cret@127.0.0.1:1/none")
    for arguments in (("db", "status"), ("db", "init")):
        result = cli(*arguments)
        assert result.code == 3
        assert "store_unavailable" in result.err
        assert "s3cret" not in result.err + result.out
    assert "s3cret" not in cli("db", "url").out
    assert "s3cret" in cli("db", "url", "--show-password").out
    monkeypatch.setenv("DOSSIER_POOL_SIZE", "many")
    assert refused("db", "status") == (
        3,
        {
            "code": "configuration_invalid",
            "message": "not a valid setting: DOSSIER_POOL_SIZE",
            "hint": "see docs/operations.md, “Settings”",
        },
    )


def test_a_surprise_is_one_line_and_a_traceback_only_when_debugging(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr("adapters.cli.db.database_url", broken)
    result = cli("db", "url")
    assert result.code == 3
    assert result.err.splitlines()[0] == "failed: an error inside Dossier: KeyError"
    monkeypatch.setenv("DOSSIER_LOG_LEVEL", "debug")
    with pytest.raises(KeyError):
        cli("db", "url")


def test_clean_leaves_nothing_that_steers_a_terminal() -> None:
    assert clean("a\x1b[2Jb\nc\u202ed\x9b\ud800é") == "a\\x1b[2Jb\\x0ac\\u202ed\\x9b\\ud800é"


# --- db ------------------------------------------------------------------------------------------------------------


def test_db_on_another_server(make_database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOSSIER_DATABASE_URL", make_database("template0"))
    status = fine("db", "status")
    assert (status["database"], status["initialised"], status["supported"]) == ("external", False, True)
    code, error = refused("projections", "status")
    assert (code, error["code"]) == (3, "schema_mismatch")
    assert "db init" in error["hint"]
    assert fine("db", "init")["initialised"]
    assert fine("db", "init")["initialised"]
    assert fine("db", "status")["initialised"]
    assert "nothing to stop" in cli("db", "stop").out
    assert cli("db", "stop", "--quiet") == Result(0, "", "")


def test_db_init_refuses_an_old_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.cli.db.server_version", lambda _: 140_011)
    code, error = refused("db", "init")
    assert (code, error["code"]) == (3, "configuration_invalid")
    assert "14.11" in error["message"]


def test_db_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path(tempfile.mkdtemp(prefix="dossier-cli-"))
    home.chmod(0o755)
    monkeypatch.delenv("DOSSIER_DATABASE_URL")
    monkeypatch.setenv("DOSSIER_HOME", str(home / "data"))
    try:
        assert not fine("db", "status")["running"]
        assert not (home / "data").exists()
        assert cli("db", "stop", "--quiet") == Result(0, "", "")
        assert fine("db", "init")["initialised"]
        assert fine("db", "status")["running"]
        shown, whole = fine("db", "url")["url"], fine("db", "url", "--show-password")["url"]
        assert shown != whole
        assert re.sub(r":[^:@]+@", "@", whole, count=1).split("?")[0] == shown.split("?")[0]
        assert fine("db", "stop") == {"stopped": True}
        assert not fine("db", "status")["running"]
    finally:
        cli("db", "stop")
        shutil.rmtree(home, ignore_errors=True)


def test_without_password() -> None:
    assert without_password("postgresql://a:b@h:5/d?password=x&port=1") == "postgresql://a@h:5/d?port=1"
    assert without_password("host=h user=a password=b dbname=d") == "user=a dbname=d host=h"


# --- sample --------------------------------------------------------------------------------------------------------


def test_sample_takes_the_place_of_a_sample_only(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    fine("sample", "contexts", "--users", 2, "--out", folder)
    fine("sample", "contexts", "--users", 2, "--out", folder, "--layout", "convex")
    assert not (folder / "User.jsonl").exists()
    assert (folder / "User" / "documents.jsonl").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious.txt").write_text("mine")
    assert refused("sample", "contexts", "--out", tmp_path / "other")[0] == 3
    fine("sample", "contexts", "--users", 2, "--out", tmp_path / "other", "--force")
    assert (tmp_path / "other" / "precious.txt").read_text() == "mine"


# --- migrate -------------------------------------------------------------------------------------------------------


def test_migrate_says_what_happened_and_writes_the_report(migrated: Path, tmp_path: Path) -> None:
    result = cli("migrate", "plan", "contexts", "--source", migrated, "--report", tmp_path / "r" / "plan.json")
    assert result.code == 1
    assert "every value is in its place" in result.out
    assert f"The report lies in {tmp_path / 'r' / 'plan.json'}." in result.out
    assert "reconcile: 60 of 60 (100 %)" in result.err
    written = json.loads((tmp_path / "r" / "plan.json").read_bytes())
    assert written["mode"] == "plan"
    assert written["reconcile"]["unexplained"] == 0


def test_migrate_again_verify_and_status(migrated: Path, tmp_path: Path) -> None:
    again = cli("migrate", "run", "contexts", "--source", migrated, "--json")
    assert again.json["events"]["appended"] == 0
    assert again.err == ""
    verified = cli("migrate", "verify", "contexts", "--source", migrated, "--report", tmp_path / "verify.md")
    assert verified.code == 0
    assert (tmp_path / "verify.md").stat().st_mode & 0o777 == 0o600
    status = fine("migrate", "status", "contexts")
    assert len(status["runs"]) == 1
    assert not status["interrupted"]
    assert "migrate verify contexts" in cli("migrate", "status", "contexts", "--source", migrated).out


def test_migrate_only_some(migrated: Path, report: dict[str, Any]) -> None:
    key, _ = imported_person(report)
    arguments = ("migrate", "verify", "contexts", "--source", migrated, "--only")
    by_key = fine(*arguments, key)
    assert by_key["reconcile"]["records"] < report["reconcile"]["records"]
    assert fine(*arguments, f"legacy:contexts/User/{key}")["reconcile"] == by_key["reconcile"]
    account = imported_id("account", "contexts", "User", key)
    assert fine(*arguments, account, "--batch-size", 1)["reconcile"] == by_key["reconcile"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_migrate_stops_cleanly(number: int, code: int, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> None:
        os.kill(os.getpid(), number)
        time.sleep(5)

    before = signal.getsignal(number)
    monkeypatch.setattr(migration, "run", slow)
    result = cli("migrate", "run", "contexts", "--source", migrated)
    assert result.code == code
    assert "resumes where it stopped" in result.out
    assert signal.getsignal(number) is before


# --- projections ---------------------------------------------------------------------------------------------------


def test_projections_rebuild_and_status(migrated: Path) -> None:
    rebuilt = fine("projections", "rebuild")
    assert rebuilt["events"] > USERS
    assert fine("projections", "rebuild", "intents")["models"] == ["intents"]
    status = fine("projections", "status", "--stalled-after", 3_600)
    assert [model["name"] for model in status["read_models"]] == [*(model.name for model in READ_MODELS), "audit_tree"]
    for model in status["read_models"]:
        assert model["version"] == model["wanted_version"]
        assert model["state"] == ("behind" if model["name"] == "audit_tree" else "current")  # nobody has followed yet
        assert model["behind"] == status["head"] - model["position"]
        assert model["seconds_since_update"] >= 0


def test_projections_follow_wakes_up_and_stops_on_sigterm(migrated: Path) -> None:
    command = [sys.executable, "-c", "from adapters.cli.main import main; main()", "projections", "follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        try:
            assert follower.stdout is not None
            assert follower.stdout.readline().startswith("Following from position")
            receipt = fine("execute", "RegisterAccount", "--data", json.dumps({"account_id": str(uuid4())}))
            deadline = time.monotonic() + 10
            status = ("projections", "status", "--stalled-after", 3_600)
            while min(model["position"] for model in fine(*status)["read_models"]) < receipt["position"]:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            follower.send_signal(signal.SIGTERM)
            assert follower.wait(10) == 0
            assert "Stopped at position" in follower.stdout.read()
        finally:
            follower.kill()


# --- show, history, explain ----------------------------------------------------------------------------------------


def test_show_finds_by_uuid_and_by_legacy_id(report: dict[str, Any]) -> None:
    key, field = imported_person(report)
    account = fine("show", "account", f"legacy:contexts/User/{key}")
    assert account["account_id"] == str(imported_id("account", "contexts", "User", key))
    profile = fine("show", "profile", f"legacy:contexts/User/{key}")
    assert profile["profile_id"] == account["active_profile_id"]
    assert [entry["profile_id"] for entry in account["profiles"]] == [profile["profile_id"]]
    assert field in profile["conflicts"]
    assert fine("show", "account", profile["profile_id"])["account_id"] == account["account_id"]
    intent = account["intents"][0]
    assert fine("show", "intent", intent["intent_id"])["context"] == intent["context"]
    result = cli("show", "intent", account["account_id"], "--json")
    if len(account["intents"]) == 1:
        assert result.json["intent_id"] == intent["intent_id"]
    else:
        assert all(entry["intent_id"] in result.json["error"]["hint"] for entry in account["intents"])


def test_conversation_and_billing_of_an_account(account: UUID) -> None:
    def run(command: str, *, actor: UUID | None = account, **data: Any) -> None:
        acting = ("--actor", actor) if actor else ()
        fine("execute", command, "--data", json.dumps(data, default=str), *acting)

    before = fine("show", "account", account)["version"]
    talk, the_account = uuid4(), {"account_id": account}
    run("StartConversation", conversation_id=talk, **the_account)
    run("RecordMessage", conversation_id=talk, role="user", content="hello", sent_at="2026-01-02T00:00:00Z")
    run("RecordMessage", conversation_id=talk, role="user", off_record=True)
    shown = fine("show", "conversation", account, "--actor", account)
    assert (shown["conversation_id"], shown["message_count"], shown["interaction_count"]) == (str(talk), 2, 2)
    assert [(message["content"], message["off_record"]) for message in shown["messages"]] == [
        ("hello", False),
        (None, True),
    ]
    data = json.dumps({**the_account, "status": "active"}, default=str)
    assert refused("execute", "StartSubscription", "--data", data, "--actor", account)[1]["code"] == "access_denied"
    run("StartSubscription", actor=None, **the_account, effective_at="2026-01-02T00:00:00Z")
    run("CancelSubscription", **the_account, effective_at="2026-02-02T00:00:00Z", reason="too dear")
    billing = fine("show", "billing", account, "--actor", account)
    assert billing["status"] == "cancelled"
    then = fine("show", "billing", account, "--as-of", "2026-01-09T00:00:00Z")
    assert (then["status"], then["status_entry"], "due_on" in then) == ("active", 2, False)
    entries = fine("timeline", billing["billing_id"])["entries"]
    assert [(entry["status"], entry["is_active"]) for entry in entries] == [("active", False), ("cancelled", True)]
    owner = fine("show", "account", billing["billing_id"])
    assert (owner["version"], owner["billing"][0]["status"]) == (before, "cancelled")
    assert owner["conversations"] == [{"conversation_id": str(talk), "context": None, "message_count": 2}]


def test_show_what_is_not_there(account: UUID) -> None:
    for arguments in (
        ("show", "account", uuid4()),
        ("show", "account", "legacy:contexts/User/nobody"),
        ("show", "intent", account),
        ("show", "conversation", account),
        ("show", "billing", account),
        ("history", uuid4()),
        ("explain", account, "shoe_size"),
        ("show", "account", account, "--known-at", "0"),
    ):
        code, error = refused(*arguments)
        assert (code, error["code"]) == (1, "not_found")


def test_show_as_it_was_known(account: UUID) -> None:
    profile = fine("show", "profile", account)
    before = profile["position"]
    changes = json.dumps({"profile_id": profile["profile_id"], "changes": {"location": "Lyon"}})
    receipt = fine("execute", "UpdateProfile", "--data", changes, "--actor", account)
    assert fine("show", "profile", account)["fields"] == {"location": "Lyon"}
    assert fine("show", "profile", account, "--known-at", before)["fields"] == {"location": "Bern"}
    assert fine("show", "profile", account, "--known-at", receipt["position"])["fields"] == {"location": "Lyon"}
    then = profile["recorded_at"]
    assert fine("show", "profile", account, "--known-at", then)["fields"] == {"location": "Bern"}
    registered = fine("history", account)["events"][0]
    shown = fine("show", "account", account, "--known-at", registered["recorded_at"])
    assert shown["version"] == 1
    assert shown["profiles"] == []
    assert "intents" not in shown


def test_history_has_the_whole_envelope(account: UUID, report: dict[str, Any]) -> None:
    history = fine("history", account)
    assert history["stream"] == str(account)
    assert [event["version"] for event in history["events"]] == list(range(1, len(history["events"]) + 1))
    first = history["events"][0]
    assert first["topic"] == "account.registered"
    assert first["actor"] == first["recorded_by"] == "operator:local"
    assert first["subject"] == str(account)
    assert first["origin"] == "live"
    message = next(entry for entry in report["findings"] if entry["code"] == "assumed_time")
    snapshot = fine("history", f"legacy:contexts/{message['table']}/{message['id']}")
    assert snapshot["events"]
    assert "account.registered" in cli("history", account).out


def test_explain_names_event_actor_and_legacy_source(report: dict[str, Any]) -> None:
    key, field = imported_person(report)
    conflict = next(entry for entry in report["conflicts"] if entry["bundle"] == key and entry["field"] == field)
    profile = fine("show", "profile", f"legacy:contexts/User/{key}")["profile_id"]
    (found,) = fine("explain", profile, field)["fields"]
    assert found["value"] == conflict["chosen"]
    assert found["event"]["topic"] == "profile.created"
    assert (found["actor"], found["recorded_by"]) == ("legacy-unknown", "import")
    assert found["origin"].startswith("import:")
    table, _, record = conflict["record"].partition("/")
    assert {"table": table, "key": record, "pointer": f"/data/{field}"} in found["sources"]
    assert found["conflict"]["values"] == conflict["values"]
    other = next(value for value in conflict["values"] if value != conflict["chosen"])
    choice = json.dumps({"profile_id": profile, "field": field, "value": other})
    fine("execute", "ResolveConflict", "--data", choice)
    (found,) = fine("explain", profile, field)["fields"]
    assert (found["value"], found["event"]["topic"]) == (other, "profile.conflict_resolved")
    assert (found["actor"], found["origin"], found["sources"]) == ("operator:local", "live", [])
    (name,) = fine("explain", f"legacy:contexts/User/{key}", "name")["fields"]
    assert name["sources"] == [{"table": "User", "key": key, "pointer": "/name"}]


def test_explain_takes_objects_apart(account: UUID) -> None:
    profile = fine("show", "profile", account)["profile_id"]
    for beliefs in ({"diet": "vegan", "faith": "none"}, {"diet": "vegan", "faith": "some"}, {"faith": "some"}):
        fine("execute", "UpdateProfile", "--data", json.dumps({"profile_id": profile, "changes": {"beliefs": beliefs}}))
    found = {entry["field"]: entry for entry in fine("explain", profile, "beliefs")["fields"]}
    assert {name: (entry["value"], entry["event"]["version"]) for name, entry in found.items()} == {
        "beliefs/diet": (None, 4),
        "beliefs/faith": ("some", 3),
    }
    everything = {entry["field"] for entry in fine("explain", profile)["fields"]}
    assert {"location", "kind", "completeness", "archived"} <= everything
    assert "profile.created" in cli("explain", profile).out


def test_control_characters_reach_no_terminal(account: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fine("show", "account", account)["name"] == "Eve \x1b[2J\u202e\x9b1m"
    for arguments in (("show", "account", account), ("history", account), ("explain", account)):
        assert not re.search("[\x1b\x9b\u202e]", cli(*arguments).out)
        assert not re.search("[\x1b\x9b\u202e]", cli(*arguments, "--json").out)
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = cli("show", "account", account).out
    assert "\x1b[1m" in shown
    assert not re.search("\x1b\\[2J|\x9b|\u202e", shown)


# --- who may -------------------------------------------------------------------------------------------------------


def test_reads_take_an_actor(account: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    other = uuid4()
    fine("execute", "RegisterAccount", "--data", json.dumps({"account_id": str(other)}), "--actor", other)
    profile = fine("show", "profile", account)["profile_id"]
    assert fine("show", "profile", profile, "--actor", account)["account_id"] == str(account)
    for actor in (other, uuid4(), profile):
        for arguments in (
            ("show", "profile", profile),
            ("show", "intent", account),
            ("show", "conversation", account),
            ("show", "billing", account),
            ("history", account),
            ("explain", profile, "location"),
            ("history", uuid4()),
            ("show", "account", "legacy:contexts/User/nobody"),
        ):
            result = cli(*arguments, "--actor", actor)
            assert result.code == 1
            assert result.err.startswith("access_denied: ")
            assert result.out == ""
    monkeypatch.setenv("DOSSIER_ACTOR", str(other))
    assert refused("history", account)[1]["code"] == "access_denied"
    assert fine("history", other)["events"]
    monkeypatch.setenv("DOSSIER_ACTOR", "nobody in particular")
    assert refused("history", account)[1]["code"] == "configuration_invalid"


def test_a_deactivated_actor_is_refused(account: UUID) -> None:
    fine("execute", "DeactivateAccount", "--data", json.dumps({"account_id": str(account), "reason": "gone"}))
    assert refused("show", "account", account, "--actor", account)[1]["code"] == "access_denied"
    data = json.dumps({"account_id": str(account), "email": "eve@example.org"})
    assert refused("execute", "ChangeContact", "--data", data, "--actor", account)[1]["code"] == "access_denied"


# --- execute, access, schema ---------------------------------------------------------------------------------------


def test_execute_reads_files_and_standard_input(account: UUID, tmp_path: Path) -> None:
    data = json.dumps({"account_id": str(account), "email": "eve@example.org"})
    (tmp_path / "data.json").write_text(data)
    receipt = fine("execute", "ChangeContact", "--data", f"@{tmp_path / 'data.json'}", "--actor", account)
    assert receipt.keys() == {"stream", "version", "position", "events"}
    assert (receipt["stream"], receipt["events"]) == (str(account), 1)
    assert fine("execute", "ChangeContact", "--data", "-", stdin=data)["events"] == 0
    result = cli("execute", "ChangeContact", "--data", data)
    assert "nothing changed" in result.out
    assert f"Next: `dossier history {account}`" in result.out


def test_execute_has_one_effect_a_command_id(account: UUID) -> None:
    data, command_id = json.dumps({"account_id": str(account), "phone": "1"}), uuid4()
    arguments = ("execute", "ChangeContact", "--command-id", command_id, "--data")
    assert fine(*arguments, data) == fine(*arguments, data)
    code, error = refused(*arguments, data.replace('"1"', '"2"'))
    assert (code, error["code"]) == (1, "command_id_reused")
    code, error = refused("execute", "ChangeContact", "--expected-version", 1, "--data", data.replace('"1"', '"3"'))
    assert (code, error["code"], error["field"]) == (1, "version_conflict", "expected_version")


def test_execute_takes_legacy_ids(report: dict[str, Any]) -> None:
    key, _ = imported_person(report)
    data = json.dumps({"profile_id": f"legacy:contexts/User/{key}", "changes": {"age_range": "55+"}})
    actor = f"legacy:contexts/User/{key}"
    receipt = fine("execute", "UpdateProfile", "--data", data, "--actor", actor)
    assert receipt["stream"] == fine("show", "profile", actor, "--actor", actor)["profile_id"]


@pytest.mark.parametrize(
    ("command", "data", "code", "field"),
    [
        ("Nothing", {}, "invalid_command", "command"),
        ("UpdateProfile", {}, "invalid_command", "profile_id"),
        ("UpdateProfile", {"profile_id": "{account}", "changes": {}}, "not_found", None),
        ("ChangeContact", {"account_id": "{profile}", "name": "x"}, "not_found", None),
        ("UpdateProfile", {"profile_id": "{profile}", "changes": {"height": 1}}, "invalid_command", "changes.height"),
        ("RegisterAccount", {"account_id": "{account}"}, "already_exists", "account_id"),
        ("SwitchActiveProfile", {"account_id": "{account}", "profile_id": "{account}"}, "rule_violated", "profile_id"),
    ],
)
def test_rejections_are_1(account: UUID, command: str, data: dict[str, Any], code: str, field: str | None) -> None:
    profile = fine("show", "profile", account)["profile_id"]
    text = json.dumps(data).replace("{account}", str(account)).replace("{profile}", profile)
    found, error = refused("execute", command, "--data", text)
    assert (found, error["code"], error.get("field")) == (1, code, field)
    plain = cli("execute", command, "--data", text)
    assert plain.code == 1
    assert plain.out == ""
    assert re.match(rf"{code}: .*\nNext: ", plain.err)


def test_bootstrap_admin_works_once(report: dict[str, Any], account: UUID) -> None:
    key, _ = imported_person(report)
    assert fine("access", "bootstrap-admin", f"legacy:contexts/User/{key}")["events"] == 2
    assert fine("show", "account", f"legacy:contexts/User/{key}")["roles"] == ["admin"]
    assert refused("access", "bootstrap-admin", account)[1]["code"] == "rule_violated"
    assert fine("history", account, "--actor", f"legacy:contexts/User/{key}")["events"]


def test_schema_of_commands_and_events() -> None:
    commands = fine("schema", "commands")
    assert {"RegisterAccount", "ReviseIntent", "BootstrapAdmin"} <= commands.keys()
    assert fine("schema", "commands", "UpdateProfile") == commands["UpdateProfile"]
    assert commands["UpdateProfile"]["required"] == ["profile_id", "changes"]
    events = fine("schema", "events")
    assert {"legacy.snapshot_recorded", "migration.run_started", "profile.updated"} <= events.keys()
    updated = json.loads(cli("schema", "events", "profile.updated").out)
    assert (updated["topic"], updated["schema_version"], updated["personal"]) == ("profile.updated", 1, ["changes"])
    assert updated["schema"]["properties"]["changes"]["x-personal"] is True
    assert "UpdateProfile" in cli("schema", "commands").out
    assert "profile.updated" in cli("schema", "events").out


# --- output --------------------------------------------------------------------------------------------------------


def test_progress_on_a_terminal_and_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for forced in (False, True):
        if forced:
            monkeypatch.setenv("FORCE_COLOR", "1")
        err = io.StringIO()
        with redirect_stderr(err), Output().progress() as watch:
            watch("read", 0, 0)
            watch("replay", 1, 2)
            watch("replay", 2, 2)
        assert "replay" in err.getvalue()
        assert ("\x1b" in err.getvalue()) == forced


def test_a_database_url_that_is_none_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOSSIER_DATABASE_URL", "mysql://user:secret@host/db")
    code, error = refused("db", "status")
    assert (code, error["code"]) == (3, "configuration_invalid")
    assert "secret" not in str(error)
