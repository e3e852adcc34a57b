"""What a schedule's policies and labels must be, beyond what each column allows by itself."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

from schedulerui.facts import Overlap
from schedulerui.models import Schedule
from schedulerui.operations import workers

TAG_MAX = 40
"""Most characters of one tag."""
TAGS_LENGTH = 200
"""Most characters of all tags of a schedule as they are stored."""
CANNOT_TERMINATE = ("threads", "gevent", "eventlet", "solo", "thread")
"""Pools that cannot end a body that runs."""
_BETWEEN = re.compile(r"[\s,;]+")

Errors = dict[str, list[str]]


def tags_of(text: str) -> str:
    """Return tags as they are stored: each once, sorted, between single spaces, with one before the first and after the last."""
    words = sorted(set(filter(None, _BETWEEN.split(text))))
    return f" {' '.join(words)} " if words else ""


def problems_of(schedule: Schedule) -> Errors:
    """Return what is wrong with the tags and the policies, field to sentences; one query for ``cancel_previous``."""
    errors: Errors = {}
    if any(len(word) > TAG_MAX for word in schedule.tags.split()):
        errors["tags"] = [_("A tag has at most %(most)d characters.") % {"most": TAG_MAX}]
    elif len(schedule.tags) > TAGS_LENGTH:
        errors["tags"] = [_("All tags together have at most %(most)d characters.") % {"most": TAGS_LENGTH}]
    if schedule.overlap == Overlap.CANCEL_PREVIOUS:
        pools = _living_pools()
        if pools and all(_is_of(pool, CANNOT_TERMINATE) for pool in pools):
            errors["overlap"] = [
                _(
                    "No worker here can end a body that runs: the pools are %(pools)s. Choose another policy, or start a worker "
                    "with the prefork pool."
                )
                % {"pools": ", ".join(sorted(pools))}
            ]
    return errors


def _living_pools() -> set[str]:
    living = workers.living().exclude(pool="")
    return set(living.values_list("pool", flat=True).distinct())


def _is_of(pool: str, names: tuple[str, ...]) -> bool:
    """Whether a pool as its worker tells it (a name, or ``module:Class``) is one of these."""
    told = pool.lower()
    return any(name in told for name in names)
