"""Tests that run with each major version of htmx that a host may choose: what shows the differences, not everything."""

from __future__ import annotations

import pytest

UNDER_BOTH = pytest.mark.parametrize("htmx", [2, 4], ids=["htmx-2", "htmx-4"], indirect=True)
