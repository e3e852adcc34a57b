"""The version that is told is that of the data that zoneinfo reads."""

from __future__ import annotations

import zoneinfo
from importlib import metadata

import pytest

from schedulerui.operations import zone_data


@pytest.fixture(autouse=True)
def read_anew():
    zone_data.zone_data_version.cache_clear()
    yield
    zone_data.zone_data_version.cache_clear()


@pytest.mark.parametrize(
    ("first_line", "version"),
    [("# version 2031c\n", "2031c"), ("R d 1916 o\n", "unknown"), ("", "unknown"), (None, "unknown")],
)
def test_the_operating_systems_data_come_first(tmp_path, monkeypatch, first_line, version):
    (tmp_path / "UTC").write_bytes(b"TZif2")
    if first_line is not None:
        (tmp_path / "tzdata.zi").write_text(first_line)
    monkeypatch.setattr(zoneinfo, "TZPATH", ("/nowhere", str(tmp_path)))
    assert zone_data.zone_data_version() == version


@pytest.mark.parametrize(
    ("package", "version"),
    [("2026.1", "2026a"), ("2025.2", "2025b"), ("2024.1.post1", "2024a"), ("dev", "unknown")],
)
def test_without_them_it_is_the_package(tmp_path, monkeypatch, package, version):
    monkeypatch.setattr(zoneinfo, "TZPATH", (str(tmp_path),))
    monkeypatch.setattr(metadata, "version", lambda name: package)
    assert zone_data.zone_data_version() == version
