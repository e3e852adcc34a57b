from __future__ import annotations

import importlib.util

import pytest

from tests.package.environments import build_wheel
from tests.servers.needs import missing


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    if importlib.util.find_spec("hatchling") is None:
        missing("hatchling", why="the package that builds the wheel is not installed")
    return build_wheel(tmp_path_factory.mktemp("wheel"))
