"""The mapping of the cases system, K12 to K16 of `docs/legacy/cases.md`: what else rows and processes hold."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from domain.case_fields import CASE_FIELDS
from migrations_replay.leaves import CONFLICTING, DERIVED, MAPPED, NORMALISED, UNMAPPED, UNREADABLE, leaves
from migrations_replay.systems.case_history import FILLABLE_NAMES
from migrations_replay.systems.cases import CASE_NAMES
from tests.support.legacy_cases import (
    NO_TEXTS,
    STATUSES,
    Told,
    case_of,
    collective,
    history,
    id_of,
    ms,
    process,
    status,
    when,
)

# --- K12, K13, K14, K15: what else a row holds ------------------------------------------------------------------------


def test_k12_flags_of_status_rows() -> None:
    told = case_of(status("s1", "rnm", 5, active=True), status("s2", "rnm", 5), status("s3", "deferido", 3))
    assert [told.class_of(STATUSES, key, "/isActive") for key in ("s1", "s2", "s3")] == [MAPPED, NORMALISED, MAPPED]
    assert told.codes == []


@pytest.mark.parametrize("value", [1, 0, "true", [True], {"a": True}, 1.0])
def test_k12_what_is_not_true_or_false_counts_as_false(value: Any) -> None:
    told = case_of(status("s1", "rnm", 5, active=value))
    assert told.case["status"] is None
    assert ("s1", "isActive", "unreadable") in told.codes
    assert {told.class_of(STATUSES, "s1", pointer) for pointer, _ in leaves(value, "/isActive")} == {UNREADABLE}


def test_k12_an_unset_flag_counts_as_false_and_is_no_finding() -> None:
    told = case_of(status("s1", "rnm", 5, active=None))
    assert told.codes == [("p1", "status", "undetermined_status")]
    assert told.class_of(STATUSES, "s1", "/isActive") == NORMALISED


@pytest.mark.parametrize(
    ("text", "changed", "day", "instant", "zone"),
    [
        ("2023-06-05T21:30", ms(6, 0, 30), date(2023, 6, 5), when(6, 0, 30), "America/Sao_Paulo"),
        (
            "2023-06-05T21:30:15",
            ms(6),
            date(2023, 6, 5),
            datetime(2023, 6, 6, 0, 30, 15, tzinfo=UTC),
            "America/Sao_Paulo",
        ),
        ("2023-06-05T21:30Z", ms(6), date(2023, 6, 5), when(5, 21, 30), None),
        ("2023-06-06", ms(6, 0, 30), date(2023, 6, 6), None, "UTC"),  # the UTC day, and not the local one: the backfill
        ("2023-06-05", ms(6, 0, 30), date(2023, 6, 5), None, "America/Sao_Paulo"),  # the local day
        ("2023-06-06", ms(6), date(2023, 6, 6), None, "America/Sao_Paulo"),  # both
        ("2023-05-01", ms(6), date(2023, 5, 1), None, "America/Sao_Paulo"),  # neither
        (" 2023-06-06 ", ms(6), date(2023, 6, 6), None, "America/Sao_Paulo"),
    ],
)
def test_k13_a_date_keeps_its_text_and_gets_its_zone(
    text: str, changed: int, day: date, instant: datetime | None, zone: str | None
) -> None:
    told = case_of(status("s1", "rnm", 2, active=True, changedAt=changed, date=text))
    row = told.entries[0]
    assert (row["date_text"], row["date_at"], row["date_zone"], row["day"]) == (text.strip(), instant, zone, day)
    assert row["active_from"] == told.case["status_since"] == datetime.fromtimestamp(changed / 1000, UTC)
    assert told.class_of(STATUSES, "s1", "/date") == (MAPPED if text == text.strip() else NORMALISED)
    assert told.codes == []


@pytest.mark.parametrize(
    "value", ["31/01/2023", "2023-02-30", "2023-06-06T25:00", "0000-01-01", ms(6), True, ["2023-06-06"]]
)
def test_k13_what_is_no_date_is_unreadable(value: Any) -> None:
    told = case_of(status("s1", "rnm", 2, active=True, date=value))
    assert told.codes == [("s1", "date", "unreadable")]
    assert (told.entries[0]["date_text"], told.entries[0]["day"]) == (None, date(2023, 6, 2))
    dated = dict.fromkeys(("douDate", "rnmDeadline", "deadlineDate", "appointmentDateTime"), value)
    told = case_of(status("s1", "rnm", 2, active=True), **dated)
    assert told.case["fields"] == {}
    assert told.codes == sorted(("p1", name, "unreadable") for name in dated)


def test_k13_a_date_does_not_order_the_history() -> None:
    told = case_of(
        status("s1", "rnm", 5, active=True, date="2023-06-01"), status("s2", "deferido", 3, date="2023-06-09")
    )
    assert [name for name, _ in told.statuses] == ["deferido", "rnm"]


def test_k13_dates_of_the_process_keep_their_text() -> None:
    dated: dict[str, Any] = {
        "douDate": "2023-06-06",
        "appointmentDateTime": "2023-06-06T09:00",
        "rnmDeadline": " 2023-06-07",
    }
    told = case_of(status("s1", "rnm", 2, active=True), **dated)
    assert told.case["fields"] == {
        "dou_date": "2023-06-06",
        "appointment_date_time": "2023-06-06T09:00",
        "rnm_deadline": "2023-06-07",
    }
    assert told.case["instants"]["appointment_date_time"]["zone"] == "America/Sao_Paulo"
    assert [told.class_of("individualProcesses", "p1", f"/{name}") for name in dated] == [MAPPED, MAPPED, NORMALISED]


@pytest.mark.parametrize(
    ("of_row", "delivery", "client"),
    [
        ({"date": "2023-06-05"}, "2023-07-04", "2023-06-28"),
        ({"date": "2023-06-05T23:59"}, "2023-07-04", "2023-06-28"),
        ({"changedAt": ms(6, 1)}, "2023-07-04", "2023-06-28"),  # 22:00 of the day before in São Paulo
        ({"date": "soon", "changedAt": ms(5)}, "2023-07-04", "2023-06-28"),
    ],
)
def test_k14_deadlines_of_a_requirement_are_derived(of_row: dict[str, Any], delivery: str, client: str) -> None:
    row = status("s1", "Exigência", 5, active=True, maxDeliveryDate=delivery, clientDeadlineDate=f" {client}") | of_row
    told = case_of(row)
    assert told.class_of(STATUSES, "s1", "/maxDeliveryDate") == DERIVED
    assert told.class_of(STATUSES, "s1", "/clientDeadlineDate") == DERIVED
    assert "derived_differs" not in {code for _, _, code in told.codes}
    entry = told.entries[0]
    assert (entry["delivery_date"].isoformat(), entry["client_date"].isoformat()) == (delivery, client)


@pytest.mark.parametrize("value", ["2023-07-05", "2023-07-04T00:00", "soon", ms(5), ["2023-07-04"]])
def test_k14_a_deadline_that_differs_is_a_finding(value: Any) -> None:
    told = case_of(status("s1", "exigencia", 5, active=True, maxDeliveryDate=value, clientDeadlineDate=None))
    assert told.findings == [("s1", "maxDeliveryDate", "derived_differs", value)]
    assert {told.class_of(STATUSES, "s1", pointer) for pointer, _ in leaves(value, "/maxDeliveryDate")} == {DERIVED}
    assert told.class_of(STATUSES, "s1", "/clientDeadlineDate") == NORMALISED


def test_k14_another_status_has_no_deadlines() -> None:
    told = case_of(status("s1", "rnm", 5, active=True, maxDeliveryDate="2023-07-04"))
    assert told.codes == [("s1", "maxDeliveryDate", "derived_differs")]
    assert told.entries[0]["delivery_date"] is None


def test_k15_what_a_status_filled_is_kept_beside_its_entry() -> None:
    filled = {name: f"{name} " for name in FILLABLE_NAMES} | {"apelido": {"a": [1, None]}, "nothing": "", "a/b~c": 1}
    told = case_of(status("s1", "rnm", 5, active=True, filledFieldsData=filled))
    assert told.entries[0]["filled"] == {target: f"{name} " for name, target in FILLABLE_NAMES.items()} | {
        "apelido": {"a": [1, None]},
        "a/b~c": 1,
    }
    assert told.codes == [
        ("s1", "filledFieldsData/a/b~c", "outside_vocabulary"),
        ("s1", "filledFieldsData/apelido", "outside_vocabulary"),
    ]
    classes = told.classes(STATUSES, "s1")
    assert {classes[f"/filledFieldsData/{name}"] for name in FILLABLE_NAMES} == {MAPPED}
    assert (classes["/filledFieldsData/a~1b~0c"], classes["/filledFieldsData/apelido/a/0"]) == (MAPPED, MAPPED)
    assert (classes["/filledFieldsData/nothing"], classes["/filledFieldsData/apelido/a/1"]) == (NORMALISED, NORMALISED)
    assert told.case["fields"] == {}  # the case's own fields are those of the process


def test_k15_a_field_spelled_in_two_ways_is_one_field() -> None:
    told = case_of(status("s1", "rnm", 5, active=True, filledFieldsData={"rnmNumber": "1", "rnm_number": "2"}))
    assert told.entries[0]["filled"] == {"rnm_number": "1"}
    assert told.conflicts == {"s1/filledFieldsData/rnmNumber": (["1", "2"], "1", "history_row")}
    assert told.class_of(STATUSES, "s1", "/filledFieldsData/rnm_number") == CONFLICTING
    assert told.codes == [("s1", "filledFieldsData/rnm_number", "outside_vocabulary")]


@pytest.mark.parametrize("number", ["1e400", "NaN", "9223372036854775808"])
def test_k15_a_number_that_cannot_be_stored_makes_its_key_unreadable(number: str) -> None:
    row = json.dumps(status("s1", "rnm", 5, active=True))[:-1]
    line = f'{row}, "filledFieldsData": {{"douPage": [{number}], "x": 1}}, "metadata": 1}}'
    told = Told(individualProcesses=[process()], individualProcessStatuses=[line])
    assert told.entries[0]["filled"] == {"x": 1}
    assert told.class_of(STATUSES, "s1", "/filledFieldsData/douPage/0") == UNREADABLE
    assert told.class_of(STATUSES, "s1", "/metadata") == UNMAPPED  # a field of the other table
    row = json.dumps(history("h1", "rnm", 5))[:-1]
    told = Told(individualProcesses=[process()], processHistory=[f'{row}, "metadata": {{"a": [{number}], "b": 1}}}}'])
    assert "metadata" not in told.entries[0]["carried"]
    assert told.class_of("processHistory", "h1", "/metadata/b") == UNREADABLE


@pytest.mark.parametrize("value", [5, "text", True, [1, {"a": None}], {"a": {"b": [1.5, "x"]}}])
def test_k15_metadata_is_kept_whatever_it_is(value: Any) -> None:
    told = case_of(history("h1", "rnm", 5, metadata=value))
    assert told.entries[0]["carried"]["metadata"] == value
    set_leaves = [pointer for pointer, leaf in leaves(value, "/metadata") if leaf is not None]
    assert {told.class_of("processHistory", "h1", pointer) for pointer in set_leaves} == {MAPPED}


@pytest.mark.parametrize("value", [5, "text", True, ["a"], '["a"]'])
def test_k15_what_a_status_filled_must_be_an_object(value: Any) -> None:
    told = case_of(status("s1", "rnm", 5, active=True, filledFieldsData=value))
    assert told.codes == [("s1", "filledFieldsData", "unreadable")]
    assert told.entries[0]["filled"] == {}


def test_k15_json_inside_a_text_is_opened() -> None:
    told = case_of(
        status("s1", "rnm", 5, active=True, filledFieldsData='{"douPage": "1"}', fillableFields='["douPage", ""]')
    )
    assert told.entries[0]["filled"] == {"dou_page": "1"}
    assert told.entries[0]["carried"]["fillable_fields"] == ["douPage"]
    assert told.class_of(STATUSES, "s1", "/filledFieldsData") == NORMALISED
    assert told.class_of(STATUSES, "s1", "/fillableFields") == NORMALISED


def test_k15_a_history_row_that_names_no_status_tells_that_of_the_row_it_links_to() -> None:
    told = case_of(history("h1", None, 3, newStatusId="s1"), status("s1", "rnm", 3, active=True))
    assert told.statuses == [("rnm", when(3))]
    assert told.class_of("processHistory", "h1", "/newStatus") == NORMALISED
    told = case_of(history("h1", None, 3, newStatusId="s9"))
    assert told.statuses == [(None, when(3))]
    assert told.codes == [("h1", "newStatusId", "dangling_reference"), ("p1", "status", "undetermined_status")]


# --- K16: the process -------------------------------------------------------------------------------------------------


def test_k16_texts_and_ids_go_to_the_fields_of_the_case_each_for_itself() -> None:
    values: dict[str, Any] = {
        name: "2023-06-06" if CASE_FIELDS[target].shape == "wall_clock" else f"{name}1"
        for name, target in CASE_NAMES.items()
    }
    told = case_of(status("s1", "rnm", 2, active=True), **values)
    assert told.case["fields"] == {target: values[name] for name, target in CASE_NAMES.items()}
    assert set(told.case["fields"]) == set(CASE_FIELDS)
    assert {told.class_of("individualProcesses", "p1", f"/{name}") for name in values} == {MAPPED}
    (opened,) = told.events("case.opened")
    assert opened.fields == told.case["fields"]


@pytest.mark.parametrize("name", ["douNumber", "protocolNumber", "funcao", "cargo"])
@pytest.mark.parametrize("value", NO_TEXTS)
def test_k16_a_text_is_expected(name: str, value: Any) -> None:
    told = case_of(status("s1", "rnm", 2, active=True), **{name: value})
    assert told.codes == [("p1", name, "unreadable")]
    assert told.case["fields"] == {}


@pytest.mark.parametrize(
    ("main", "newer", "chosen", "classes"),
    [
        ("m1", "absent", "m1", [MAPPED, None]),
        ("absent", "m2", "m2", [None, MAPPED]),
        ("m1", "m1", "m1", [MAPPED, MAPPED]),
        ("m1", "m2", "m2", [CONFLICTING, MAPPED]),
        ("m1", None, "m1", [MAPPED, NORMALISED]),
        (5, "5", "5", [NORMALISED, MAPPED]),
        ("m1", True, "m1", [MAPPED, UNREADABLE]),
    ],
)
def test_k16_a_collective_process_in_two_columns(main: Any, newer: Any, chosen: str, classes: list[Any]) -> None:
    columns = {"mainProcessId": main, "collectiveProcessId": newer}
    told = Told(
        individualProcesses=[
            process(status="rnm") | {name: value for name, value in columns.items() if value != "absent"}
        ],
        mainProcesses=[collective("m1"), collective("5")],
        collectiveProcesses=[collective("m2")],
    )
    assert told.case["collective_id"] == id_of("collective", "mainProcesses", chosen)
    assert told.case["legacy_keys"] == {"collective_id": chosen}
    found = told.classes("individualProcesses", "p1")
    assert [found.get("/mainProcessId"), found.get("/collectiveProcessId")] == classes
    conflicts = {"p1/collectiveProcessId": (["m2", "m1"], "m2", "newest_column")} if CONFLICTING in classes else {}
    assert told.conflicts == conflicts
    assert "dangling_reference" not in {code for _, _, code in told.codes}


def test_k16_a_case_belongs_to_the_collective_process_of_its_id_under_either_name_of_the_table() -> None:
    for table in ("mainProcesses", "collectiveProcesses"):
        there: dict[str, Any] = {table: [collective()]}
        told = Told(individualProcesses=[process(mainProcessId="m1")], **there)
        assert told.case["collective_id"] == Told(table, **there).row("collectives")["collective_id"]


@pytest.mark.parametrize(
    ("older", "newer", "current", "classes"),
    [
        ("absent", "absent", True, [None, None]),
        (True, "absent", True, [MAPPED, None]),
        (False, "absent", False, [MAPPED, None]),
        ("absent", "Atual", True, [None, MAPPED]),
        ("absent", " Anterior", False, [None, NORMALISED]),
        (False, "Anterior", False, [MAPPED, MAPPED]),
        (True, "Anterior", False, [CONFLICTING, MAPPED]),
        (False, "Atual", True, [CONFLICTING, MAPPED]),
        (None, None, True, [NORMALISED, NORMALISED]),
        (False, "atual", False, [MAPPED, UNREADABLE]),
        (1, "Anterior", False, [UNREADABLE, MAPPED]),
    ],
)
def test_k16_whether_a_process_is_current(older: Any, newer: Any, current: bool, classes: list[Any]) -> None:
    columns = {"isActive": older, "processStatus": newer}
    told = case_of(
        status("s1", "rnm", 2, active=True), **{name: value for name, value in columns.items() if value != "absent"}
    )
    assert told.case["is_current"] is current
    found = told.classes("individualProcesses", "p1")
    assert [found.get("/isActive"), found.get("/processStatus")] == classes
    conflicts = {"p1/processStatus": ([current, not current], current, "newest_column")}
    assert told.conflicts == (conflicts if CONFLICTING in classes else {})
    assert told.case["status"] == "rnm"  # nothing to do with a status being active


def test_k16_when_a_process_was_completed() -> None:
    told = case_of(status("s1", "rnm", 2, active=True), completedAt=ms(9))
    assert told.case["completed_at"] == when(9)
    assert told.class_of("individualProcesses", "p1", "/completedAt") == MAPPED
