"""The talent system: every oddity of `docs/legacy/talent.md`, one by one, and the types that drifted."""

from __future__ import annotations

from typing import Any

import pytest

from domain.streams import merged_profile_id
from migrations_replay import convert
from migrations_replay.convert import Unreadable
from migrations_replay.systems.talent import SYSTEM
from migrations_replay.systems.talent_columns import account_of, item_of
from tests.support.legacy import MemorySource, index
from tests.support.legacy_talent import Told, credit, row, user

HEADSHOTS = [{"storageId": "s1", "uploadDate": "2023-01-01T00:00:00Z"}]


# --- the oddities of the real migrations ------------------------------------------------------------------------------


def test_1_guests_get_no_profile_and_the_order_of_keys_is_no_difference() -> None:
    told = Told(user(profileType="guest", displayName="Ada", onboardingCompleted=True))
    assert told.kinds == []
    assert told.details == {
        "profile_type": "guest",
        "member_type": "member",
        "display_name": "Ada",
        "onboarding_completed": True,
    }
    place = {"country": "USA", "state": "CA", "city": "Reno"}
    told = Told(user(profileType="dancer", location=place), dancers=[row(location=dict(reversed(place.items())))])
    assert told.conflicts == {}
    assert told.class_of("/location/city") == told.class_of("/location/city", "dancers", "d1") == "mapped"


def test_1_a_guest_with_profile_fields_keeps_them_on_a_personal_profile() -> None:
    told = Told(user(companyName="Co", location={"city": "Reno"}, displayName="Ada"))
    assert told.kinds == ["personal"]
    assert told.fields("personal") == {"company_name": "Co", "place": {"city": "Reno"}, "display_name": "Ada"}
    assert told.account["active_profile_id"] == told.account["primary_profile_id"]


def test_2_the_empty_search_text_of_a_half_done_migration_does_no_harm() -> None:
    same: dict[str, Any] = {"displayName": "Ada", "headshots": HEADSHOTS}
    told = Told(
        user(profileType="dancer", activeDancerId="d1", **same), dancers=[row(searchPattern="", isPrimary=True, **same)]
    )
    assert told.conflicts == {}
    assert told.class_of("/searchPattern", "dancers", "d1") == "normalised"
    assert told.class_of("/displayName") == "mapped"
    assert told.fields() == {
        "display_name": "Ada",
        "headshots": [{"storage_id": "s1", "upload_date": "2023-01-01T00:00:00Z"}],
    }


def test_3_a_choreographer_keeps_a_work_location() -> None:
    told = Told(user(profileType="choreographer"), choreographers=[row("c1", workLocation=["Reno, NV"])])
    assert told.fields("choreographer") == {"work_location": ["Reno, NV"]}
    assert told.unmapped == {}


def test_4_who_was_made_a_dancer_besides_is_both_and_loses_no_company() -> None:
    told = Told(
        user(profileType="choreographer", companyName="Co", databaseUse="casting"),
        dancers=[row(displayName="Ada", skills=["tap"])],
    )
    assert told.kinds == ["choreographer", "dancer"]
    assert told.fields("choreographer") == {"company_name": "Co", "database_use": "casting"}
    assert told.fields() == {"display_name": "Ada", "skills": ["tap"]}


def test_5_the_profile_wins_over_the_user_and_what_it_lacks_is_filled() -> None:
    told = Told(
        user(profileType="dancer", displayName="Old", attributes={"gender": "Man", "hairColor": "black"}, skills=["a"]),
        dancers=[row(displayName="New", attributes={"hairColor": "Red"})],
    )
    assert told.fields() == {
        "display_name": "New",
        "attributes": {"hair_color": "Red", "gender": "Male"},
        "skills": ["a"],
    }
    assert told.conflicts == {
        "display_name": (["New", "Old"], "profile_over_user"),
        "attributes/hair_color": (["Red", "Black"], "profile_over_user"),
    }
    assert told.profile()["conflicts"] == {"display_name": ["New", "Old"], "attributes/hair_color": ["Red", "Black"]}
    assert told.class_of("/attributes/hairColor") == "conflicting"


def test_6_favourites_survive_in_order_without_repeats() -> None:
    told = Told(
        user(favoriteUsers=["u2", "u9", "u1", "u2", ""], profileType="dancer"),
        user("u2"),
        dancers=[row(favoriteDancers=[], favoriteChoreographers=["c9"])],
    )
    assert told.details["favorites"] == [str(account_of("u2")), "u9", str(account_of("u1"))]
    assert told.class_of("/favoriteUsers/3") == "normalised"
    assert ("favoriteUsers/1", "dangling_reference") in told.findings
    assert told.fields()["favorite_choreographers"] == ["c9"]


def test_7_the_time_of_the_migration_is_that_of_the_profile_alone() -> None:
    told = Told(user(profileType="dancer"), dancers=[row()])
    assert told.account["registered_at"].isoformat() == "2023-01-01T00:00:00.000500+00:00"
    assert told.profile()["created_at"].isoformat() == "2024-01-01T00:00:00+00:00"
    told = Told(user(profileType="dancer"), dancers=[row(createdAt="soon")])
    assert ("createdAt", "assumed_time") in told.findings


def test_8_of_two_primaries_the_earliest_created_is_primary() -> None:
    told = Told(
        user(profileType="dancer", activeDancerId="d1", activeChoreographerId="c1"),
        dancers=[row(isPrimary=True)],
        choreographers=[row("c1", isPrimary=True, createdAt="2023-06-01T00:00:00Z")],
    )
    assert told.account["primary_profile_id"] == merged_profile_id(told.account_id, "choreographer")
    assert told.account["active_profile_id"] == merged_profile_id(told.account_id, "dancer")
    assert told.conflicts == {
        "primary_profile": (["choreographer", "dancer"], "earliest_created"),
        "active_profile": (["dancer", "choreographer"], "active_type_first"),
    }
    assert told.class_of("/isPrimary", "dancers", "d1") == "conflicting"


@pytest.mark.parametrize(
    ("said", "active"),
    [
        ({"activeProfileType": "choreographer"}, "choreographer"),
        ({"activeChoreographerId": "c1"}, "choreographer"),
        ({"activeChoreographerId": "gone"}, "dancer"),
        ({"activeProfileType": "guest"}, "dancer"),
        ({}, "dancer"),
    ],
)
def test_8_the_active_profile_is_the_one_the_user_names(said: dict[str, Any], active: str) -> None:
    told = Told(user(profileType="dancer", **said), choreographers=[row("c1")])
    assert told.account["active_profile_id"] == merged_profile_id(told.account_id, active)
    kept = {name: value for name, value in told.details.items() if name.startswith("active_")}
    assert kept == {
        **({"active_choreographer_key": "gone"} if "gone" in said.values() else {}),
        **({"active_profile_type": "guest"} if "guest" in said.values() else {}),
    }


def test_9_a_credit_belongs_to_the_profile_it_names_else_to_one_of_its_kind_else_to_the_users() -> None:
    told = Told(
        user(profileType="choreographer", activeProfileType="choreographer"),
        dancers=[row()],
        projects=[
            credit(profileId="d1", title="A"),
            credit("p2", profileType="dancer"),
            credit("p3"),
            credit("p4", profileId="d9"),
            credit("p5", of="u9"),
        ],
    )
    dancer, own = (merged_profile_id(told.account_id, kind) for kind in ("dancer", "choreographer"))
    assert [told.item(f"p{number}")["profile_id"] for number in (1, 2, 3, 4)] == [dancer, dancer, own, own]
    assert told.item("p4")["legacy_keys"] == {"profile_id": "d9"}
    assert told.findings == [("profileId", "dangling_reference")]
    found = index(MemorySource(users=[user()], projects=[credit("p5", of="u9")]), SYSTEM)
    assert [aside.problem.code for aside in found.set_aside()] == ["no_subject"]


@pytest.mark.parametrize("empty", [[], "", None, {}])
def test_10_nothing_set_wins_over_nothing(empty: Any) -> None:
    told = Told(user(profileType="dancer", workLocation=["Reno"]), dancers=[row(workLocation=empty)])
    assert told.fields() == {"work_location": ["Reno"]}
    told = Told(user(profileType="dancer", profileTipDismissed=True), dancers=[row(profileTipDismissed=False)])
    assert told.fields() == {"profile_tip_dismissed": False}


def test_11_credits_with_one_title_stay_separate_and_lost_ones_stay_in_the_list() -> None:
    told = Told(
        user(profileType="dancer", resume={"projects": ["p1", "p9", "p2"]}),
        projects=[credit(title="Tour"), credit("p2", title="Tour"), credit("p3")],
    )
    items = [key for model, key in told.rows if model == "items"]
    assert len(items) == 3
    assert told.fields()["projects"] == [str(item_of("projects", "p1")), "p9", str(item_of("projects", "p2"))]
    assert told.findings == [("resume/projects/1", "dangling_reference")]


def test_12_dates_stay_as_they_were_written() -> None:
    told = Told(
        user(dateOfBirth="1990-05-01"), projects=[credit(startDate="2020-01-31", endDate="last spring", title="A")]
    )
    assert told.details["date_of_birth"] == "1990-05-01"
    assert told.item("p1")["fields"] == {"start_date": "2020-01-31", "end_date": "last spring", "title": "A"}
    assert told.findings == []


def test_13_search_texts_are_derived() -> None:
    told = Told(
        user(profileType="dancer", searchPattern="ada reno"), dancers=[row(searchPattern="tap", profileCompleteness=0)]
    )
    assert told.class_of("/searchPattern") == told.class_of("/searchPattern", "dancers", "d1") == "derived"
    assert told.class_of("/profileCompleteness", "dancers", "d1") == "derived"
    assert told.findings == []
    told = Told(user(), dancers=[row(headshots=HEADSHOTS, profileCompleteness=0)])
    assert told.findings == [("profileCompleteness", "derived_differs")]
    assert told.profile()["completeness"] == 20


# --- values of older generations --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "attributes", "codes"),
    [
        ({"attributes": {"hairColor": "blonde"}}, {"hair_color": "Blonde"}, []),
        ({"attributes": {"eyeColor": "green"}}, {"eye_color": "Green"}, []),
        ({"attributes": {"eyeColor": "Hazel"}}, {"eye_color": "Hazel"}, ["outside_vocabulary"]),
        ({"gender": "Non-Binary"}, {"gender": "Non-binary"}, []),
        ({"attributes": {"height": 65}}, {"height": {"feet": 5, "inches": 5}}, []),
        ({"attributes": {"height": 35}}, None, ["unreadable"]),
        ({"attributes": {"height": 97}}, None, ["unreadable"]),
        ({"attributes": {"height": {"feet": 9, "inches": 0}}}, {"height": {"feet": 9, "inches": 0}}, ["outside_limit"]),
        ({"attributes": '{"gender": "Woman"}'}, {"gender": "Female"}, []),
        ({"attributes": '{"gender": "Woman", "odd": 1}'}, None, ["unreadable"]),
    ],
)
def test_attributes(fields: dict[str, Any], attributes: Any, codes: list[str]) -> None:
    told = Told(user(profileType="dancer", **fields))
    assert told.fields().get("attributes") == attributes
    assert [code for _, code in told.findings] == codes


def test_two_columns_that_mean_the_same() -> None:
    told = Told(
        user(
            profileType="dancer",
            attributes={"gender": "Female"},
            gender="Non-Binary",
            sizing={"general": {"waist": "30"}, "waist": 30, "chest": 38},
        )
    )
    assert told.conflicts == {"attributes/gender": (["Female", "Non-binary"], "newest_column")}
    assert told.fields()["sizing"] == {"general": {"waist": "30", "chest": "38"}}
    told = Told(user(profileType="dancer", sizing={"general": {"waist": "30", "hat": "22"}, "waist": 31}))
    waist, hat = {"waist": "30", "hat": "22"}, {"waist": "31", "hat": "22"}
    assert told.profile()["conflicts"] == {"sizing/general": [waist, hat]}


def test_links_and_skills_and_steps_that_changed_their_type() -> None:
    told = Told(
        user(
            profileType="dancer",
            links={"socials": [{"platform": "TikTok", "link": "@a"}, {"platform": "TikTok", "link": "@b"}, "x"]},
            resume={"skills": {"expert": ["tap"], "novice": ["acro", "tap"]}},
            onboardingStep=3,
            currentOnboardingStep="skills",
        )
    )
    assert told.fields() == {
        "links": {"socials": {"tiktok": "@a"}},
        "skills": ["tap", "acro"],
        "skill_levels": {"expert": ["tap"], "novice": ["acro", "tap"]},
        "onboarding_step": "skills",
        "onboarding_step_number": 3,
    }
    assert sorted(told.findings) == [
        ("links/socials/1", "unreadable"),
        ("links/socials/2", "unreadable"),
        ("onboardingStep", "outside_vocabulary"),
    ]


def test_what_no_column_is_for_is_kept_and_listed() -> None:
    told = Told(user(profileType="dancer", odd={"a": [1, None]}, links={"blog": "b"}, headshots=[{"crop": 1}]))
    assert told.unmapped == {"/odd/a/0": 1, "/links/blog": "b", "/headshots/0/crop": 1}
    assert told.class_of("/odd/a/1") == "normalised"


def test_a_badge_is_a_verification_and_an_admin_a_role() -> None:
    told = Told(user(isAdmin=True), choreographers=[row("c1", verified=True, featured=False)])
    assert told.profile("choreographer")["verification"] == "verified"
    assert told.fields("choreographer") == {"featured": False}
    assert told.account["roles"] == ["admin"]


def test_credits_of_older_tables() -> None:
    told = Told(
        user(profileType="dancer"),
        experiences=[
            credit("e1", type="music-videos", songTitle="Song", artist="A", budget=5),
            credit("e2", type="training-education", institution="School"),
        ],
        skills=[credit("s1", name="tap", proficiency="expert"), credit("s2", name="acro", proficiency="guru")],
    )
    song = told.item("e1", "experiences")
    assert (song["kind"], song["fields"]) == (
        "project",
        {"title": "Song", "type": "music-video", "particulars": {"artist": "A"}},
    )
    school = told.item("e2", "experiences")
    assert (school["kind"], school["fields"]) == ("training", {"institution": "School"})
    assert told.fields() == {"skills": ["tap", "acro"], "skill_levels": {"expert": ["tap"], "guru": ["acro"]}}
    assert told.findings == [("proficiency", "outside_vocabulary")]


def test_the_full_name_is_derived_unless_it_says_something_else() -> None:
    assert "full_name" not in Told(user(firstName="Ada", lastName="L", fullName="Ada L ")).details
    told = Told(user(firstName="Ada", fullName="Ada Byron"))
    assert (told.details["full_name"], told.findings) == ("Ada Byron", [("fullName", "derived_differs")])
    assert Told(user(fullName="Ada")).findings == []


@pytest.mark.parametrize(
    ("read", "raw", "value"),
    [
        (convert.size, 9.5, "9.5"),
        (convert.size, 9.0, "9"),
        (convert.size, " 2XL ", "2XL"),
        (convert.size, True, Unreadable),
        (convert.inches, 36, (3, 0)),
        (convert.inches, 96, (8, 0)),
        (convert.inches, 61.5, (5, 1.5)),
        (convert.inches, "65", Unreadable),
        (convert.number, "NaN", Unreadable),
        (convert.number, 0, 0),
        (convert.day, " 9999-12-31", "9999-12-31"),
        (convert.day, "0000-01-01", Unreadable),
        (convert.day, "1990-05-01T00:00:00Z", Unreadable),
        (convert.instant_text, 1_672_531_200_000.25, "2023-01-01T00:00:00.000250Z"),
        (convert.instant_text, "2023-01-01", Unreadable),
    ],
)
def test_converters(read: Any, raw: Any, value: Any) -> None:
    if value is Unreadable:
        with pytest.raises(Unreadable):
            read(raw)
    else:
        assert read(raw) == value
