"""What an authentication service says of a person, and the two commands that bring it in: get-or-create, and sync."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from pydantic import Field

from domain.command import Command, Participant
from domain.streams import merged_profile_id
from domain.values import Json, ShortText, is_unset

CONTACT: Final = ("email", "phone")
NAMES: Final = ("full_name", "first_name", "last_name")


class _IdentityCommand(Command):
    account_id: UUID
    email: ShortText | None = None
    phone: ShortText | None = None
    full_name: ShortText | None = None
    name: ShortText | None = None
    first_name: ShortText | None = None
    last_name: ShortText | None = None

    def contact(self) -> dict[str, str]:
        """Return the contact fields the identity says anything about."""
        return {field: value for field in CONTACT if not is_unset(value := getattr(self, field))}

    def names(self) -> dict[str, Any]:
        """Return the names the identity says anything about; `name` stands in for a full name it does not give."""
        said = {field: getattr(self, field) for field in NAMES} | {"full_name": self.full_name or self.name}
        return {field: value for field, value in said.items() if not is_unset(value)}


class EnsureProfile(_IdentityCommand):
    """Make sure that the account has a profile of a kind: what is there stays, what is not there is made.

    A new account begins with what the identity says, a new profile with the fields.
    """

    kind: str
    fields: dict[str, Json] = Field(default_factory=dict)

    @property
    def profile_id(self) -> UUID:
        """The profile that is made if the account has none of the kind; an import gives it the same id."""
        return merged_profile_id(self.account_id, self.kind)

    def participants(self) -> tuple[Participant, ...]:
        """The profile, and the account that lists it."""
        return Participant("profile", self.profile_id), Participant("account", self.account_id)


class SyncIdentity(_IdentityCommand):
    """Take over what the identity says where it differs. What it does not say stays; nothing is cleared."""

    def participants(self) -> tuple[Participant, ...]:
        """The account alone."""
        return (Participant("account", self.account_id),)
