"""The audit log in the demo: signed outside the database, handed over as an evidence file, verified."""

from __future__ import annotations

from shutil import rmtree

from adapters.audit.checkpoints import CheckpointFolder, sign_head
from adapters.audit.export import Exporter
from adapters.audit.keys import KeyFolder
from adapters.audit.store import verify_store
from adapters.audit.verifier import verify
from adapters.bootstrap import utc_now
from adapters.demo.stage import OPERATOR, Stage
from adapters.private_file import private_file


class Audit:
    """Keys of the demo's own, a checkpoint, an evidence file."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def prove(self, title: str) -> None:
        """Sign the head of the log, export it with its proofs, and verify file and store."""
        app, folder, path = self._stage.app, self._stage.folder / "audit", self._stage.folder / "evidence.zip"
        rmtree(folder, ignore_errors=True)  # a key of an earlier demo signed another log
        keys, checkpoints = KeyFolder(folder), CheckpointFolder(folder / "checkpoints")
        key = keys.generate("demo")
        with self._stage.out.progress() as watch:
            head = sign_head(app.audit, key, utc_now(), None, lambda done, total: watch("leaves", done, total))
            where = checkpoints.write(head)
            self._stage.note(title, f"{head.checkpoint.size} events signed outside the database", where)
            with private_file(path) as file:
                Exporter(app.dossier, app.audit, key).write(
                    file, head, {}, "jsonl", OPERATOR, lambda done, total: watch("export", done, total)
                )
            found = verify(path, keys.known(), lambda done, total: watch("verify the file", done, total))
            events, complete = found.manifest["events"], found.complete
            self._stage.expect("the evidence file leaves something out", holds=complete)
            self._stage.note(title, f"{events} events as CloudEvents 1.0, each proven to be in the signed log", path)
            store = verify_store(
                app.audit, checkpoints.known(keys.known()), lambda done, total: watch("verify the store", done, total)
            )
        self._stage.expect("the store is not what was signed", holds=not store.findings)
        self._stage.note(title, f"{store.events} stored events are what was signed")
