"""Two tests at a time, except that those which share a started site or server follow each other in one process.

pytest-xdist has a mark for this, which does nothing with pytest 9.2: there a test's id cannot be given the group's name any more.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

GROUPS = {
    "tests/browser/test_journey.py": "a whole site",
    "tests/service/test_make_run.py": "whole sites",
    "tests/service/test_flower.py": "Flower",
    # Beside thirty kills, and not beside each other: all of them measure how late something is.
    "tests/service/test_fault_outages.py": "lateness",
    "tests/service/test_fault_poison.py": "lateness",
    "tests/service/test_fault_rabbitmq.py": "lateness",
}
"""Modules, each with the name of what its tests stay together with."""


class Together(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist tells no types
    """Gives each process the next test, or the next group of tests."""

    def _split_scope(self, nodeid: str) -> str:
        """Return the name of the group that a test belongs to; its own id where it belongs to none."""
        return GROUPS.get(nodeid.partition("::")[0], nodeid)
