"""Fixtures for every room of the tests; the servers and the browser start only when a test asks for them."""

from __future__ import annotations

import signal
import threading
from typing import Never

import pytest

pytest_plugins = ["tests.servers.fixtures", "tests.browser.fixtures"]


def _stop(_number: int, _frame: object) -> Never:
    raise KeyboardInterrupt


def pytest_configure() -> None:
    """End in order on SIGTERM as on Ctrl-C: without the end of the fixtures their servers would live on."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    """Rows of one test have the keys of the next one's: what a process remembers of them ends with each test."""
    from schedulerui.presenters import remembered

    remembered.forget()
