"""CSV files and databases as legacy sources: every value arrives as it is, and what is broken is set aside."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from adapters.cli.main import run as cli
from adapters.legacy.csv_lines import MAX_COLUMNS, json_lines
from adapters.legacy.database import open_database
from adapters.legacy.json_lines import open_export
from domain.errors import InputUnreadable
from migrations_replay.bundle import BundleIndex, Selection
from migrations_replay.document import OddNumber, read_line
from migrations_replay.replay import Outcome
from migrations_replay.systems.contexts import SYSTEM

# --- CSV --------------------------------------------------------------------------------------------------------------


def _read(content: bytes, *json_columns: str) -> list[tuple[int, Any, str | None]]:
    """Return line number, document and problem of each row."""
    lines = b"".join(json_lines("t", content, json_columns)).split(b"\n")
    read = [(number, read_line(line)) for number, line in enumerate(lines, 1) if line.strip()]
    return [(number, found.value, found.problem and found.problem.code) for number, found in read]


def test_cells_are_texts_and_null_is_not_the_empty_text() -> None:
    content = b'\xef\xbb\xbfid,name,bio\r\n1,,""\r\n\r\n2,"a ""quoted"", b\nsecond line", 07 \r\n3,null,{}'
    assert _read(content) == [
        (2, {"id": "1", "name": None, "bio": ""}, None),
        (4, {"id": "2", "name": 'a "quoted", b\nsecond line', "bio": " 07 "}, None),
        (6, {"id": "3", "name": "null", "bio": "{}"}, None),
    ]


def test_a_json_column_keeps_its_digits_and_what_is_no_json_stays_text() -> None:
    content = (
        b'id,data\n1,"{""n"":\n 12345678901234567890.10, ""m"": 1e400}"\n2,[1.50]\n3,null\n4,half {\n5,""\n6,"""x"""'
    )
    assert [value["data"] for _, value, _ in _read(content, "data")] == [
        {"n": OddNumber("12345678901234567890.10"), "m": OddNumber("1e400")},
        [1.5],
        None,
        "half {",
        "",
        "x",
    ]
    assert b"1.50" in b"".join(json_lines("t", content, ["data"]))


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (b"1", "1"),
        (b"1,2,3", "1,2,3"),
        (b'1,"a"b', '1,"a"b'),
        (b'1,a"b', '1,a"b'),
        (b'1,"never closed', '1,"never closed'),
        (b'{"id": 1}', '{"id": 1}'),
        (b"1,a\rb", "1,a\rb"),
    ],
)
def test_a_broken_row_is_set_aside_as_it_is_and_the_rest_goes_on(row: bytes, text: str) -> None:
    assert _read(b"id,a\n" + row + b"\n7,fine\n") == [
        (2, text, "not_an_object"),
        (3, {"id": "7", "a": "fine"}, None),
    ]


def test_bytes_that_are_no_text_are_kept_and_set_aside() -> None:
    (row,) = _read(b"id,a\n1,caf\xe9 \xc3\xa9\n")
    assert row == (2, {"id": "1", "a": "caf\udce9 é"}, "text_not_storable")
    assert _read(b"id,a\n1,a\0b\n")[0][2] == "text_not_storable"


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"id,id", "names a column twice"),
        (b"id,", "has a column without a name"),
        (b'"id', "is not well-formed CSV"),
        (b"i\xe9d", "is not UTF-8"),
        (",".join(f"c{n}" for n in range(MAX_COLUMNS + 1)).encode(), "has more than"),
    ],
)
def test_a_header_nobody_can_use_is_an_input_error(header: bytes, why: str) -> None:
    with pytest.raises(InputUnreadable, match=why):
        list(json_lines("t", header + b"\n1,2\n", ()))


_CELLS = (
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(['"', "\n", "\r\n"])
)


@given(st.integers(1, 4), st.data())
def test_any_table_comes_back_cell_by_cell(width: int, data: st.DataObject) -> None:
    rows: list[list[str | None]] = data.draw(st.lists(st.lists(_CELLS, min_size=width, max_size=width), max_size=4))
    written = io.StringIO()
    header: list[str | None] = [f"c{number}" for number in range(width)]
    for row in [header, *rows]:
        cells = ['"' + cell.replace('"', '""') + '"' if cell is not None else "" for cell in row]
        written.write(",".join(cells) + "\r\n")
    rows = [row for row in rows if row != [None]]  # a blank line
    lines = b"".join(json_lines("t", written.getvalue().encode(), ())).split(b"\n")
    assert [list(json.loads(line).values()) for line in lines if line] == rows


def test_csv_in_a_directory_or_zip_is_indexed_like_json_lines(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "User.csv").write_text("id,email,createdAt\nu1,a@example.org,2023-05-01 10:00:00.120\nu2\n")
    (folder / "ContextProfile.csv").write_text("id,userId,contextType\nc1,u1,romantic\n")
    with (folder / "Profile.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "contextProfileId", "data"], ["p1", "c1", '{"location": "Bern"}']])
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for file_path in folder.iterdir():
            archive.write(file_path, f"export/{file_path.name}")
    columns = {name: table.json_columns for name, table in SYSTEM.tables.items()}
    for path, kind in ((folder, "csv"), (tmp_path / "export.zip", "zip")):
        with open_export(path, columns) as source:
            assert source.kind == kind
            index = BundleIndex(source, SYSTEM)
            (bundle,) = index
            assert bundle.of("Profile")[0].document["data"] == {"location": "Bern"}
            assert SYSTEM.derive(bundle).findings == [  # ContextProfile and Profile tell no time
                entry for entry in SYSTEM.derive(bundle).findings if entry["code"] == "assumed_time"
            ]
            outcome = Outcome(SYSTEM.stream_of("x"))
            for record in Selection(index).set_aside():
                outcome.take_aside(record)
            assert [(entry["line"], entry["code"]) for entry in outcome.quarantine] == [(3, "not_an_object")]
            assert outcome.ledger.as_dict()["quarantined"] == 1
    (folder / "User.jsonl").touch()
    with pytest.raises(InputUnreadable, match="twice"), open_export(folder):
        pass


# --- PostgreSQL -------------------------------------------------------------------------------------------------------

_EVERY_TYPE = """
CREATE TABLE every_type (
    id uuid PRIMARY KEY, amount numeric, ratio float8, small real, big int8, flag bool, at timestamptz,
    wall timestamp(3), day date, tags text[], doc json, bin jsonb, note text, never timestamptz, bits bytea
);
INSERT INTO every_type VALUES (
    '00000000-0000-0000-0000-000000000001', 123456789012345678901234567890.10, 'NaN', 0.1, 9223372036854775807, true,
    '2024-01-02 03:04:05.000006+05', '2024-01-02 03:04:05.120', '0044-03-15 BC', '{a,NULL,"b ,c"}',
    E'{"k": 1.0,\\n "k": 2}', '{"n": 1.10, "e": 1e3}', E'tab\\t line\\n "quote" \\\\ é 🌻', 'infinity', '\\x00ff'
);
INSERT INTO every_type (id, amount) VALUES ('00000000-0000-0000-0000-000000000002', 'NaN');
"""


@pytest.fixture
def legacy_url(make_database: Any) -> str:
    return str(make_database())


def _documents(url: str, table: str) -> list[bytes]:
    with open_database(url) as source:
        assert source.kind == "postgresql"
        return [line for _, _, line in source.lines(table)]


def test_a_database_gives_every_type_exactly(legacy_url: str) -> None:
    with psycopg.connect(legacy_url) as connection:
        connection.execute(_EVERY_TYPE)
        connection.execute("CREATE TABLE _migrations (id int)")
        connection.execute("CREATE VIEW looked_at AS SELECT 1 AS id")
        connection.execute(sql.SQL('CREATE TABLE {} ("a""b" text)').format(sql.Identifier('odd "name"; --')))
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET timezone TO 'Asia/Kolkata'").format(sql.Identifier(connection.info.dbname))
        )
    with open_database(legacy_url) as source:
        assert source.tables() == ("every_type", 'odd "name"; --')
    first, second = _documents(legacy_url, "every_type")
    for exact in (b"123456789012345678901234567890.10", b'"doc":{"k": 1.0,  "k": 2}', b'"n": 1.10', b'"small":0.1,'):
        assert exact in first
    assert json.loads(first) | {"doc": None, "amount": None} == {
        "id": "00000000-0000-0000-0000-000000000001",
        "amount": None,
        "ratio": "NaN",
        "small": 0.1,
        "big": 9223372036854775807,
        "flag": True,
        "at": "2024-01-01T22:04:05.000006+00:00",
        "wall": "2024-01-02T03:04:05.12",
        "day": "0044-03-15 BC",
        "tags": ["a", None, "b ,c"],
        "doc": None,
        "bin": {"n": 1.10, "e": 1000},
        "note": 'tab\t line\n "quote" \\ é 🌻',
        "never": "infinity",
        "bits": "\\x00ff",
    }
    assert read_line(first).problem is not None  # its `doc` repeats a key
    assert {name for name, value in json.loads(second).items() if value is not None} == {"id", "amount"}


def test_a_database_is_seen_at_one_time_and_may_grow_meanwhile(legacy_url: str) -> None:
    with psycopg.connect(legacy_url, autocommit=True) as writer:
        writer.execute("CREATE TABLE a AS SELECT g AS id FROM generate_series(1, 500) g; CREATE TABLE b (id int)")
        with open_database(legacy_url) as source:
            writer.execute("INSERT INTO a SELECT generate_series(501, 600); INSERT INTO b VALUES (1)")
            for _ in range(2):  # it grows, and each pass still ends with what there was
                assert [json.loads(line)["id"] for _, _, line in source.lines("a")] == [*range(1, 501)]
                assert list(source.lines("b")) == []


def test_rows_that_a_policy_hides_are_an_error_not_a_loss(legacy_url: str) -> None:
    with psycopg.connect(legacy_url, autocommit=True) as owner:
        owner.execute("CREATE TABLE profiles (id int); ALTER TABLE profiles ENABLE ROW LEVEL SECURITY")
        owner.execute("ALTER TABLE profiles FORCE ROW LEVEL SECURITY")
        superuser = owner.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    if superuser == (True,):
        pytest.skip("policies do not bind a superuser")
    with pytest.raises(InputUnreadable, match="may not be read whole") as raised, open_database(legacy_url):
        pass
    assert "row-level policy" in str(raised.value.hint)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://someone:s3cr3t-pass@localhost:1/db",
        "postgresql://someone:s3cr3t-pass@a@localhost:1/db",
        "postgresql://someone:s3cr3t-pass@localhost:port/db",
        "postgresql://someone:s3cr3t-pass@localhost/db?schema=public",
    ],
)
def test_the_password_is_in_no_message(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    monkeypatch.setenv("DOSSIER_DATABASE_URL", database_url)
    assert cli(["migrate", "plan", "contexts", "--source", url, "--json"]) == 3
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["field"] == "source"
    assert "s3cr3t" not in shown.out + shown.err
    with pytest.raises(InputUnreadable) as raised, open_database(url):
        pass
    assert "s3cr3t" not in repr(raised.value) + str(raised.value.__cause__)
    assert raised.value.__suppress_context__


def test_a_migration_from_a_database_says_so(
    legacy_url: str, make_database: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(legacy_url) as connection:
        connection.execute(
            'CREATE TABLE "User" (id text PRIMARY KEY, email text, "createdAt" timestamp(3), "updatedAt" timestamp(3));'
            """INSERT INTO "User" VALUES ('u1', 'a@example.org', '2023-05-01 10:00', '2023-05-01 10:00')"""
        )
    monkeypatch.setenv("DOSSIER_DATABASE_URL", str(make_database()))
    assert cli(["db", "init"]) == 0
    capsys.readouterr()
    url = _as_url(legacy_url)
    assert cli(["migrate", "run", "contexts", "--source", url, "--json"]) == 1  # tables are missing
    report = json.loads(capsys.readouterr().out)
    assert report["source"] == {"kind": "postgresql", "tables": {"User": 1}}
    assert report["leaves"] == report["leaves"] | {"total": 4, "mapped": 4}
    assert cli(["migrate", "verify", "contexts", "--source", url]) == 0
    capsys.readouterr()


# --- memory -----------------------------------------------------------------------------------------------------------

_PEAK = """
import resource, sys
from pathlib import Path
from adapters.legacy.source import open_source
with open_source(sys.argv[1], {}) as source:
    assert source.tables() == ("profiles",)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _peak(source: str) -> int:
    """Return how many KiB a process of its own needs at most to open a source."""
    done = subprocess.run([sys.executable, "-c", _PEAK, source], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.soak
def test_opening_a_source_takes_the_same_memory_whatever_its_size(legacy_url: str, tmp_path: Path) -> None:
    peaks: dict[str, list[int]] = {"csv": [], "postgresql": []}
    for rows in (10_000, 100_000):
        with psycopg.connect(legacy_url) as connection:
            connection.execute("DROP TABLE IF EXISTS profiles")
            connection.execute(
                "CREATE TABLE profiles AS SELECT g AS id, repeat('long ', 300) AS bio, jsonb_build_object('n', g) AS n "
                f"FROM generate_series(1, {rows}) g"
            )
            with (
                (tmp_path / "profiles.csv").open("wb") as file,
                connection.cursor().copy("COPY profiles TO STDOUT (FORMAT csv, HEADER)") as copy,
            ):
                file.writelines(copy)
        peaks["csv"].append(_peak(str(tmp_path)))
        peaks["postgresql"].append(_peak(_as_url(legacy_url)))
    for small, large in peaks.values():
        assert large < small + 32 * 1024, peaks


def _as_url(conninfo: str) -> str:
    """Return a connection string as a URL without a host, whose settings are its query."""
    settings = conninfo_to_dict(conninfo)
    return "postgresql://?" + "&".join(f"{name}={str(value).replace('/', '%2F')}" for name, value in settings.items())


def test_a_file_is_read_as_long_as_it_was_and_never_past_where_it_was_cut(tmp_path: Path) -> None:
    file = tmp_path / "User.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"id": "u1"}\r\n\n{"id": "u2"}')
    with open_export(tmp_path) as source:
        lines = source.lines("User")
        assert next(lines) == (1, 3, b'{"id": "u1"}')
        with file.open("ab") as grows:
            grows.write(b'\n{"id": "u3"}\n')
        assert list(lines) == [(3, 18, b'{"id": "u2"}')]
        assert source.line_at("User", 18, 12) == b'{"id": "u2"}'
        file.write_bytes(b"{}")
        for reads in (lambda: list(source.lines("User")), lambda: source.line_at("User", 18, 12)):
            with pytest.raises(InputUnreadable, match="cut short"):
                reads()
