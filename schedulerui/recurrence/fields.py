"""The grammar of one crontab field: ``*``, ``N``, ``A-B``, ``*/S``, ``A-B/S``, in comma lists; nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass

from schedulerui.recurrence.rule import RuleError

_ITEM = re.compile(
    r"(?P<star>\*)(?:/(?P<star_step>[0-9]+))?|(?P<low>[0-9a-z]+)(?:-(?P<high>[0-9a-z]+)(?:/(?P<step>[0-9]+))?)?",
    re.ASCII,
)
_NUMBER = re.compile(r"[0-9]{1,4}", re.ASCII)
_SHOWN_MAX = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One of the five places: its name, its limits and the names that may stand for numbers."""

    name: str
    word: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    hint: str = ""

    def allowed(self) -> str:
        return self.hint or f"use {self.low}-{self.high}"


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

FIELDS = (
    Field(name="minute", word="minute", low=0, high=59),
    Field(name="hour", word="hour", low=0, high=23),
    Field(name="day_of_month", word="day of month", low=1, high=31),
    Field(name="month", word="month", low=1, high=12, names=MONTHS, hint="use 1-12 or jan-dec"),
    Field(
        name="day_of_week",
        word="weekday",
        low=0,
        high=7,
        names=WEEKDAYS,
        hint="use 0-7, where 0 and 7 are Sunday, or sun-sat",
    ),
)


def expand(field: Field, text: str) -> tuple[int, ...]:
    """Return the sorted values of one field's text; raises RuleError that names the field and the item."""
    values: set[int] = set()
    for item in text.lower().split(","):
        values.update(_item(field, item, position=text.lower().find(item) + 1))
    if field.name == "day_of_week":
        values = {value % 7 for value in values}
    return tuple(sorted(values))


def _item(field: Field, item: str, *, position: int) -> list[int]:
    match = _ITEM.fullmatch(item)
    if match is None:
        raise RuleError(field.name, _not_understood(field, item, position))
    if match["star"]:
        top = 6 if field.name == "day_of_week" else field.high
        return _every(field, list(range(field.low, top + 1)), match["star_step"], item)
    low = _value(field, match["low"])
    if match["high"] is None:
        return [low]
    high = _value(field, match["high"])
    return _every(field, _range(field, low, high), match["step"], item)


def _range(field: Field, low: int, high: int) -> list[int]:
    if low <= high:
        return list(range(low, high + 1))
    # Wraps round; on weekdays 7 and 0 are the same day and must not be counted twice by a step.
    top = 6 if field.name == "day_of_week" else field.high
    return (
        [*range(low, top + 1), *range(field.low, high + 1)]
        if low <= top
        else list(range(field.low, high + 1))
    )


def _every(field: Field, values: list[int], step: str | None, item: str) -> list[int]:
    if step is None:
        return values
    size = int(step) if len(step) <= 4 else 10_000
    if size == 0:
        raise RuleError(field.name, f"step 0 in {_shown(item)} never moves: use a step from 1 on")
    if size >= len(values) and item.startswith("*"):
        raise RuleError(
            field.name,
            f"step {_shown(step)} in {_shown(item)} is larger than its range, so only {values[0]} is left: write {values[0]}",
        )
    return values[::size]


def _value(field: Field, text: str) -> int:
    if text in field.names:
        return field.names.index(text) + (1 if field.name == "month" else 0)
    if not _NUMBER.fullmatch(text) and not text.isdigit():
        raise RuleError(field.name, f"{field.word} {_shown(text)}: {field.allowed()}")
    value = int(text) if len(text) <= 4 else 10_000
    if not field.low <= value <= field.high:
        raise RuleError(field.name, f"{field.word} {_shown(text)}: {field.allowed()}")
    return value


def _not_understood(field: Field, item: str, position: int) -> str:
    if not item:
        return f"an item of the {field.word} list is empty: remove the extra comma"
    if re.fullmatch(r"[0-9]{1,4}/[0-9]{1,4}", item, re.ASCII):
        low, step = item.split("/")
        return f"{item} has a step without a range: write {low}-{field.high}/{step}"
    return f"{_shown(item)} at character {position} is not understood: use *, N, A-B, */S or A-B/S ({field.allowed()})"


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "..."
