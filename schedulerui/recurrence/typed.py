"""What a person may type beyond the five fields: names such as `@daily`, and `H`, a number that a hash chooses.

`H` spreads schedules that need no exact time: each has its own numbers, the same for ever, because they come
from its seed. Each field has its own hash, so that minute and hour do not go together.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from schedulerui.recurrence import fields
from schedulerui.recurrence.fields import FIELDS, Field, Mistake
from schedulerui.recurrence.rule import RuleError, Said

# Marked by name only, so that the extraction of messages finds them; translated when they are said.
_ = str
NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
# Every month has these days, so no month is left out by chance.
_DAYS_OF_ALL_MONTHS = "1-28"
_HASHED = re.compile(r"H(\((?P<range>[0-9A-Za-z]+-[0-9A-Za-z]+)\))?(/(?P<step>.*))?", re.DOTALL)
_HASH_BITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """Five concrete texts, and of each whether it counts as beginning with `*`, as `*/5` and `H/5` do."""

    texts: tuple[str, ...]
    stars: tuple[bool, ...]


def resolve(expression: str, *, seed: str) -> str:
    """Return the five fields that a typed expression stands for, without names and `H`.

    `seed` is the uuid of the schedule: the same seed gives the same fields for ever. Raise RuleError for an
    expression that is too long or has not five fields, and for an `H` that is written wrongly.
    """
    return " ".join(read(expression, seed=seed).texts)


def read(expression: str, *, seed: str | None) -> Expression:
    """Return the five fields of a typed expression; raise RuleError as `resolve` does, and for `H` without seed."""
    typed = fields.split_expression(_unnamed(expression))
    resolved = tuple(_resolve_field(part, text, seed) for part, text in zip(FIELDS, typed, strict=True))
    return Expression(texts=resolved, stars=stars(expression))


def stars(expression: str) -> tuple[bool, ...]:
    """Tell of each field whether it counts as beginning with `*`; raise RuleError if there are not five."""
    typed = fields.split_expression(_unnamed(expression))
    return tuple(text.startswith(("*", "H/")) for text in typed)


def _unnamed(expression: str) -> str:
    if len(expression) > fields.LONGEST_TEXT:
        return expression
    name = expression.strip(" \t").lower()
    if name.startswith("@") and name not in NAMED:
        raise RuleError(
            "expression",
            _("{name} is not a known name: use one of {names}, or five fields"),
            name=fields.short(name),
            names=", ".join(NAMED),
        )
    return NAMED.get(name, expression)


def _resolve_field(part: Field, text: str, seed: str | None) -> str:
    if not any(item[:1] in {"H", "h"} for item in text.split(",")):
        return text
    return ",".join(fields.each_item(part, text, lambda item: _resolve_item(part, item, seed)))


def _resolve_item(part: Field, item: str, seed: str | None) -> str:
    """Return a number for `H`, and a range with a step for `H/15`, which begins within the first step."""
    if item[:1] not in {"H", "h"}:
        return item
    match = _HASHED.fullmatch(item)
    if match is None:
        remedy = Said(_("write H, H/15, H(0-7) or H(0-29)/10, with a large H"))
        raise Mistake(item, Said(_("that is not understood")), remedy)
    numbers = _room(part, match["range"])
    step = None
    if match["step"] is not None:
        whole = f"H({match['range']})" if match["range"] else "H"
        step = fields.read_step(item, match["step"], size=len(numbers), instead=whole)
    if seed is None:
        raise RuleError(
            "expression",
            _(
                "{part} {text}: H is a number that each schedule has by its own identity, and here is no schedule: write a number"
            ),
            part=Said(part.word),
            text=fields.short(item),
        )
    if step is None:
        return str(numbers[_chosen(seed, part, len(numbers))])
    return _stepped(numbers[_chosen(seed, part, step) :], step)


def _room(part: Field, between: str | None) -> list[int]:
    """Return the numbers that `H` may stand for, in order."""
    if between is None:
        between = _DAYS_OF_ALL_MONTHS if part.name == "day_of_month" else f"{part.low}-{part.high}"
    return list(dict.fromkeys(fields.numbers_of(part, between, whole=between)))


def _chosen(seed: str, part: Field, n: int) -> int:
    """Return a number from 0 to before `n`, evenly by the hash of seed and field."""
    digest = hashlib.blake2s(f"{seed}|{part.name}".encode(), digest_size=_HASH_BITS // 8).digest()
    return int.from_bytes(digest, "big") * n >> _HASH_BITS


def _stepped(numbers: list[int], step: int) -> str:
    """Write every `step`th of the numbers: as a range, unless they are few or wrap round."""
    first, last = numbers[0], numbers[-1]
    if len(numbers) <= step or last - first != len(numbers) - 1:
        return ",".join(str(number) for number in sorted(numbers[::step]))
    return f"{first}-{last}" if step == 1 else f"{first}-{last}/{step}"
