"""Settings, from the environment alone: every variable starts with `DOSSIER_`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from adapters.sealing import read_keys
from domain.errors import ConfigurationInvalid


class Settings(BaseSettings):
    """What the environment says.

    `database_url`: a PostgreSQL 15+ server to use; unset means the embedded one. `home`: where that one keeps its
    data. `master_key`, or `master_key_file` that holds it: what personal values are sealed with in the end; unset means
    the embedded server's own file, and no sealing on another server. `actor`: the account id that acts when `--actor`
    is not given; unset means the local operator. `audit_home`: where signing keys and checkpoints are, outside the
    database. `audit_key`: the private key itself, in place of the file there.
    """

    model_config = SettingsConfigDict(env_prefix="DOSSIER_", extra="ignore", frozen=True)

    database_url: SecretStr | None = None
    home: Path = Path(".dossier")
    master_key: SecretStr | None = None
    master_key_file: Path | None = None
    actor: str | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: Literal["console", "json"] = "console"
    audit_home: Path = Path(".dossier-audit")
    audit_key: SecretStr | None = None
    pool_size: int = Field(default=8, ge=4)
    lock_timeout_ms: int = Field(default=10_000, ge=1)

    @field_validator("master_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            read_keys(key.get_secret_value())
        return key

    @field_validator("database_url")
    @classmethod
    def _is_for_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            try:
                conninfo_to_dict(url.get_secret_value())
            except psycopg.ProgrammingError:
                raise ValueError("not a PostgreSQL URL") from None
        return url


def load_settings() -> Settings:
    """Read the environment; raises ConfigurationInvalid naming the variable at fault, never its value."""
    try:
        return Settings()
    except ValidationError as error:
        names = ", ".join(f"DOSSIER_{'_'.join(str(part) for part in found['loc']).upper()}" for found in error.errors())
        raise ConfigurationInvalid(f"not a valid setting: {names}", hint="see docs/operations.md, “Settings”") from None
