"""What an account can say of its person beside email, phone and name, and which legacy system each detail is of."""

from __future__ import annotations

from typing import Final

from domain.vocabulary import FieldShape, day, text

ACCOUNT_DETAILS: Final[dict[str, FieldShape]] = {
    # Names are separate values: none is put together from the others (talent, decks).
    "first_name": text(),
    "last_name": text(),
    "full_name": text(),
    "display_name": text(),
    # talent
    "date_of_birth": day(),
}
