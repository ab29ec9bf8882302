"""What an account can say of its person beside email, phone and name, and which legacy system each detail is of."""

from __future__ import annotations

from typing import Final

from domain.kinds.talent_fields import ONBOARDING_FIELDS
from domain.vocabulary import (
    FieldShape,
    day,
    flag,
    instant,
    integer,
    items,
    json_object,
    number,
    structure,
    text,
    texts,
)

ACCOUNT_DETAILS: Final[dict[str, FieldShape]] = {
    # Names are separate values: none is put together from the others (talent, decks).
    "first_name": text(),
    "last_name": text(),
    "full_name": text(most=100),
    "display_name": text(),
    # talent
    "date_of_birth": day(),
    "token_id": text(),
    "member_type": text("member"),
    "profile_type": text("dancer", "choreographer", "guest"),
    "points": number(),
    "favorites": texts(),  # ids of accounts, in the order they were liked
    "push_tokens": items(structure({"token": text(), "platform": text("ios", "android"), "updated_at": instant()})),
    # talent: which profile a legacy record says is active, where the account has no such profile
    "active_profile_type": text(),
    "active_dancer_key": text(),
    "active_choreographer_key": text(),
    **ONBOARDING_FIELDS,  # talent; decks knows that it was completed
    # caregivers: the number of the SMS conversation, which is not the phone one signs in with
    "sms_phone": text(),
    "image": text(),
    "email_verified_at": instant(),
    "phone_verified_at": instant(),
    "is_anonymous": flag(),
    "other_roles": texts(),  # roles Dossier does not have
    # decks
    "email_verified": flag(),
    "is_active": flag(),  # shown in the public view; it closes no account
    "last_login": instant(),
    "login_count": integer(least=0),
    "timezone": text(),
    "language": text(),
    "preferences": json_object(),
    "notification_settings": json_object(),
}
