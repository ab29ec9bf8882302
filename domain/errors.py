"""The error tree; whatever Dossier raises on purpose is a DossierError.

DossierError
├── CommandRejected            the command cannot be carried out; nothing was written
│   ├── InvalidCommand         a field is missing, malformed or outside its vocabulary
│   ├── NotFound               the record a command or read names does not exist
│   ├── AlreadyExists          the id is taken
│   ├── RuleViolated           the record's present state forbids it
│   │   └── TransitionForbidden   a status may not be followed by this one; names those that may
│   ├── AccessDenied           the actor may not do or see this
│   ├── VersionConflict        somebody else wrote first
│   └── CommandIdReused        the command id was used before, with another payload
├── StoreError                 the database
│   ├── StoreUnavailable       no connection, or the server refused it
│   ├── StoreBusy              the append gate was not free in time; nothing was written
│   ├── UnknownOutcome         the connection broke at commit and nobody knows what became of it
│   ├── SchemaMismatch         the database has not been initialised, or by another release
│   ├── StoredEventUnreadable  a stored event does not fit its registered type
│   └── RowsRefused            the table of a read model refuses rows
├── ProofFailed                the log, a checkpoint or an evidence file is not what was signed
├── InputUnreadable            a legacy source, file or archive as a whole cannot be read
├── RunConflict                another run, rebuild or follower holds the lock
└── ConfigurationInvalid       settings, environment or installation
"""

from __future__ import annotations

from typing import Any, ClassVar


class DossierError(Exception):
    """Base of all errors; carries a stable `code`, the `field` at fault if any, and a `hint` on what to do next."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.hint = hint

    def as_dict(self) -> dict[str, Any]:
        """Return code, message, field and hint, unset ones left out, as `--json` prints them."""
        values = {"code": self.code, "message": self.message, "field": self.field, "hint": self.hint}
        return {key: value for key, value in values.items() if value is not None}


class CommandRejected(DossierError):
    """The command cannot be carried out; nothing was written."""

    code = "command_rejected"


class InvalidCommand(CommandRejected):
    """A field is missing, malformed or outside its vocabulary."""

    code = "invalid_command"


class NotFound(CommandRejected):
    """The record a command or read names does not exist."""

    code = "not_found"


class AlreadyExists(CommandRejected):
    """The id is taken."""

    code = "already_exists"


class RuleViolated(CommandRejected):
    """The present state of the record forbids it."""

    code = "rule_violated"


class TransitionForbidden(RuleViolated):
    """A status may not be followed by this one; `allowed` are the codes of those that may."""

    code = "transition_forbidden"

    def __init__(self, message: str, *, field: str | None = None, allowed: tuple[str, ...]) -> None:
        super().__init__(message, field=field, hint=f"allowed: {', '.join(allowed) or 'none'}")
        self.allowed = allowed

    def as_dict(self) -> dict[str, Any]:
        """Return what every error has, and the allowed codes as a list."""
        return {**super().as_dict(), "allowed": list(self.allowed)}


class AccessDenied(CommandRejected):
    """The actor may not do or see this."""

    code = "access_denied"


class VersionConflict(CommandRejected):
    """Somebody else wrote to the stream first; load again and decide anew."""

    code = "version_conflict"


class CommandIdReused(CommandRejected):
    """The command id was used before with another payload or by another actor."""

    code = "command_id_reused"


class StoreError(DossierError):
    """The database refused, failed or holds something unreadable."""

    code = "store_error"


class StoreUnavailable(StoreError):
    """No connection could be had, or it broke before anything was written."""

    code = "store_unavailable"


class StoreBusy(StoreError):
    """The append gate was not free in time; nothing was written, try again."""

    code = "store_busy"


class UnknownOutcome(StoreError):
    """The connection broke at commit and nobody knows what became of it; ask again with the same command id."""

    code = "unknown_outcome"


class SchemaMismatch(StoreError):
    """The database has not been initialised, or by another release."""

    code = "schema_mismatch"


class StoredEventUnreadable(StoreError):
    """A stored event does not fit the type registered for its topic and schema version."""

    code = "stored_event_unreadable"


class RowsRefused(StoreError):
    """The table of a read model refuses rows: a constraint forbids them, or a type cannot hold a value."""

    code = "rows_refused"


class ProofFailed(DossierError):
    """The log, a checkpoint or an evidence file is not what was signed."""

    code = "proof_failed"


class InputUnreadable(DossierError):
    """A legacy source, file or archive as a whole cannot be read (single bad records are quarantined instead)."""

    code = "input_unreadable"


class RunConflict(DossierError):
    """Another run, rebuild or follower holds the lock."""

    code = "run_conflict"


class ConfigurationInvalid(DossierError):
    """Settings, environment or installation do not work."""

    code = "configuration_invalid"
