"""Rules in words and in code, cached by what they are made of: a list has fifty, most pages show the same."""

from __future__ import annotations

from functools import lru_cache
from typing import TypedDict

from django.utils.translation import get_language, gettext, ngettext

from schedulerui.models import Schedule
from schedulerui.recurrence import RuleError, describe, parse_rule, uses_clock12
from schedulerui.recurrence.phrases import Translate, TranslatePlural


class Spoken(TypedDict):
    """What ``describe`` and ``notices`` need to say things in a language."""

    translate: Translate
    translate_plural: TranslatePlural
    clock12: bool


def spoken() -> Spoken:
    """Return how the reader of the page is spoken to."""
    return {"translate": gettext, "translate_plural": ngettext, "clock12": uses_clock12(get_language())}


def words_of(schedule: Schedule) -> tuple[str, str]:
    """Return the rule in words, or the sentence that says what is wrong with it: (words, problem)."""
    spec = schedule.spec()
    fields = spec["fields"]
    key = tuple(sorted(fields.items())) if isinstance(fields, dict) else ()
    # Only an expression with H depends on whose it is.
    seed = str(schedule.uuid) if "H" in schedule.expression else ""
    whole = (schedule.kind, schedule.tz, schedule.semantics, schedule.expression, key, seed)
    return _words(*whole, get_language())


@lru_cache(maxsize=4096)
def _words(
    kind: str,
    tz: str,
    semantics: str,
    expression: str,
    fields: tuple[tuple[str, object], ...],
    seed: str,
    _language: str | None,
) -> tuple[str, str]:
    spec = {
        "kind": kind,
        "tz": tz,
        "semantics": semantics,
        "expression": expression,
        "fields": dict(fields),
        "seed": seed or None,
    }
    try:
        return describe(parse_rule(spec), **spoken()), ""
    except RuleError as error:
        return "", error.said(gettext)


def code_of(schedule: Schedule) -> str:
    """Return the rule as it is written down, for the second line; empty where the words say it all."""
    if schedule.kind == "crontab":
        return schedule.expression
    if schedule.kind == "solar":
        return f"{schedule.latitude}, {schedule.longitude}"
    return ""
