"""`python -m adapters.demo [SCALE]`: the demo, on exports of the usual sizes times SCALE (1 by default)."""

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
            home = None if settings.database_url else settings.home
            return Demo(Stage(app, out, home, float(sys.argv[1]) if sys.argv[1:] else 1.0)).run()
    except DossierError as error:
        out.error(error)
        return 3


if __name__ == "__main__":
    sys.exit(main())
