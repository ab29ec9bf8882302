"""Every stored shape of every event, byte for byte. What once stood in a log must be readable for ever.

A golden file, `tests/golden/<topic>.v<schema version>.json`, holds the body as it was stored. Old versions stay when
a type moves on, so that its upcasters are tested against what was really written.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from adapters.postgres.mapper import decode, encode
from domain.event import EVENT_TYPES, NewEvent, personal_fields
from tests.support.examples import EVENTS, METADATA, STREAM_ID

GOLDEN = Path(__file__).parents[1] / "golden"
CATALOGUE = Path(__file__).parents[2] / "docs" / "events.md"
WRITE = "DOSSIER_WRITE_GOLDEN"
TOPICS = sorted(topic for topic in EVENT_TYPES if not topic.startswith("test."))


def _path(topic: str) -> Path:
    return GOLDEN / f"{topic}.v{EVENT_TYPES[topic].schema_version}.json"


def _golden(topic: str) -> bytes:
    """Return what stands in the golden file; writes it if it is asked for and there is none."""
    path = _path(topic)
    if not path.exists():
        if not os.environ.get(WRITE):
            pytest.fail(
                f"no golden file tests/golden/{path.name}: add an example of {topic} to tests/support/examples.py, run"
                f" `{WRITE}=1 .venv/bin/python -m pytest tests/adapters/test_golden.py`, and commit what it wrote."
                " It writes files that are missing and never changes one that is there."
            )
        path.parent.mkdir(exist_ok=True)
        with path.open("xb") as file:
            file.write(encode(NewEvent(STREAM_ID, 1, EVENTS[topic], METADATA)))
    return path.read_bytes()


def test_there_is_an_example_of_every_event() -> None:
    assert sorted(EVENTS) == TOPICS


@pytest.mark.parametrize("topic", TOPICS)
def test_the_event_catalogue_names_every_event_as_it_is_stored(topic: str) -> None:
    event_type = EVENT_TYPES[topic]
    personal = personal_fields(event_type)
    payload = ", ".join(f"**{name}**" if name in personal else name for name in event_type.model_fields)
    row = f"| `{topic}` | {event_type.schema_version} | {payload} |"
    assert [line for line in CATALOGUE.read_text().splitlines() if line.startswith(row)], f"docs/events.md: {row}"


@pytest.mark.parametrize("topic", TOPICS)
def test_an_event_is_stored_with_exactly_these_bytes(topic: str) -> None:
    golden = _golden(topic)
    assert encode(NewEvent(STREAM_ID, 1, EVENTS[topic], METADATA)) == golden, (
        f"{topic} is stored in another form than before: bump its schema_version, register an upcaster from the old"
        " version, and keep this golden file"
    )


@pytest.mark.parametrize("topic", TOPICS)
def test_a_stored_event_reads_back(topic: str) -> None:
    read = decode(STREAM_ID, 1, 9, topic, _golden(topic))
    assert read.event == EVENTS[topic]
    assert type(read.event) is EVENT_TYPES[topic]
    assert read.metadata == METADATA
    assert (read.stream, read.version, read.position, read.topic) == (STREAM_ID, 1, 9, topic)
    assert encode(NewEvent(STREAM_ID, 1, read.event, read.metadata)) == _golden(topic)


def test_every_golden_file_is_still_readable() -> None:
    """Also those of versions that are no longer written."""
    files = sorted(GOLDEN.glob("*.json"))
    assert files
    for path in files:
        found = re.fullmatch(r"(?P<topic>[a-z_.]+)\.v(?P<version>\d+)\.json", path.name)
        assert found, f"{path.name} is not <topic>.v<version>.json"
        body = path.read_bytes()
        assert json.loads(body)["v"] == int(found["version"])
        read = decode(STREAM_ID, 1, 9, found["topic"], body)
        assert read.schema_version == int(found["version"])


def test_a_missing_file_is_only_written_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.adapters.test_golden.GOLDEN", tmp_path)
    monkeypatch.delenv(WRITE, raising=False)
    with pytest.raises(pytest.fail.Exception, match=f"{WRITE}=1"):
        _golden("account.registered")
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv(WRITE, "1")
    assert _golden("account.registered") == (GOLDEN / "account.registered.v2.json").read_bytes()
    (tmp_path / "account.registered.v2.json").write_bytes(b"kept")
    assert _golden("account.registered") == b"kept"
