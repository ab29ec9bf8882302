"""Keys, and checkpoints outside the database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.audit.keys import KeyFolder, SigningKey
from adapters.audit.verifier import Checkpoint, Unproven, opened, public_keys
from adapters.bootstrap import Application
from domain.errors import ConfigurationInvalid
from tests.adapters.test_cli import cli, fine, refused
from tests.support.writer import append_some

# The example of the C2SP signed-note specification.
PETERS_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_a_note_of_the_specification_is_opened_and_no_other() -> None:
    keys = public_keys([PETERS_KEY])
    assert opened(PETERS_NOTE, keys).endswith("problem is.\n")
    assert str(keys[0]) == PETERS_KEY
    for wrong in (PETERS_NOTE.replace("answer", "Answer"), PETERS_NOTE + PETERS_NOTE.splitlines()[-1] + "\n", ""):
        with pytest.raises(Unproven):
            opened(wrong, keys)
    with pytest.raises(Unproven):
        opened(PETERS_NOTE, [SigningKey.generate("PeterNeumann").public])


def test_keys_are_private_kept_and_rotated(tmp_path: Path, line: Path) -> None:
    code, error = refused("audit", "checkpoint")
    assert (code, error["code"]) == (3, "configuration_invalid")
    assert "keys generate" in error["hint"]
    first = fine("audit", "keys", "generate", "--name", "example.org/log")["key"]
    assert (line / "private.key").stat().st_mode & 0o777 == 0o600
    assert refused("audit", "keys", "generate")[1]["code"] == "configuration_invalid"
    old = (line / "private.key").read_text()
    second = fine("audit", "keys", "rotate")["key"]
    assert fine("audit", "keys", "export")["keys"] == [first, second]
    assert cli("audit", "keys", "export").out.split() == [first, second]
    assert (line / "private.key").read_text() != old
    assert str(SigningKey.parse(old).public) == first
    assert old.strip() not in repr(SigningKey.parse(old))
    (line / "private.key").chmod(0o640)
    with pytest.raises(ConfigurationInvalid, match="others can read"):
        KeyFolder(line).signing()
    assert KeyFolder(line, old).signing().public == SigningKey.parse(old).public
    for broken in ("", "nonsense", old.replace("example", "exbmple"), old[:-6]):
        with pytest.raises(ConfigurationInvalid) as raised:
            KeyFolder(line, broken).signing()
        assert not broken or broken not in str(raised.value)


def test_a_checkpoint_is_signed_once_a_size_and_refused_for_a_log_that_does_not_go_on(
    app: Application, line: Path, tmp_path: Path
) -> None:
    append_some(app.events, 30)
    assert fine("audit", "verify")["unproven"] == 30  # without keys and checkpoints it compares what there is
    fine("audit", "keys", "generate")
    got = tmp_path / "got"
    script = f"import sys; open({str(got)!r}, 'wb').write(sys.stdin.buffer.read())"
    made = fine("audit", "checkpoint", "--command", f'{sys.executable} -c "{script}"')
    assert (made["written"], made["size"], made["position"]) == (True, 30, app.events.head())
    assert Path(made["file"]).read_text() == got.read_text() == made["note"]
    assert Path(made["file"]).stat().st_mode & 0o777 == 0o600
    checkpoint = Checkpoint.verified(made["note"], KeyFolder(line).known())
    assert (checkpoint.origin, checkpoint.root) == ("dossier", app.audit.tree(30).root())
    assert fine("audit", "checkpoint")["written"] is False
    fine("audit", "keys", "rotate")
    append_some(app.events, 5)
    assert fine("audit", "checkpoint")["size"] == 35
    state = fine("audit", "status")
    assert (state["behind"], state["size"], state["checkpoints"]) == (0, 35, 2)
    append_some(app.events, 1)
    assert refused("audit", "checkpoint", "--command", "false")[1]["field"] == "command"
    assert fine("audit", "checkpoint")["written"] is True
    with app.pool.connection() as connection:
        connection.execute("UPDATE audit.tiles SET hashes = set_byte(hashes, 40, 7) WHERE level = 0")
    append_some(app.events, 1)
    code, error = refused("audit", "checkpoint")
    assert (code, error["code"]) == (1, "proof_failed")
    assert "nothing was signed" in error["message"]


def test_checkpoints_go_on_until_stopped(app: Application, line: Path) -> None:
    fine("audit", "keys", "generate")
    append_some(app.events, 3)
    assert refused("audit", "checkpoint", "--every", "soon")[0] == 2
    program = "from adapters.cli.main import main; main()"
    arguments = [sys.executable, "-c", program, "audit", "checkpoint", "--every", "1s", "--json"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path.cwd())}) as made:
        folder = line / "checkpoints"
        _until(lambda: len(list(folder.glob("*.checkpoint"))) == 1)
        append_some(app.events, 3)
        _until(lambda: len(list(folder.glob("*.checkpoint"))) == 2)
        made.send_signal(signal.SIGTERM)
        assert made.wait(10) == 0
        assert made.stdout is not None
        assert json.JSONDecoder().raw_decode(made.stdout.read().decode())[0]["size"] == 3


def _until(holds: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)
