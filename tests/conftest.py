"""Fixtures for every room of the tests; the servers and the browser start only when a test asks for them."""

from __future__ import annotations

pytest_plugins = ["tests.servers.fixtures", "tests.browser.fixtures"]
