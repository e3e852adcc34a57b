"""A schedule as Python: the call that makes one like it, and the entry of ``beat_schedule`` where one can say it."""

from __future__ import annotations

import pprint
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from schedulerui.models import Schedule
from schedulerui.operations.audit import EDITABLE
from schedulerui.presenters.values import redact
from schedulerui.recurrence import CrontabRule, IntervalRule, RuleError, SolarRule
from schedulerui.recurrence.fields import CELERY_NAMES

VALUES = frozenset({"args", "kwargs", "headers", "options", "canvas"})
"""Fields that only those may see who may see values."""
OPTIONS = ("queue", "exchange", "routing_key", "priority", "headers", "ignore_result", "soft_time_limit", "time_limit")  # fmt: skip
"""Fields that an entry of ``beat_schedule`` has among its options."""
WIDTH = 100
CALL = """\
{imports}from schedulerui import clock
from schedulerui.facts import Actor
from schedulerui.operations import schedules

schedules.create(
{values},
    actor=Actor(name="deploy"),
    now=clock.now(),
)
"""
ENTRY = """\
{imports}app.conf.beat_schedule = {{
    {name!r}: {{
        "task": {task!r},
        "schedule": {timing},
{rest}    }},
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Code:
    """A piece of code, and the line that imports what it needs."""

    text: str
    source: str

    def __repr__(self) -> str:
        return self.text


def call_of(schedule: Schedule, *, with_values: bool) -> str:
    """Return the call that makes a schedule with these values; only those are named that are not the usual ones."""
    usual = Schedule()
    given = {
        name: _shown(getattr(schedule, name))
        for name in EDITABLE
        if _is_told(name, with_values=with_values) and getattr(schedule, name) != getattr(usual, name)
    }
    kinds = sorted({value.source for value in given.values() if isinstance(value, _Code)})
    text = pprint.pformat(given, width=WIDTH, sort_dicts=False)
    inner = "".join(f"        {line}\n" for line in text[1:-1].splitlines())
    return CALL.format(imports=_imports(kinds), values=f"    {{\n{_dedent(inner)}    }}")


def _imports(lines: Sequence[str]) -> str:
    return "\n".join([*lines, "", ""]) if lines else ""


def _dedent(text: str) -> str:
    """Take away the column by which ``pprint`` moves what follows the brace."""
    lines = text.splitlines()
    return "".join(f"{line[:8]}{line[9:] if n else line[8:]}\n" for n, line in enumerate(lines))


def _is_told(name: str, *, with_values: bool) -> bool:
    return with_values or name not in VALUES


def _shown(value: object) -> object:
    if isinstance(value, datetime):
        text = f"datetime.fromisoformat({value.isoformat()!r})"
        return _Code(text=text, source="from datetime import datetime")
    if isinstance(value, Decimal):
        return _Code(text=f"Decimal({str(value)!r})", source="from decimal import Decimal")
    return value if isinstance(value, str) else redact(value)  # a name is code: it stays what it is


def entry_of(schedule: Schedule, *, with_values: bool) -> str:
    """Return the schedule as an entry of ``beat_schedule``; empty for a kind of time that Celery has no word for."""
    try:
        timing = _timing(schedule)
    except RuleError:
        return ""
    if timing is None:
        return ""
    parts: dict[str, object] = {}
    if with_values:
        parts |= {name: redact(value) for name in ("args", "kwargs") if (value := getattr(schedule, name))}
    options = _options(schedule, with_values=with_values)
    if options:
        parts["options"] = options
    rest = "".join(f'        "{name}": {value!r},\n' for name, value in parts.items())
    return ENTRY.format(
        imports=_imports([timing.source]), name=schedule.name, task=schedule.task, timing=timing, rest=rest
    )


def _options(schedule: Schedule, *, with_values: bool) -> Mapping[str, object]:
    found = {
        name: redact(value)
        for name in OPTIONS
        if _is_told(name, with_values=with_values)
        and (value := getattr(schedule, name)) not in ("", None, {})
    }
    return found | ({"expires": schedule.expires_after} if schedule.expires_after else {})


def _timing(schedule: Schedule) -> _Code | None:
    rule = schedule.rule()
    if isinstance(rule, CrontabRule) and not rule.day_or:
        fields = zip(CELERY_NAMES, rule.text.split(), strict=True)
        given = ", ".join(f"{name}={text!r}" for name, text in fields)
        return _Code(text=f"crontab({given})", source="from celery.schedules import crontab")
    if isinstance(rule, IntervalRule):
        return _Code(text=f"timedelta({rule.period}={rule.count})", source="from datetime import timedelta")
    if isinstance(rule, SolarRule):
        text = f"solar({rule.event!r}, {rule.latitude}, {rule.longitude})"
        return _Code(text=text, source="from celery.schedules import solar")
    return None
