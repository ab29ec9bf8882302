"""Structured logs on standard error: stable event names with ids and durations, never payloads or personal data."""

from __future__ import annotations

import logging
import sys

import structlog

from adapters.settings import Settings


def configure_logging(settings: Settings) -> None:
    """Send log events to standard error, as lines for people or as JSON."""
    renderer = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.log_level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
