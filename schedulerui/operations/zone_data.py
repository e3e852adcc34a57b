"""Which zone data this process computes with."""

from __future__ import annotations

import zoneinfo
from functools import lru_cache
from importlib import metadata
from pathlib import Path

UNKNOWN = "unknown"


@lru_cache(maxsize=1)
def zone_data_version() -> str:
    """Return the release of the IANA zone data that times are computed with, such as 2026a, or "unknown".

    Python takes the operating system's data where there are any, and the package tzdata only where there are none: so the
    version of that package alone would say nothing. What a process has read once it keeps until it ends.
    """
    for folder in map(Path, zoneinfo.TZPATH):
        if (folder / "UTC").exists():
            return _version_in(folder)
    return _version_of_package()


def _version_in(folder: Path) -> str:
    """Return what the first line of the system's compact data says: ``# version 2026a``."""
    try:
        with (folder / "tzdata.zi").open(encoding="ascii", errors="replace") as lines:
            words = lines.readline().split()
    except OSError:
        return UNKNOWN
    return words[-1][:20] if "version" in words else UNKNOWN


def _version_of_package() -> str:
    """Return the package's release in IANA's own spelling: 2026.1 is 2026a."""
    try:
        year, _dot, number = metadata.version("tzdata").partition(".")
        return f"{year}{chr(ord('a') + int(number.partition('.')[0]) - 1)}"
    except (metadata.PackageNotFoundError, ValueError):
        return UNKNOWN
