"""Proofs that a checkpoint is continued by another: made from the tree, verified without it, and no other accepted."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from adapters.audit import verifier
from adapters.audit.merkle import Tree, grow
from adapters.audit.verifier import MANIFEST, Checkpoint, Row, Unproven, consistency_text, verify_consistency
from adapters.bootstrap import Application
from tests.adapters.audit.test_evidence import GOLDEN as EVIDENCE
from tests.adapters.audit.test_evidence import GOLDEN_KEY
from tests.adapters.test_cli import cli, fine, refused
from tests.support.writer import append_some

GOLDEN = Path(__file__).parent / "consistency.v1.json"
BITS = GOLDEN.stat().st_size * 8


def golden_tree(size: int) -> Tree:
    """Return the tree of the first events of the golden evidence file."""
    with zipfile.ZipFile(EVIDENCE) as opened:
        parts = [line.partition(b',"data":') for line in opened.read("events.jsonl").splitlines()]
    leaves = [Row(json.loads(head + b"}"), data[:-1]).leaf() for head, _, data in parts]
    tiles = {(tile.level, tile.number): tile.hashes for tile in grow(0, leaves, lambda *_: b"")}
    return Tree(size, lambda level, number: tiles.get((level, number), b""))


def test_the_golden_proof_verifies_for_good_and_is_the_vector_of_the_documentation(tmp_path: Path) -> None:
    found = verify_consistency(GOLDEN, [GOLDEN_KEY.public])
    assert (found.earlier.size, found.earlier.root) == (2, golden_tree(2).root())
    assert (found.later.size, found.later.root) == (3, golden_tree(3).root())
    with zipfile.ZipFile(EVIDENCE) as opened:
        later = json.loads(opened.read(MANIFEST))["checkpoint"]
    (hash_,) = golden_tree(3).consistency(2)
    assert GOLDEN.read_text() == consistency_text(GOLDEN_KEY.sign(found.earlier.text()), later, [hash_])
    text = (Path(__file__).parents[3] / "docs" / "audit-format.md").read_text()
    assert found.earlier.root.hex() in text
    assert json.loads(GOLDEN.read_text())["proof"] in text
    assert verifier.main([str(GOLDEN), "--key", str(GOLDEN_KEY.public)]) == 0


@pytest.mark.parametrize("step", [23, pytest.param(1, marks=pytest.mark.soak)])
def test_no_bit_can_be_flipped(tmp_path: Path, step: int) -> None:
    path = tmp_path / "flipped.json"
    for bit in range(0, BITS, step):
        altered = bytearray(GOLDEN.read_bytes())
        altered[bit // 8] ^= 1 << bit % 8
        path.write_bytes(altered)
        with pytest.raises(Unproven):
            verify_consistency(path, [GOLDEN_KEY.public])


def test_signed_checkpoints_that_do_not_continue_each_other_are_no_proof(tmp_path: Path) -> None:
    path, found = tmp_path / "proof.json", verify_consistency(GOLDEN, [GOLDEN_KEY.public])
    earlier, later, proof = found.earlier, found.later, golden_tree(3).consistency(2)

    def fails(earlier: Checkpoint, later: Checkpoint, proof: list[bytes]) -> str:
        path.write_text(consistency_text(GOLDEN_KEY.sign(earlier.text()), GOLDEN_KEY.sign(later.text()), proof))
        with pytest.raises(Unproven) as raised:
            verify_consistency(path, [GOLDEN_KEY.public])
        return str(raised.value)

    fork = earlier._replace(root=golden_tree(1).root())
    for wrong in ((fork, later, proof), (earlier, later, []), (earlier, later, [*proof, proof[0]])):
        assert "does not begin with" in fails(*wrong)
    assert "does not begin with" in fails(later, earlier, proof)
    for text in ("", "{}", "[]", GOLDEN.read_text() + " ", GOLDEN.read_text().replace(":", ": ", 1)):
        path.write_text(text)
        with pytest.raises(Unproven):
            verify_consistency(path, [GOLDEN_KEY.public])


def test_any_two_checkpoints_are_proven_on_the_command_line(app: Application, line: Path, tmp_path: Path) -> None:
    append_some(app.events, 5)
    fine("audit", "keys", "generate", "--name", "example.org/log")
    files = []
    for count in (5, 300, 3):
        append_some(app.events, count)
        files.append(fine("audit", "checkpoint")["file"])
    fine("audit", "keys", "rotate")  # what the old key signed stays proven
    path = tmp_path / "proof.json"
    for earlier, later in ((10, 310), (files[1], 313), (313, files[2])):
        made = fine("audit", "consistency", earlier, later, "--out", path)
        proven = fine("audit", "verify", path)
        assert (made["proven"], made["later"]) == (True, proven["later"])
        assert path.stat().st_mode & 0o777 == 0o600
    assert "begins with the 310" in cli("audit", "consistency", 310, 313).out
    assert refused("audit", "consistency", 313, 10)[0] == 2
    assert refused("audit", "consistency", 10, 11)[1]["field"] == "checkpoint"
    with app.pool.connection() as connection:
        connection.execute("UPDATE audit.tiles SET hashes = set_byte(hashes, 9, 7) WHERE level = 0 AND number = 1")
    code, error = refused("audit", "consistency", 10, 313, "--out", tmp_path / "none.json")
    assert (code, error["code"]) == (1, "proof_failed")
    assert not (tmp_path / "none.json").exists()
