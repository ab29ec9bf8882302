"""Commands as types: the base of all of them and the registry by name, from which the JSON Schema is made."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from domain.errors import InvalidCommand


class Participant(NamedTuple):
    """A stream that takes part in a command: the name of its aggregate and its id."""

    aggregate: str
    stream: UUID


class Command(BaseModel):
    """Base of all commands. Every aggregate named in `participants` decides on it; the first owns the receipt."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if not cls.__name__.startswith("_"):
            COMMAND_TYPES[cls.__name__] = cls

    def participants(self) -> tuple[Participant, ...]:
        """Return the streams that decide on this command, the one it is about first."""
        raise NotImplementedError

    def account(self) -> UUID | None:
        """Return the account the command names, if it does; a record that exists knows its owner better."""
        return getattr(self, "account_id", None)

    def at(self, now: datetime) -> Self:  # noqa: ARG002 – for those to whom time matters
        """Return the command as it is issued at this time; raises InvalidCommand for what cannot be said then."""
        return self


C = TypeVar("C", bound=Command)


def not_ahead(command: C, field: str, now: datetime) -> C:
    """Return the command with the time in a field, now where none is given; raises InvalidCommand if it lies ahead."""
    given: datetime | None = getattr(command, field)
    if given is None:
        return command.model_copy(update={field: now})
    if given > now:
        raise InvalidCommand("this lies in the future", field=field, hint="issue the command when it has happened")
    return command


COMMAND_TYPES: Final[dict[str, type[Command]]] = {}
"""Every command type by its name."""


def parse_command(name: str, data: object) -> Command:
    """Build a command from its name and plain data; raises InvalidCommand naming the field at fault."""
    command_type = COMMAND_TYPES.get(name)
    if command_type is None:
        raise InvalidCommand(
            f"there is no command {name!r}", field="command", hint=f"one of: {', '.join(sorted(COMMAND_TYPES))}"
        )
    try:
        return command_type.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or None
        raise InvalidCommand(
            f"{name}: {field or 'data'}: {first['msg']}", field=field, hint=f"see `dossier schema commands {name}`"
        ) from None
