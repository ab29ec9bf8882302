"""The columns the decks table `profiles` ever had: what each is called, how its values are read, where they go.

Rows and columns that mean the same offer their values in turn; the first set one is chosen. D-numbers refer to
`docs/legacy/decks.md`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import getitem
from typing import Any, Final, NamedTuple

from domain.account import PHONE
from domain.account_details import ACCOUNT_DETAILS
from domain.billing import BILLING_FIELDS, Subscription, one_spelling
from domain.kinds.deck import KIND
from domain.values import is_unset, same_json, without_unset
from domain.vocabulary import FieldShape, instant_text, text
from migrations_replay import convert
from migrations_replay.convert import Unreadable
from migrations_replay.facts import Facts, Normal, Place, RecordFacts, pointer_to, unique
from migrations_replay.leaves import CONFLICTING, MAPPED, NORMALISED, leaf_steps
from migrations_replay.sql_array import sql_array

CONTACT: Final = "contact"
DETAIL: Final = "details"
PROFILE: Final = "profile"
BILLING: Final = "billing"
STATUS: Final = "status"


def _instant(raw: Any) -> str:
    return instant_text(convert.instant(raw))


def _status(raw: Any) -> str:
    return one_spelling(convert.text(raw))


def _json(raw: Any, *wanted: type[Any]) -> Any:
    """Read a JSON value of one of these types, also out of a text that holds it as JSON or as an SQL array (D13)."""
    found = raw
    for kind in wanted if isinstance(raw, str) else ():
        try:
            found = convert.opened(raw, kind)
        except Unreadable:
            continue
        break
    if isinstance(found, str) and list in wanted:
        found = sql_array(found)
    if not isinstance(found, wanted):
        raise Unreadable("a list or an object is expected")
    return convert.exact(found)


def _object(raw: Any) -> Any:
    return _json(raw, dict)


def _colours(raw: Any) -> Any:
    return _json(raw, dict, list)


def _metrics(raw: Any) -> Any:
    if isinstance(raw, list):
        return raw  # each item is looked at by itself
    found = [item for item in _json(raw, list) if not is_unset(item)]
    if not all(isinstance(item, str) for item in found):
        raise Unreadable("a list of texts is expected")
    return found


class Column(NamedTuple):
    """A column of the final table: the home and name of its values, how they are read, its older names, newest first.

    `texts` says that it holds a list of texts, each taken by itself.
    """

    home: str
    target: str
    read: Callable[[Any], Any] = convert.text
    older: tuple[str, ...] = ()
    texts: bool = False


COLUMNS: Final[dict[str, Column]] = {
    "email": Column(CONTACT, "email"),
    "phone": Column(CONTACT, "phone"),
    "full_name": Column(DETAIL, "full_name", older=("name",)),
    "first_name": Column(DETAIL, "first_name"),
    "last_name": Column(DETAIL, "last_name"),
    "onboarding_completed": Column(DETAIL, "onboarding_completed", convert.flag),
    "email_verified": Column(DETAIL, "email_verified", convert.flag),
    "is_active": Column(DETAIL, "is_active", convert.flag),
    "last_login": Column(DETAIL, "last_login", _instant, older=("last_login_at",)),
    "login_count": Column(DETAIL, "login_count", convert.whole_number, older=("total_logins",)),
    "timezone": Column(DETAIL, "timezone"),
    "language": Column(DETAIL, "language"),
    "preferences": Column(DETAIL, "preferences", _object),
    "notification_settings": Column(DETAIL, "notification_settings", _object),
    "bio": Column(PROFILE, "bio"),
    "company_name": Column(PROFILE, "company_name", older=("company",)),
    "job_title": Column(PROFILE, "job_title"),
    "industry": Column(PROFILE, "industry"),
    "target_audience": Column(PROFILE, "target_audience"),
    "business_context": Column(PROFILE, "business_context"),
    "master_system_prompt": Column(PROFILE, "master_system_prompt"),
    "avatar_url": Column(PROFILE, "avatar_url"),
    "profile_picture_url": Column(PROFILE, "profile_picture_url"),
    "logo_url": Column(PROFILE, "logo_url"),
    "brand_colors": Column(PROFILE, "brand_colors", _colours),
    "key_metrics": Column(PROFILE, "key_metrics", _metrics, texts=True),
    "subscription_tier": Column(BILLING, "subscription_tier", older=("tier",)),
    "subscription_plan": Column(BILLING, "subscription_plan", older=("plan",)),
    "stripe_customer_id": Column(BILLING, "stripe_customer_id"),
    "stripe_subscription_id": Column(BILLING, "stripe_subscription_id"),
    "subscription_status": Column(STATUS, "status", _status),
}
"""Every column of the final table that holds a value of its own, by its name there."""


_SHAPES: Final[Mapping[str, Mapping[str, FieldShape]]] = {
    CONTACT: {"email": text(), "phone": PHONE},
    DETAIL: ACCOUNT_DETAILS,
    PROFILE: KIND.fields,
    BILLING: BILLING_FIELDS,
    STATUS: {"status": text(*Subscription)},
}
"""The vocabularies and limits of each home."""


def _camel_case(name: str) -> str:
    return re.sub("_(.)", lambda found: found.group(1).upper(), name)


NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(dict.fromkeys((name, _camel_case(name), *column.older))) for name, column in COLUMNS.items()
}
"""What each column was ever called, newest first: an older class sent camel case."""
LAST_LOGIN: Final = NAMES["last_login"]


class _Leaf(NamedTuple):
    """A set leaf of an offered value: where it stands in the document, and by which steps in the value."""

    pointer: str
    steps: tuple[str | int, ...]
    raw: Any


@dataclass(frozen=True)
class Offer:
    """What one row says for a column: the value in stored form, and its set leaves."""

    row: RecordFacts
    name: str
    value: Any
    leaves: tuple[_Leaf, ...]

    @cached_property
    def form(self) -> Any:
        """The value as it is compared."""
        return convert.normal_json(self.value)


def offers(facts: Facts, rows: list[RecordFacts], column: str) -> list[Offer]:
    """Return what rows say for a column, the row that counts most first, in each the newest name first."""
    return [
        offer
        for row in rows
        for name in NAMES[column]
        if name in row.record.document
        if (offer := _offer(facts, row, name, COLUMNS[column])) is not None
    ]


def _offer(facts: Facts, row: RecordFacts, name: str, column: Column) -> Offer | None:
    raw, pointer = row.record.document[name], pointer_to(name)
    if is_unset(raw):
        row.mark(pointer, raw, NORMALISED)
        return None
    try:
        value = column.read(raw)
    except Unreadable:
        facts.unreadable(row, pointer, name, raw)
        return None
    row.mark(pointer, raw, MAPPED)
    if isinstance(raw, (dict, list)):
        value, leaves = _taken_apart(facts, row, name, value, texts=column.texts)
    else:
        value, leaves = _without_unset(value), [_Leaf(pointer, (), raw)]
    if is_unset(convert.normal_json(value)):
        for leaf in leaves:  # a text that holds an empty list or object
            row.classes[leaf.pointer] = NORMALISED
        return None
    shape = _SHAPES[column.home][column.target]
    if shape.is_outside(value):
        facts.finding(row, name, "outside_vocabulary", raw)
    if shape.beyond_limit(value):
        facts.finding(row, name, "outside_limit", raw)
    return Offer(row, name, value, tuple(leaves))


def _taken_apart(facts: Facts, row: RecordFacts, name: str, value: Any, *, texts: bool) -> tuple[Any, list[_Leaf]]:
    """Return a list or object as it is stored, and its leaves; an item that is no text is unreadable by itself."""
    if not texts:
        leaves = [
            _Leaf(pointer_to(name, *steps), steps, leaf) for steps, leaf in leaf_steps(value) if not is_unset(leaf)
        ]
        return _without_unset(value), leaves
    items: list[_Leaf] = []
    for index, item in enumerate(value):
        if isinstance(item, str) and not is_unset(item):
            items.append(_Leaf(pointer_to(name, index), (len(items),), item))
        elif not is_unset(item):
            facts.unreadable(row, pointer_to(name, index), f"{name}/{index}", item)
    return [leaf.raw for leaf in items], items


def _without_unset(value: Any) -> Any:
    return without_unset(value) if isinstance(value, dict) else value


def choose(facts: Facts, found: list[Offer], column: str, place: Place) -> tuple[list[Any], str]:
    """Choose the first offer (at least one); returns the distinct normal forms in order, and the rule that chose."""
    winner, rule = found[0], ""
    for offer in found:
        if offer is winner or convert.json_text(offer.form) == convert.json_text(winner.form):
            _settle(offer, winner, column, place)
            continue
        rule = rule or _rule(winner, offer)
        for leaf in offer.leaves:
            offer.row.classes[leaf.pointer] = CONFLICTING
    forms = unique([offer.form for offer in found])
    if len(forms) > 1:
        facts.conflict(winner.row, column, forms, winner.form, rule)
    return forms, rule


def _settle(offer: Offer, winner: Offer, column: str, place: Place) -> None:
    """Say of each leaf of an offer where its value must be found, and as what it comes back."""
    kind = COLUMNS[column]
    listed = place._replace(item=True)
    for leaf in offer.leaves:
        held = reduce(getitem, leaf.steps, winner.value)
        if not (same_json(leaf.raw, held) or kind.read is _instant):  # times are compared by instant
            offer.row.classes[leaf.pointer] = NORMALISED
        if kind.texts:
            for item in [held] if leaf.steps else held:
                offer.row.expect(leaf.pointer, listed, item, Normal(pointer_to(column), item))
        else:
            normal = Normal(pointer_to(column, *leaf.steps), held)
            offer.row.expect(leaf.pointer, place.below(*leaf.steps) if leaf.steps else place, held, normal)


def _rule(winner: Offer, other: Offer) -> str:
    if winner.row is other.row:
        return "newest_column"
    named = [offer.row.record.parent is not None for offer in (winner, other)]
    return "row_with_user_id" if named == [True, False] else "latest_row"
