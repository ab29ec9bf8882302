"""`dossier audit keys`: the keys that sign checkpoints and evidence files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adapters.audit.checkpoints import CheckpointFolder
from adapters.audit.keys import KeyFolder, SigningKey
from adapters.audit.verifier import PublicKey, Unproven, public_keys
from adapters.cli.output import Output
from adapters.cli.session import AsJson
from adapters.settings import load_settings

app = typer.Typer(help="The keys that sign checkpoints and evidence files.", no_args_is_help=True)

Checkpoints = Annotated[
    Path | None,
    typer.Option(
        "--checkpoints",
        metavar="DIR",
        file_okay=False,
        help="Where checkpoints are kept; by default DOSSIER_AUDIT_HOME/checkpoints. Best on another machine.",
    ),
]


Keys = Annotated[
    list[str] | None,
    typer.Option("--key", help="A public key, or a file with one a line; by default those of DOSSIER_AUDIT_HOME."),
]


def checkpoint_folder(given: Path | None) -> CheckpointFolder:
    """Return the folder of the checkpoints."""
    return CheckpointFolder(given or load_settings().audit_home / "checkpoints")


@app.command()
def generate(
    *,
    name: Annotated[
        str, typer.Option("--name", help="The name of the log, as others will know it: example.org/dossier.")
    ] = "dossier",
    as_json: AsJson = False,
) -> None:
    """Make the first key: the private one is yours alone, the public one is for whoever verifies."""
    folder = key_folder()
    _made(Output(as_json=as_json), folder, folder.generate(name))


@app.command()
def rotate(*, as_json: AsJson = False) -> None:
    """Make a new key in the place of the present one; what the old one signed can still be verified."""
    folder = key_folder()
    _made(Output(as_json=as_json), folder, folder.rotate())


@app.command()
def export(*, as_json: AsJson = False) -> None:
    """Print the public keys, the newest last: hand them to whoever is to verify."""
    out = Output(as_json=as_json)
    keys = [str(key) for key in key_folder().known()]
    out.json({"keys": keys})
    for key in keys:
        out.line(key)


def key_folder() -> KeyFolder:
    """Return where the keys are, as the environment says."""
    settings = load_settings()
    given = settings.audit_key
    return KeyFolder(settings.audit_home, None if given is None else given.get_secret_value())


def keys_given(given: list[str] | None) -> list[PublicKey]:
    """Return the public keys of `--key`, or all that are known."""
    if not given:
        return key_folder().known()
    try:
        return public_keys(given)
    except (Unproven, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"--key: {error}") from None


def _made(out: Output, folder: KeyFolder, key: SigningKey) -> None:
    out.json({"key": str(key.public), "private_file": str(folder.private_file), "public_file": str(folder.public_file)})
    out.line(f"The private key is in {folder.private_file}, readable by you alone. The public key is:")
    out.line(str(key.public))
    out.next("keep the private key off the database's machine, and hand the public one to whoever is to verify")
