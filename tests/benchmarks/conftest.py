"""An application over a database of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from adapters.bootstrap import Application
from tests.support.application import application_at


@pytest.fixture
def app(make_database: Any) -> Iterator[Application]:
    with application_at(make_database()) as opened:
        yield opened
