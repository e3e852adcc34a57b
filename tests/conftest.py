"""Fixtures for every room of the tests; the servers and the browser start only when a test asks for them."""

from __future__ import annotations

import signal
import threading
from typing import Any, Never

import pytest
from hypothesis import HealthCheck, settings

from tests.unit.recurrence.scale import IS_LARGE

pytest_plugins = ["tests.failures", "tests.servers.fixtures", "tests.browser.fixtures"]

# A machine that does other things too is slow, and that is no finding. What stands in the way of a change tries the same examples
# each time; `make simulate` looks for new ones.
settings.register_profile(
    "tests",
    deadline=None,
    derandomize=not IS_LARGE,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tests")


def _stop(_number: int, _frame: object) -> Never:
    raise KeyboardInterrupt


def pytest_configure() -> None:
    """End in order on SIGTERM as on Ctrl-C: without the end of the fixtures their servers would live on."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let long tests begin first; the others stay in their order, which is by chance."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out the tests of ``--dist loadgroup`` by our groups; all other ways are pytest-xdist's own."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from tests.together import Together

    return Together(config, log)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    """Rows of one test have the keys of the next one's: what a process remembers of them ends with each test."""
    from schedulerui.presenters import remembered

    remembered.forget()
