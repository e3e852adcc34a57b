"""From the name that a person typed to the schedule, and who that person is."""

from __future__ import annotations

import difflib
import getpass
from argparse import ArgumentParser

from django.core.management.base import CommandError

from schedulerui.facts import Actor
from schedulerui.models import Schedule

CANDIDATES = 2_000
"""Most names that are looked through for a suggestion."""


def add_name(parser: ArgumentParser) -> None:
    """Give a verb its one argument."""
    parser.add_argument("name", help="the schedule's name, exactly")


def find(name: str) -> Schedule:
    """Return the schedule of this name; raises CommandError, with the nearest name there is."""
    found = Schedule.objects.filter(name=name).first()
    if found is not None:
        return found
    message = f"There is no schedule named {name!r}."
    near = _nearest(name)
    raise CommandError(f"{message} Did you mean {near!r}?" if near else message)


def actor() -> Actor:
    """Return who runs this command: the account of the operating system."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no entry
        name = "command"
    return Actor(name=name[:150], via="command")


def _nearest(name: str) -> str | None:
    names = dict.fromkeys(Schedule.objects.order_by("name").values_list("name", flat=True)[:CANDIDATES])
    by_lower = {known.casefold(): known for known in reversed(names)}
    near = difflib.get_close_matches(name.casefold(), by_lower, n=1)
    return by_lower[near[0]] if near else None
