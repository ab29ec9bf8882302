"""Events as types: the base of all of them, the marks on personal fields, the envelope and the registry by topic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any, ClassVar, Final, NamedTuple, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

LIVE: Final = "live"
UNKNOWN_AUTHOR: Final = "legacy-unknown"
IMPORTER: Final = "import"


class Erased:
    """Stands in the place of a personal value whose subject was erased; written to JSON as `{"erased": true}`.

    It is only ever made by the store's mapper: no JSON input reads as Erased.
    """

    def __repr__(self) -> str:
        return "ERASED"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.is_instance_schema(
            cls, serialization=core_schema.plain_serializer_function_ser_schema(lambda _: {"erased": True})
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "type": "object",
            "properties": {"erased": {"const": True}},
            "required": ["erased"],
            "description": "the value of an erased person",
        }


ERASED: Final = Erased()


class PersonalMark:
    """Marks a payload field that says something about a person."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "x-personal": True}


T = TypeVar("T")
Personal = Annotated[T | Erased, PersonalMark()]
"""`Personal[str]`: a str that belongs to the subject of the event, or `Erased` in its place."""


def known(value: T | Erased) -> T | None:
    """Return a personal value, or None where it was erased."""
    return None if isinstance(value, Erased) else value


class Source(NamedTuple):
    """Where an imported value came from: legacy table, key of the record, JSON pointer into it."""

    table: str
    key: str
    pointer: str

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # An imported event has a dozen of them, and calling the class to check each takes half as long again.
        text = core_schema.str_schema()
        three = core_schema.tuple_schema([text, text, text])
        return core_schema.no_info_after_validator_function(partial(tuple.__new__, cls), three)


class Change(BaseModel):
    """One changed field: what it was and what it became; None stands for unset."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    old: Any = None
    new: Any = None


class DomainEvent(BaseModel):
    """Base of all events. A subclass names its topic: `class CaseOpened(DomainEvent, topic="case.opened")`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    topic: ClassVar[str]
    schema_version: ClassVar[int]

    def __init_subclass__(cls, *, topic: str = "", schema_version: int = 1, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not topic:
            return
        if topic in EVENT_TYPES:
            raise ValueError(f"topic {topic!r} is registered twice: {EVENT_TYPES[topic].__name__}, {cls.__name__}")
        cls.topic, cls.schema_version = topic, schema_version
        EVENT_TYPES[topic] = cls


EVENT_TYPES: Final[dict[str, type[DomainEvent]]] = {}
"""Every event type by its topic."""


def personal_fields(event_type: type[DomainEvent]) -> frozenset[str]:
    """Return the names of the payload fields marked personal."""
    return frozenset(
        name
        for name, field in event_type.model_fields.items()
        if any(isinstance(mark, PersonalMark) for mark in field.metadata)
    )


@dataclass(frozen=True, slots=True)
class EventMetadata:
    """The envelope beside stream, version, position, topic and schema version; its fields are fixed.

    `occurred_at` is when it happened, `recorded_at` when we learned it; `actor` did it, `recorded_by` wrote it;
    `subject` is the account whose personal data the event holds; `origin` is `live` or `import:<run id>`;
    `provenance` maps a payload field of an imported event to the legacy values it was made from.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    occurred_at: AwareDatetime
    recorded_at: AwareDatetime
    actor: str
    recorded_by: str
    subject: UUID | None = None
    command_id: UUID | None = None
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    origin: str = LIVE
    provenance: dict[str, tuple[Source, ...]] | None = None


class NewEvent(NamedTuple):
    """An event that waits to be appended to a stream as the given version."""

    stream: UUID
    version: int
    event: DomainEvent
    metadata: EventMetadata


class Unreadable(NamedTuple):
    """Stands in the place of an event whose stored body does not fit its type, where a reader carries on without it."""

    reason: str


class Recorded(NamedTuple):
    """A stored event as read back; `position` is its place in the log, `schema_version` the one it was stored with."""

    stream: UUID
    version: int
    position: int
    topic: str
    event: Any
    metadata: EventMetadata
    schema_version: int = 1

    @property
    def occurred_at(self) -> datetime:
        """When it happened, UTC."""
        return self.metadata.occurred_at

    @property
    def recorded_at(self) -> datetime:
        """When we learned it, UTC."""
        return self.metadata.recorded_at
