"""The grammar of the five crontab fields: text in, sorted numbers out, or an error that names the field."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from schedulerui.recurrence.rule import RuleError

LONGEST_TEXT = 250
_Read = TypeVar("_Read")
# So much of a wrong text is repeated in an error.
_SHOWN = 40
_ITEM = re.compile(r"(?P<star>\*)|(?P<first>[0-9]+|[a-z]{3})(-(?P<last>[0-9]+|[a-z]{3}))?", re.ASCII)
_LONGEST_MONTH = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


class Mistake(ValueError):
    """What is wrong with one item of a field; `each_item` makes a RuleError of it, with field and position."""

    def __init__(self, text: str, problem: str, remedy: str) -> None:
        super().__init__(text, problem, remedy)
        self.text = text
        self.said = f"{problem}, {remedy}" if problem else remedy


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
FIELDS = (
    Field(name="minute", word="minute", low=0, high=59, hint="use 0-59"),
    Field(name="hour", word="hour", low=0, high=23, hint="use 0-23"),
    Field(name="day_of_month", word="day of month", low=1, high=31, hint="use 1-31"),
    Field(
        name="month",
        word="month",
        low=1,
        high=12,
        hint="use 1-12 or jan-dec",
        names={name: number for number, name in enumerate(_MONTHS, start=1)},
    ),
    Field(
        name="day_of_week",
        word="weekday",
        low=0,
        high=6,
        hint="use 0-7, where 0 and 7 are Sunday, or sun-sat",
        names={name: number for number, name in enumerate(_WEEKDAYS)},
    ),
)


def split_expression(text: str) -> tuple[str, str, str, str, str]:
    """Return the five texts of an expression; raise RuleError (field `expression`) if there are not five."""
    if len(text) > LONGEST_TEXT:
        raise RuleError(
            "expression", f"the expression has {len(text)} characters: at most {LONGEST_TEXT} are allowed"
        )
    parts = [part for part in re.split("[ \t]+", text) if part]
    if len(parts) != len(FIELDS):
        raise RuleError(
            "expression",
            f"found {len(parts)} of the five fields: write minute, hour, day of month, month and weekday,"
            " separated by spaces, such as 30 2 * * mon-fri",
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
            where = f" (item {position} of {len(items)})" if len(items) > 1 else ""
            message = f"{part.word} {short(mistake.text)}{where}: {mistake.said}"
            raise RuleError(part.name, message) from mistake
    return results


def can_occur(days: tuple[int, ...], months: tuple[int, ...]) -> bool:
    """Tell whether any of the days of the month exists in any of the months."""
    return any(days[0] <= _LONGEST_MONTH.get(month, 31) for month in months)


def numbers_of(part: Field, item: str, *, whole: str) -> list[int]:
    """Return the numbers of one item of the list `whole` in the order in which they are counted; raise Mistake."""
    if not item:
        raise Mistake(whole, "there is nothing before or after a comma", "write numbers between commas")
    base, slash, step_text = item.partition("/")
    match = _ITEM.fullmatch(base.lower()) if base.isascii() else None
    if match is None:
        raise Mistake(item, "that is not understood", part.hint + ", lists, ranges (1-5) or steps (*/2)")
    numbers = _numbers(part, match)
    if not slash:
        return numbers
    if match["star"] is None and match["last"] is None:
        raise Mistake(item, "a step needs a range", f"write {base}-{part.high}/{step_text or 2}")
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
        raise Mistake(text, "that is not a name of this field", part.hint)
    number = int(text)
    if not part.low <= number <= highest:
        raise Mistake(text, "", part.hint)
    return number


def read_step(item: str, text: str, *, size: int, instead: str) -> int:
    """Return the step that `text` is; raise Mistake unless it is 1 to `size` - 1, with what to write `instead`."""
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        raise Mistake(item, "the step after / must be a whole number", f"use 1-{size - 1}")
    step = int(text)
    if step >= size:
        raise Mistake(item, f"a step of {short(text)} only ever gives {instead}", f"write {instead}")
    return step


def short(text: str) -> str:
    """Return a typed text as it can be repeated in an error: plain ASCII, and not long."""
    plain = ascii(text)[1:-1]
    return plain if len(plain) <= _SHOWN else plain[:_SHOWN] + "..."
