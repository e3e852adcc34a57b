"""The time zones that we accept, and the one who says which name was probably meant."""

from __future__ import annotations

import difflib
import zoneinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from schedulerui.recurrence.rule import RuleError

# Names that zone data ships but that mean another thing on another machine, or nothing.
# Marked by name only, so that the extraction of messages finds them; translated when they are said.
_ = str
_NOT_PLACES = frozenset({"localtime", "Factory", "posixrules"})
# A hostile text must not buy a long comparison with 600 names.
_LONGEST_NAME = 64
# Below this a suggestion misleads more than it helps ("UTC+2" is not UTC).
_LIKENESS = 0.8


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """Return every IANA name that is accepted."""
    return frozenset(zoneinfo.available_timezones()) - _NOT_PLACES


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """Return the zone called `name`; raise RuleError (field `tz`) when there is none.

    The name is looked up in the known set first: `ZoneInfo(text)` opens a file by that name, and
    `ZoneInfo("Europe")` meets a directory.
    """
    if name not in known_zones():
        raise _refusal(name)
    return ZoneInfo(name)


def suggest_zone(name: str) -> str | None:
    """Return the known zone that `name` most probably means, or None."""
    wanted = name.strip().replace(" ", "_").casefold()
    if not wanted or len(wanted) > _LONGEST_NAME:
        return None
    by_spelling, by_city = _spellings()
    if found := by_spelling.get(wanted) or by_city.get(wanted):
        return found
    for names in (by_spelling, by_city):
        if close := difflib.get_close_matches(wanted, names, n=1, cutoff=_LIKENESS):
            return names[close[0]]
    return None


@lru_cache(maxsize=1)
def _spellings() -> tuple[dict[str, str], dict[str, str]]:
    names = sorted(known_zones())
    by_spelling = {name.casefold(): name for name in names}
    by_city = {name.rsplit("/", 1)[-1].casefold(): name for name in reversed(names) if "/" in name}
    return by_spelling, by_city


def _refusal(name: str) -> RuleError:
    shown = ascii(name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "...")
    if example := next((known for known in sorted(known_zones()) if known.startswith(name + "/")), None):
        region = _("time zone {zone}: that is a region, name a place in it, such as {example}")
        return RuleError("tz", region, zone=shown, example=example)
    if meant := suggest_zone(name):
        return RuleError(
            "tz", _("time zone {zone} is not known: did you mean {meant}?"), zone=shown, meant=meant
        )
    unknown = _("time zone {zone} is not known: use a name such as Europe/Berlin or UTC")
    return RuleError("tz", unknown, zone=shown)
