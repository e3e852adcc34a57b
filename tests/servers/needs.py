"""What happens to a test whose server is not installed: skipped on a person's machine, failed where CI=true."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Never

import pytest

from tests.servers.base import Server, ServerMissingError


def is_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def missing(what: str, *, why: str) -> Never:
    """Skip the test with the reason; fail it under CI=true, where everything has to be installed."""
    reason = f"needs {what}: {why} (`make test` installs it where it may)"
    if is_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def running(kind: Callable[[], Server]) -> Iterator[Server]:
    """The body of a fixture: a running server of this kind until the fixture ends."""
    try:
        server = kind()
    except ServerMissingError as error:
        missing(getattr(kind, "name", kind.__name__), why=str(error))
    with server:
        yield server
