"""The grammar of the five crontab fields: text in, sorted numbers out, or an error that names the field."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from schedulerui.recurrence.rule import RuleError, Said

# Marked by name only, so that the extraction of messages finds them; translated when they are said.
_ = str
LONGEST_TEXT = 250
_Read = TypeVar("_Read")
# So much of a wrong text is repeated in an error.
_SHOWN = 40
_ITEM = re.compile(r"(?P<star>\*)|(?P<first>[0-9]+|[a-z]{3})(-(?P<last>[0-9]+|[a-z]{3}))?", re.ASCII)
_LONGEST_MONTH = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


class Mistake(ValueError):
    """What is wrong with one item of a field; `each_item` makes a RuleError of it, with field and position."""

    def __init__(self, text: str, problem: Said | None, remedy: Said) -> None:
        super().__init__(text, problem, remedy)
        self.text = text
        self.said = (
            remedy if problem is None else Said(_("{problem}, {remedy}"), problem=problem, remedy=remedy)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One of the five: its name in errors, its word for a person, its bounds and names."""

    name: str
    word: str
    low: int
    high: int
    hint: str
    names: dict[str, int] = field(default_factory=dict)

    @property
    def numbers(self) -> range:
        """Every number that `*` stands for."""
        return range(self.low, self.high + 1)


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
CELERY_NAMES = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
"""What Celery's crontab calls the fields, in the order of an expression, which is not that of its arguments."""
FIELDS = (
    Field(name="minute", word=_("minute"), low=0, high=59, hint=_("use 0-59")),
    Field(name="hour", word=_("hour"), low=0, high=23, hint=_("use 0-23")),
    Field(name="day_of_month", word=_("day of month"), low=1, high=31, hint=_("use 1-31")),
    Field(
        name="month",
        word=_("month"),
        low=1,
        high=12,
        hint=_("use 1-12 or jan-dec"),
        names={name: number for number, name in enumerate(_MONTHS, start=1)},
    ),
    Field(
        name="day_of_week",
        word=_("weekday"),
        low=0,
        high=6,
        hint=_("use 0-7, where 0 and 7 are Sunday, or sun-sat"),
        names={name: number for number, name in enumerate(_WEEKDAYS)},
    ),
)


def split_expression(text: str) -> tuple[str, str, str, str, str]:
    """Return the five texts of an expression; raise RuleError (field `expression`) if there are not five."""
    if len(text) > LONGEST_TEXT:
        raise RuleError(
            "expression",
            _("the expression has {n} characters: at most {most} are allowed"),
            n=len(text),
            most=LONGEST_TEXT,
        )
    parts = [part for part in re.split("[ \t]+", text) if part]
    if len(parts) != len(FIELDS):
        raise RuleError(
            "expression",
            _(
                "found {n} of the five fields: write minute, hour, day of month, month and weekday,"
                " separated by spaces, such as 30 2 * * mon-fri"
            ),
            n=len(parts),
        )
    minute, hour, day, month, weekday = parts
    return minute, hour, day, month, weekday


@lru_cache(maxsize=1024)
def expand(index: int, text: str) -> tuple[int, ...]:
    """Return the sorted numbers of field `index` (0 minute ... 4 weekday); raise RuleError naming the field."""
    part = FIELDS[index]
    items = each_item(part, text, lambda item: numbers_of(part, item, whole=text))
    return tuple(sorted({number for numbers in items for number in numbers}))


def each_item(part: Field, text: str, read: Callable[[str], _Read]) -> list[_Read]:
    """Return what `read` makes of each item of a comma list; its Mistake is raised as a RuleError."""
    items = text.split(",")
    results: list[_Read] = []
    for position, item in enumerate(items, 1):
        try:
            results.append(read(item))
        except Mistake as mistake:
            phrase = (
                _("{part} {text} (item {position} of {n}): {problem}")
                if len(items) > 1
                else _("{part} {text}: {problem}")
            )
            places = {"part": Said(part.word), "text": short(mistake.text), "problem": mistake.said}
            raise RuleError(part.name, phrase, **places, position=position, n=len(items)) from mistake
    return results


def can_occur(days: tuple[int, ...], months: tuple[int, ...]) -> bool:
    """Tell whether any of the days of the month exists in any of the months."""
    return any(days[0] <= _LONGEST_MONTH.get(month, 31) for month in months)


def numbers_of(part: Field, item: str, *, whole: str) -> list[int]:
    """Return the numbers of one item of the list `whole` in the order in which they are counted; raise Mistake."""
    if not item:
        raise Mistake(
            whole,
            Said(_("there is nothing before or after a comma")),
            Said(_("write numbers between commas")),
        )
    base, slash, step_text = item.partition("/")
    match = _ITEM.fullmatch(base.lower()) if base.isascii() else None
    if match is None:
        remedy = Said(_("{hint}, lists, ranges (1-5) or steps (*/2)"), hint=Said(part.hint))
        raise Mistake(item, Said(_("that is not understood")), remedy)
    numbers = _numbers(part, match)
    if not slash:
        return numbers
    if match["star"] is None and match["last"] is None:
        instead = f"{base}-{part.high}/{step_text or 2}"
        raise Mistake(item, Said(_("a step needs a range")), Said(_("write {instead}"), instead=instead))
    return numbers[:: read_step(item, step_text, size=len(part.numbers), instead=str(numbers[0]))]


def _numbers(part: Field, match: re.Match[str]) -> list[int]:
    if match["star"]:
        return list(part.numbers)
    first = _number(part, match["first"])
    if match["last"] is None:
        return [first % 7 if part.name == "day_of_week" else first]
    last = _number(part, match["last"])
    if part.name == "day_of_week":
        return _weekday_range(first, last)
    if first <= last:
        return list(range(first, last + 1))
    return [*range(first, part.high + 1), *range(part.low, last + 1)]


def _weekday_range(first: int, last: int) -> list[int]:
    """Walk from first to last; 7 is Sunday at the end of a week, and the start of one that wraps."""
    if first > last:
        first, last = first % 7, last if first % 7 <= last else last + 7
    return [number % 7 for number in range(first, last + 1)]


def _number(part: Field, text: str) -> int:
    if text in part.names:
        return part.names[text]
    highest = 7 if part.name == "day_of_week" else part.high
    if not text.isdigit():
        raise Mistake(text, Said(_("that is not a name of this field")), Said(part.hint))
    number = int(text)
    if not part.low <= number <= highest:
        raise Mistake(text, None, Said(part.hint))
    return number


def read_step(item: str, text: str, *, size: int, instead: str) -> int:
    """Return the step that `text` is; raise Mistake unless it is 1 to `size` - 1, with what to write `instead`."""
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        remedy = Said(_("use 1-{most}"), most=size - 1)
        raise Mistake(item, Said(_("the step after / must be a whole number")), remedy)
    step = int(text)
    if step >= size:
        problem = Said(_("a step of {step} only ever gives {instead}"), step=short(text), instead=instead)
        raise Mistake(item, problem, Said(_("write {instead}"), instead=instead))
    return step


def short(text: str) -> str:
    """Return a typed text as it can be repeated in an error: plain ASCII, and not long."""
    plain = ascii(text)[1:-1]
    return plain if len(plain) <= _SHOWN else plain[:_SHOWN] + "..."
