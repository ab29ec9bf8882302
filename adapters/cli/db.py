"""`dossier db`: the database, embedded or another."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.bootstrap import Application, application, database_url, embedded, server_version
from adapters.cli.audit_keys import checkpoint_folder, key_folder
from adapters.cli.output import Output
from adapters.cli.session import AsJson, reading
from adapters.master_key import key_file
from adapters.postgres.embedded import HIDE_ACTIVITY, READER
from adapters.postgres.resealing import reseal
from adapters.settings import Settings, load_settings
from domain import access
from domain.errors import ConfigurationInvalid, SchemaMismatch
from projections.all import READ_MODELS

OLDEST: Final = 15
_SECRET: Final = ("password", "sslpassword")

app = typer.Typer(help="The database: the embedded one, or that of DOSSIER_DATABASE_URL.", no_args_is_help=True)


@app.command()
def init(*, as_json: AsJson = False) -> None:
    """Create whatever is not there yet: store, guards, tables. What is there stays."""
    out, settings = Output(as_json=as_json), load_settings()
    _notice(out, settings)
    _check_version(server_version(database_url(settings)))
    with application(settings) as opened:
        opened.initialise()
        state = _state(opened)
    out.json({"database": _kind(settings), **state})
    out.line(f"The {_kind(settings)} database is initialised; its log is at position {state['position']}.")
    out.next("`dossier sample contexts --out DIR`, then `dossier migrate plan contexts --source DIR`")


@app.command()
def migrate(*, as_json: AsJson = False) -> None:
    """Bring the store up to this release; safe while others use it. The tables follow with `projections upgrade`."""
    out, settings = Output(as_json=as_json), load_settings()
    _check_version(server_version(database_url(settings)))
    with application(settings) as opened:
        opened.migrate()
        outdated = [model.name for model in opened.outdated()]
    out.json({"database": _kind(settings), "outdated": outdated})
    out.line("The store is of this release.")
    if outdated:
        out.line(f"Tables of another release: {', '.join(outdated)}.")
        out.next("`dossier projections upgrade --prepare`, and without --prepare when you deploy")


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Say where the database is, whether it runs and whether it is initialised; starts nothing."""
    out, settings = Output(as_json=as_json), load_settings()
    found: dict[str, Any] = {"database": _kind(settings)}
    if settings.database_url is None:
        _notice(out, settings)
        server = embedded(settings)[0].status()
        found |= {
            "running": server.running,
            "pid": server.pid,
            "home": str(server.home),
            "data": str(server.data),
            "log": str(server.log),
            "server_version": server.server_version,
        }
    else:
        version = server_version(settings.database_url.get_secret_value())
        found |= {"running": True, "server_version": _dotted(version), "supported": version >= OLDEST * 10_000}
    found["sealing"] = _sealing(settings)
    if found["running"]:
        with application(settings) as opened:
            found |= _state(opened)
    out.json(found)
    out.pairs(found)
    out.next(_advice(found))


@app.command()
def seal(*, as_json: AsJson = False) -> None:
    """Seal what was stored before sealing was on; works until the first checkpoint, and goes on where it was stopped.

    The log is written anew, so take a backup first. Commands go on meanwhile, but for a moment at the end.
    """
    out, settings = Output(as_json=as_json), load_settings()
    with application(settings) as opened, out.progress() as watch:
        checkpoints = len(checkpoint_folder(None).known(key_folder().known()))
        done = reseal(opened.events, opened.audit, checkpoints, lambda at, head: watch("seal", at, head))
    out.json(done._asdict())
    out.line(f"{done.events} events and {done.receipts} receipts are sealed.")
    out.next("`dossier audit checkpoint` signs the log as it is now")


@app.command()
def url(
    *,
    show_password: Annotated[bool, typer.Option("--show-password", help="Print the password too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the URL of the database, without its password; starts the embedded server."""
    out = Output(as_json=as_json)
    found = database_url(load_settings())
    shown = found if show_password else without_password(found)
    out.json({"url": shown})
    out.line(shown)


@app.command("reader-url")
def reader_url(
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="ID", help="Whose eyes; the operator without it.")
    ] = None,
    *,
    hours: Annotated[float, typer.Option("--hours", min=0.01, max=24 * 30, help="How long it opens anything.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Print a URL for SQL by hand that sees what an actor may read, and nothing after a while. It is a secret."""
    out, settings = Output(as_json=as_json), load_settings()
    with application(settings) as opened:
        who, permissions = reading(opened, actor)
        access.check_standing(permissions)
        secret = opened.readers.admit(who, timedelta(hours=hours))
        hidden = opened.readers.hides_activity()
    base = embedded(settings)[0].reader_url() if settings.database_url is None else _as_reader(settings)
    found = _with_option(base, f"-c dossier.session={secret}")
    out.json({"url": found, "hours": hours, "activity_hidden": hidden})
    out.line(found)
    if not hidden:
        out.note(
            f"People who read by hand see each other's statements until a superuser runs: {HIDE_ACTIVITY.as_string()}"
        )
    if settings.database_url is not None:
        out.next(f"the role {READER} logs in with a password of yours: ALTER ROLE {READER} LOGIN PASSWORD '…'")


def _as_reader(settings: Settings) -> str:
    found = without_password(database_url(settings))
    if "://" not in found:
        return make_conninfo(found, user=READER)
    parts = urlsplit(found)
    return urlunsplit(parts._replace(netloc=f"{READER}@{parts.netloc.rpartition('@')[2]}"))


def _with_option(found: str, option: str) -> str:
    if "://" not in found:
        return make_conninfo(found, options=option)
    return f"{found}{'&' if '?' in found else '?'}{urlencode({'options': option}, quote_via=quote)}"


@app.command()
def stop(
    *, quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False, as_json: AsJson = False
) -> None:
    """Stop the embedded server; any command starts it again."""
    out, settings = Output(as_json=as_json, quiet=quiet and not as_json), load_settings()
    external = settings.database_url is not None
    stopped = False if external else embedded(settings)[0].stop()
    out.json({"stopped": stopped})
    if external:
        out.line("There is nothing to stop: DOSSIER_DATABASE_URL names a server that Dossier did not start.")
    else:
        out.line("The embedded server is stopped." if stopped else "The embedded server was not running.")


def without_password(found: str) -> str:
    """Return a connection URL or string with its passwords taken out."""
    if "://" not in found:
        kept = {name: value for name, value in conninfo_to_dict(found).items() if name not in _SECRET}
        return make_conninfo("", **kept)
    parts = urlsplit(found)
    user, at, hosts = parts.netloc.rpartition("@")
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in _SECRET]
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}{at}{hosts}", query=urlencode(query)))


def _kind(settings: Settings) -> str:
    return "embedded" if settings.database_url is None else "external"


def _state(opened: Application) -> dict[str, Any]:
    try:
        return {
            "initialised": True,
            "position": min(opened.reads.positions(READ_MODELS).values()),
            "head": opened.events.head(),
        }
    except SchemaMismatch as mismatch:
        return {"initialised": False, "reason": mismatch.message, "hint": mismatch.hint}


def _sealing(settings: Settings) -> str:
    """Say whether personal values are sealed, and where the master key is."""
    home = embedded(settings)[0].home if settings.database_url is None else None
    if settings.master_key is not None:
        return "on, by DOSSIER_MASTER_KEY"
    if path := key_file(settings, home):
        return f"on, by the key file {path}"
    return "off: set DOSSIER_MASTER_KEY or DOSSIER_MASTER_KEY_FILE; nobody can be erased without"


def _check_version(version: int) -> None:
    if version < OLDEST * 10_000:
        raise ConfigurationInvalid(
            f"the server is PostgreSQL {_dotted(version)}; {OLDEST} is the oldest that will do",
            hint="point DOSSIER_DATABASE_URL at a newer server, or unset it to use the embedded one",
        )


def _dotted(version: int) -> str:
    return f"{version // 10_000}.{version % 10_000}"


def _advice(found: dict[str, Any]) -> str:
    if found.get("supported") is False:
        return f"use PostgreSQL {OLDEST} or newer"
    if not found["running"]:
        return "`dossier db init` starts it; so does any command that needs it"
    return "`dossier projections status`" if found["initialised"] else str(found["hint"])


def _notice(out: Output, settings: Settings) -> None:
    if settings.database_url is None and (notice := embedded(settings)[1]):
        out.note(notice)
