"""The small parts of sentences: lists of numbers, days and months, in a language given by a catalog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from itertools import pairwise
from typing import TypeAlias

Translate: TypeAlias = Callable[[str], str]
TranslatePlural: TypeAlias = Callable[[str, str, int], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The seam for translations: gettext's two functions, under their own names so that extraction finds them.

    `clock12`: times of day are said as 2:30 PM.
    """

    gettext: Translate
    ngettext: TranslatePlural
    clock12: bool = False


def catalog(
    translate: Translate | None = None,
    translate_plural: TranslatePlural | None = None,
    *,
    clock12: bool = False,
) -> Catalog:
    """Return a catalog from the functions given; English where none is, and English plural forms."""
    say: Translate = translate or str

    def plural(one: str, many: str, n: int) -> str:
        return say(one if n == 1 else many)

    return Catalog(gettext=say, ngettext=translate_plural or plural, clock12=clock12)


def uses_clock12(language: str | None) -> bool:
    """Tell whether a language code such as en-us or ar_EG is of a place where clocks are read up to twelve.

    A code without a country counts only where nearly all its countries do so: `ar` does, `en` does not.
    """
    return (language or "").lower().replace("_", "-") in _CLOCK12


# Marked by name only, so that the extraction of messages finds them; translated when they are used.
_ = str
MONTHS = (
    _("January"),
    _("February"),
    _("March"),
    _("April"),
    _("May"),
    _("June"),
    _("July"),
    _("August"),
    _("September"),
    _("October"),
    _("November"),
    _("December"),
)
SHORT_MONTHS = (
    _("Jan"),
    _("Feb"),
    _("Mar"),
    _("Apr"),
    _("May"),
    _("Jun"),
    _("Jul"),
    _("Aug"),
    _("Sep"),
    _("Oct"),
    _("Nov"),
    _("Dec"),
)
WEEKDAYS = (_("Sunday"), _("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"))

_RUN = 3
_STEPS = 4
_NOON = 12
_CLOCK12 = frozenset(
    [
        "en-us",
        "en-ca",
        "en-au",
        "en-nz",
        "en-in",
        "en-pk",
        "en-ph",
        "ar",
        "ar-eg",
        "ar-sa",
        "ar-ae",
        "ar-jo",
        "ar-iq",
        "ar-kw",
        "ar-qa",
        "hi",
        "bn",
        "ur",
        "ko",
        "el",
        "sq",
    ]
)


def clock(moment: time | datetime, say: Catalog) -> str:
    """Return 02:30, or 2:30 AM, with seconds only when there are any."""
    at = moment.time() if isinstance(moment, datetime) else moment
    whole = at.isoformat() if at.second or at.microsecond else at.isoformat(timespec="minutes")
    if not say.clock12:
        return whole
    return _half_of_day(at.hour, say).format(clock=f"{_up_to_twelve(at.hour)}{whole[2:]}")


def hour(number: int, say: Catalog) -> str:
    """Return 14, or 2 PM."""
    if not say.clock12:
        return str(number)
    return _half_of_day(number, say).format(clock=_up_to_twelve(number))


def join_and(parts: Sequence[str], say: Catalog) -> str:
    """Return `a, b and c`."""
    return _join(parts, say.gettext("{these} and {last}"), say)


def join_or(parts: Sequence[str], say: Catalog) -> str:
    """Return `a, b or c`."""
    return _join(parts, say.gettext("{these} or {last}"), say)


def numbers(values: Sequence[int], say: Catalog) -> str:
    """Return sorted numbers in full but short: `0, 5 and 10 to 20`, or `0 to 22 in steps of 2`."""
    return _listed(values, str, say)


def hours(values: Sequence[int], say: Catalog) -> str:
    """Return sorted hours as `numbers` does, or as `9 AM to 5 PM`."""
    return _listed(values, lambda number: hour(number, say), say)


def months(values: Sequence[int], say: Catalog) -> str:
    """Return the names of months (1-12), runs shortened, also across the turn of the year."""
    return join_and(_cyclic(values, 1, MONTHS, say), say)


def weekdays(values: Sequence[int], say: Catalog) -> str:
    """Return the names of weekdays (0 Sunday - 6), Monday first, runs shortened, also across the weekend."""
    return join_and(_cyclic(_monday_first(values), 0, WEEKDAYS, say), say)


def one_of_weekdays(values: Sequence[int], say: Catalog) -> str:
    """Return `a Friday`, or `a Friday, Saturday or Sunday`: what one single day may be."""
    names = [say.gettext(WEEKDAYS[value]) for value in _monday_first(values)]
    return say.gettext("a {weekday}").format(weekday=join_or(names, say))


def long_date(day: datetime, say: Catalog) -> str:
    """Return `Sunday 28 March 2027`."""
    weekday, month = say.gettext(WEEKDAYS[day.isoweekday() % 7]), say.gettext(MONTHS[day.month - 1])
    pattern = say.gettext("{weekday} {day} {month} {year}")
    return pattern.format(weekday=weekday, day=day.day, month=month, year=day.year)


def short_date(day: datetime, say: Catalog) -> str:
    """Return `24 Dec 2026`."""
    month = say.gettext(SHORT_MONTHS[day.month - 1])
    return say.gettext("{day} {month} {year}").format(day=day.day, month=month, year=day.year)


def _half_of_day(number: int, say: Catalog) -> str:
    return say.gettext("{clock} AM") if number < _NOON else say.gettext("{clock} PM")


def _up_to_twelve(number: int) -> int:
    return number % _NOON or _NOON


def _listed(values: Sequence[int], name: Callable[[int], str], say: Catalog) -> str:
    step = _even_step(values)
    if step and step > 1 and len(values) >= _STEPS:
        pattern = say.gettext("{first} to {last} in steps of {step}")
        return pattern.format(first=name(values[0]), last=name(values[-1]), step=step)
    return join_and(_runs(values, name, say), say)


def _even_step(values: Sequence[int]) -> int | None:
    """Return the one distance between all neighbours of at least two sorted numbers, or None."""
    distances = {later - earlier for earlier, later in pairwise(values)}
    return distances.pop() if len(distances) == 1 else None


def _join(parts: Sequence[str], pattern: str, say: Catalog) -> str:
    these, *others = parts
    if not others:
        return these
    for following in others[:-1]:
        these = say.gettext("{these}, {following}").format(these=these, following=following)
    return pattern.format(these=these, last=others[-1])


def _monday_first(values: Sequence[int]) -> list[int]:
    return sorted(values, key=lambda value: (value + 6) % 7)


def _cyclic(values: Sequence[int], low: int, names: Sequence[str], say: Catalog) -> list[str]:
    """Name the values; when all of them are one run round the circle, name its two ends."""
    size = len(names)
    present = set(values)
    starts = [value for value in values if (value - low - 1) % size + low not in present]
    if len(starts) == 1 and len(present) >= _RUN:
        last = (starts[0] - low + len(present) - 1) % size + low
        ends = {"first": say.gettext(names[starts[0] - low]), "last": say.gettext(names[last - low])}
        return [say.gettext("{first} to {last}").format(**ends)]
    return [say.gettext(names[value - low]) for value in values]


def _runs(values: Sequence[int], name: Callable[[int], str], say: Catalog) -> list[str]:
    """Name sorted values, three or more in a row as `first to last`."""
    parts: list[str] = []
    position = 0
    while position < len(values):
        end = position
        while end + 1 < len(values) and values[end + 1] == values[end] + 1:
            end += 1
        if end - position + 1 >= _RUN:
            ends = {"first": name(values[position]), "last": name(values[end])}
            parts.append(say.gettext("{first} to {last}").format(**ends))
        else:
            parts.extend(name(value) for value in values[position : end + 1])
        position = end + 1
    return parts
