"""Events for people: who, when, why, what changed; nothing in them steers the terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from adapters.bootstrap import Application
from domain.access import Actor
from domain.account import AccountRegistered, ChangeContact, ContactChanged, GrantRole, RegisterAccount
from domain.event import Change, EventMetadata, NewEvent
from tests.adapters.test_cli import cli, fine, refused
from tests.support.examples import METADATA

ROOT = Path(__file__).parents[3]
NASTY = "Eve \x1b[2J\x1b]0;x\x07\u202e\u2066\u061c\x9b1m\r\nand a line\U000e0041"
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def caused(
    by: UUID | None, command: UUID, of: UUID, *, correlation: UUID, actor: str = "operator:local"
) -> EventMetadata:
    return EventMetadata(NOW, NOW, actor, actor, of, command, correlation, by or command)


def test_a_history_tells_what_changed_from_what_to_what(app: Application, line: Path) -> None:
    account = uuid4()
    person, operator = Actor.of_account(account), Actor.operator()
    app.dossier.execute(RegisterAccount(account_id=account, name="Ada"), actor=person)
    app.dossier.execute(ChangeContact(account_id=account, name="Ada L.", phone="1"), actor=operator)
    shown = cli("history", account).out
    assert f"{account}  live" in shown
    assert "operator:local  live" in shown
    assert "name: unset → Ada\n" in shown
    assert "name: Ada → Ada L.\n" in shown
    assert "phone: unset → 1\n" in shown
    events = fine("history", account)["events"]
    assert events[1]["changed"]["name"] == {"old": "Ada", "new": "Ada L."}
    assert f"command {events[1]['command_id']}" in shown


def test_what_a_command_caused_stands_under_it(app: Application, line: Path) -> None:
    one, other, third = (uuid4() for _ in range(3))
    commands = [uuid4() for _ in range(3)]
    metadata = [caused(None, commands[0], one, correlation=commands[0])]
    metadata.append(caused(commands[0], commands[1], other, correlation=commands[0]))
    metadata.append(caused(commands[1], commands[2], third, correlation=commands[0], actor="worker"))
    registered = [
        NewEvent(of, 1, AccountRegistered(), of_command)
        for of, of_command in zip((one, other, third), metadata, strict=True)
    ]
    app.events.append_bulk([registered[0], registered[1], registered[2]])
    lines = cli("audit", "log").out.splitlines()
    assert [text for text in lines if "2026-03-04" in text] == [
        "2026-03-04 05:06:07Z  operator:local  live",
        "└─ 2026-03-04 05:06:07Z  operator:local  live",
        "   └─ 2026-03-04 05:06:07Z  worker  live",
    ]
    assert any(f"command {commands[2]}, part of {commands[0]}, caused by {commands[1]}" in text for text in lines)
    # Alone on its page it still names what caused it.
    assert f"caused by {commands[1]}" in cli("audit", "log", "--limit", 1).out


@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_in_the_data_steers_the_terminal(
    app: Application, line: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    account = uuid4()
    metadata = replace(METADATA, actor=NASTY, recorded_by=NASTY, subject=account, provenance=None)
    changed = ContactChanged(changes={NASTY: Change(old=NASTY, new=[NASTY])})
    app.events.append_bulk(
        [NewEvent(account, 1, AccountRegistered(name=NASTY), metadata), NewEvent(account, 2, changed, metadata)]
    )
    for command in (("audit", "log"), ("audit", "log", "--json")):
        shown = cli(*command).out
        for ours in (
            "\x1b[0m",
            "\x1b[1m",
            "\x1b[2m",
            "\x1b[1;36m",
            "\x1b[36m",
            "\x1b[32m",
            "\x1b[33m",
            "\x1b[31m",
            "\x1b[35m",
        ):
            shown = shown.replace(ours, "") if terminal else shown
        assert not set(shown) & set("\x1b\x07\u202e\u2066\u061c\x9b\r\U000e0041")
        assert "and a line" in shown
        if "--json" in command:
            assert json.loads(shown)["events"][0]["actor"] == NASTY


def test_the_log_is_filtered_and_read_from_its_end(app: Application, line: Path) -> None:
    accounts = [uuid4() for _ in range(6)]
    for account in accounts:
        app.dossier.execute(RegisterAccount(account_id=account, name="x"), actor=Actor.of_account(account))
    auditor = accounts[0]
    app.dossier.execute(GrantRole(account_id=auditor, role="auditor"), actor=Actor.operator())

    def positions(*options: object) -> list[int]:
        return [event["position"] for event in fine("audit", "log", *options)["events"]]

    assert positions() == [1, 2, 3, 4, 5, 6, 7]
    assert positions("--limit", 2) == [6, 7]
    assert positions("--limit", 0) == []
    assert positions("--subject", accounts[2]) == [3]
    assert positions("--actor", accounts[3], "--as", auditor) == [4]
    assert positions("--topic", "account.registered", "--position-from", 2, "--position-to", 4, "--limit", 2) == [3, 4]
    assert positions("--system", "live", "--to", "2001-01-01T00:00Z") == []
    assert refused("audit", "log", "--as", accounts[1])[1]["code"] == "access_denied"
    assert refused("audit", "log", "--topic", "nothing.known")[0] == 2


def test_following_goes_on_until_stopped(app: Application, line: Path) -> None:
    program = "from adapters.cli.main import main; main()"
    account = uuid4()
    app.dossier.execute(RegisterAccount(account_id=account, name="first"), actor=Actor.operator())
    with subprocess.Popen(
        [sys.executable, "-c", program, "audit", "log", "--follow"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as shown:
        assert shown.stdout is not None
        while "first" not in shown.stdout.readline():
            pass
        app.dossier.execute(ChangeContact(account_id=account, name="second"), actor=Actor.operator())
        while "name: first → second" not in shown.stdout.readline():
            pass
        shown.send_signal(signal.SIGTERM)
        assert shown.wait(10) == 0
