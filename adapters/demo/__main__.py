"""`python -m adapters.demo`."""

from __future__ import annotations

import sys

from adapters.bootstrap import application, embedded
from adapters.cli.output import Output
from adapters.demo.stage import Stage
from adapters.demo.story import Demo
from adapters.logging import configure_logging
from adapters.settings import load_settings
from domain.errors import DossierError


def main() -> int:
    """Run the demo: on the server of the settings, or embedded with a home of its own, so that yours stays empty."""
    out = Output()
    try:
        settings = load_settings()
        configure_logging(settings)
        if settings.database_url is None:
            settings = settings.model_copy(update={"home": settings.home / "demo"})
            if notice := embedded(settings)[1]:
                out.note(notice)
        with application(settings) as app:
            app.initialise()
            return Demo(Stage(app, out, home=None if settings.database_url else settings.home)).run()
    except DossierError as error:
        out.error(error)
        return 3


if __name__ == "__main__":
    sys.exit(main())
