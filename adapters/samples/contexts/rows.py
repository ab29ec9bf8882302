"""Oddities of rows, ids and references, and lines that are broken whole."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from adapters.samples.contexts.people import NAMES, Bundle, Oddity, cuid
from adapters.samples.contexts.values import puts
from adapters.samples.truth import ABSENT, NORMALISED, STANDING_WAYS, UNREADABLE, Put, broken_ways


def _rename_user(bundle: Bundle, make: Callable[[Bundle], str | int], *, text: bool = False) -> None:
    new = make(bundle)
    is_number = isinstance(new, int)
    bundle.user.put("/id", new, NORMALISED if is_number else None)
    for context in bundle.contexts:
        context.row.put("/userId", str(new) if text else new, NORMALISED if is_number and not text else None)


def _slug(bundle: Bundle) -> str:
    return f"demo-{bundle.rng.choice(NAMES).lower()}-{bundle.serial}"


def _integer(bundle: Bundle) -> int:
    return 4711 + bundle.serial


def _integer_and_text(bundle: Bundle) -> None:
    _rename_user(bundle, _integer)
    bundle.user.repeat(id=str(bundle.user.doc["id"]))


ROWS: Final[dict[str, Oddity]] = {
    "slug_id": partial(_rename_user, make=_slug),
    "integer_id": partial(_rename_user, make=_integer),
    "integer_id_parent_text": partial(_rename_user, make=_integer, text=True),
    "integer_id_again_as_text": _integer_and_text,
    "user_copied": lambda bundle: bundle.user.repeat(),
    "user_id_twice": lambda bundle: bundle.user.repeat(name="Somebody Else", extra=None),
    "context_copied": lambda bundle: bundle.contexts[2].row.repeat(),
    "context_id_twice": lambda bundle: bundle.contexts[2].row.repeat(tonePreference="grave"),
    "profile_copied": lambda bundle: bundle.contexts[2].blob.repeat(),
    "profile_id_twice": lambda bundle: bundle.contexts[2].blob.repeat(completeness=999, data={"a": [None]}),
}


def _twin_email(bundle: Bundle, change: Callable[[str], str], mark: str | None, holders: int) -> None:
    if bundle.neighbour:
        bundle.user.put("/email", change(bundle.neighbour), mark, "duplicate_lookup " * holders)


EMAIL: Final[dict[str, Oddity]] = puts(
    lambda bundle: bundle.user,
    {
        "null": Put("/email", None),
        "absent": Put("/email", ABSENT),
        "blank": Put("/email", " "),
        "number": Put("/email", 41791234567, UNREADABLE, "unreadable"),
        "outer_blanks": Put("/email", lambda old: f" {old} ", NORMALISED),
    },
)
# the finding counts for both accounts that hold the email
TWINS: Final[dict[str, Oddity]] = {
    "duplicate": partial(_twin_email, change=str, mark=None, holders=2),
    "duplicate_outer_blanks": partial(_twin_email, change=lambda old: f"{old} ", mark=NORMALISED, holders=2),
    "differs_by_case": partial(_twin_email, change=str.upper, mark=None, holders=0),
}

_TEXT_AT: Final = {
    "User": "/name",
    "ContextProfile": "/tonePreference",
    "Profile": "/data/intent",
    "ChatMessage": "/content",
}
WAYS: Final = {table: broken_ways(at) for table, at in _TEXT_AT.items()}


def _break_profile(bundle: Bundle, way: str) -> None:
    WAYS["Profile"][way](bundle.contexts[3].blob)


def _drop_profile(bundle: Bundle) -> None:
    bundle.contexts[3].profile = None


def _break_context(bundle: Bundle, way: str) -> None:
    context = bundle.contexts[4]
    WAYS["ContextProfile"][way](context.row)
    context.blob.code, context.standing = "no_subject", way in STANDING_WAYS


def _unknown_kind(bundle: Bundle, change: Callable[[str], object]) -> None:
    context = bundle.contexts[4]
    context.row.put("/contextType", change(context.kind))
    context.row.code = context.blob.code = "unknown_context"


def _break_message(bundle: Bundle, way: str) -> None:
    WAYS["ChatMessage"][way](bundle.messages[1])


def dangling_user(bundle: Bundle) -> None:
    """Let the first message name a user who is not in the export."""
    bundle.messages[0].put("/userId", cuid(bundle.rng))
    bundle.messages[0].code = "no_subject"


def _each(ways: Mapping[str, object], oddity: Callable[..., None]) -> dict[str, Oddity]:
    return {name: partial(oddity, way=name) for name in ways}


BROKEN_PROFILES: Final = _each(WAYS["Profile"], _break_profile) | {"no_row": _drop_profile}
BROKEN_CONTEXTS: Final = _each(WAYS["ContextProfile"], _break_context) | {
    "kind_unknown": partial(_unknown_kind, change=lambda _: "business"),
    "kind_other_case": partial(_unknown_kind, change=str.title),
    "kind_null": partial(_unknown_kind, change=lambda _: None),
    "kind_number": partial(_unknown_kind, change=lambda _: 5),
}
BROKEN_MESSAGES: Final = _each(WAYS["ChatMessage"], _break_message) | {
    "copied": lambda bundle: bundle.messages[2].repeat(),
    "id_twice": lambda bundle: bundle.messages[2].repeat(content="said otherwise"),
}
