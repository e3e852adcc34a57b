"""What a schedule's values must be: one check for the form, the command line, the admin and code."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from django.core.exceptions import NON_FIELD_ERRORS, FieldDoesNotExist, ValidationError
from django.utils.translation import gettext as _

from schedulerui.models import Schedule
from schedulerui.operations import canvas, policies, send_options
from schedulerui.operations.audit import EDITABLE
from schedulerui.recurrence import RuleError

JSON_DEPTH_MAX = 32
"""Deepest nesting of arguments: beyond it, some JSON readers give up."""
JSON_SIZE_MAX = 65_536
"""Most characters of arguments as JSON text."""

FIELD_OF_RULE: dict[str, str] = {
    "minute": "expression",
    "hour": "expression",
    "day_of_month": "expression",
    "month": "expression",
    "day_of_week": "expression",
    "anchor": "anchor_at",
    "at_utc": "clocked_at_utc",
    "at_local": "clocked_at_local",
    "event": "solar_event",
}
"""A rule's field to the model's field that holds it, where the two names differ."""

_SHAPES: dict[str, type] = {"args": list, "kwargs": dict, "headers": dict, "options": dict, "canvas": dict}
_OF_KIND: dict[str, tuple[str, ...]] = {
    "crontab": ("expression",),
    "interval": ("every", "period", "anchor_at"),
    "clocked": ("clocked_at_utc", "clocked_at_local"),
    "solar": ("solar_event", "latitude", "longitude"),
    "manual": (),
}

Errors = dict[str, list[str]]


def apply(schedule: Schedule, fields: Mapping[str, object], *, now: datetime) -> None:
    """Set the given fields on an unsaved or loaded schedule, cleared of what belongs to other kinds.

    Moments are cut to whole seconds; an interval without an anchor counts from ``now``. Raises TypeError for a name that is
    not an editable field: that is a mistake of the caller and not of a person.
    """
    for name, value in fields.items():
        if name not in EDITABLE and name not in {"source", "source_key", "source_app"}:
            message = f"{name!r} is not a field that can be set"
            raise TypeError(message)
        setattr(schedule, name, _storable(value))
    schedule.tags = policies.tags_of(str(schedule.tags or ""))
    _settle_canvas(schedule)
    for kind, names in _OF_KIND.items():
        if kind != schedule.kind:
            for name in names:
                setattr(schedule, name, _empty(name))
    if schedule.kind == "interval" and schedule.anchor_at is None:
        schedule.anchor_at = now.replace(microsecond=0)


def errors_of(schedule: Schedule) -> Errors:
    """Return what is wrong with a schedule's values, field to sentences; empty when it can be saved."""
    errors: Errors = {}
    for name, shape in _SHAPES.items():
        _check_json(name, getattr(schedule, name), shape, errors)
    _check_options(schedule, errors)
    _check_canvas(schedule, errors)
    _collect_field_errors(schedule, errors)
    _check_name(schedule, errors)
    for name, sentences in policies.problems_of(schedule).items():
        errors.setdefault(name, sentences)
    if not errors.keys() & {"kind", "tz", *_OF_KIND.get(schedule.kind, ())}:
        _check_rule(schedule, errors)
    if schedule.start_at and schedule.end_at and schedule.end_at < schedule.start_at:
        errors.setdefault("end_at", []).append(_("The end is before the start."))
    if schedule.soft_time_limit and schedule.time_limit and schedule.soft_time_limit >= schedule.time_limit:
        errors.setdefault("soft_time_limit", []).append(
            _("The soft limit must be shorter than the hard one.")
        )
    return errors


def _settle_canvas(schedule: Schedule) -> None:
    """Keep a canvas in our own form, and its first task's name as the schedule's; one that is wrong stays for the check."""
    try:
        schedule.canvas = canvas.read(schedule.canvas)
    except canvas.CanvasError:
        return
    schedule.task = next(iter(canvas.task_names(schedule.canvas)), schedule.task)


def _check_canvas(schedule: Schedule, errors: Errors) -> None:
    if "canvas" in errors:
        return
    try:
        problem = canvas.backend_problem(canvas.read(schedule.canvas))
    except canvas.CanvasError as error:
        problem = str(error)
    if problem:
        errors["canvas"] = [problem]


def _storable(value: object) -> object:
    """Cut moments to whole seconds, and numbers such as Celery's degrees to the six decimal places of a column."""
    if isinstance(value, datetime):
        return value.replace(microsecond=0)
    if isinstance(value, float) and math.isfinite(value):
        return Decimal(f"{value:.6f}")
    return value


def _empty(name: str) -> object:
    field = Schedule._meta.get_field(name)  # noqa: SLF001 - Django's documented introspection
    return None if getattr(field, "null", False) else ""


def _collect_field_errors(schedule: Schedule, errors: Errors) -> None:
    try:
        schedule.clean_fields(exclude={"uuid", "created_at", "updated_at", *_SHAPES})
    except ValidationError as error:
        for name, messages in error.message_dict.items():
            errors.setdefault(_known(name), []).extend(messages)
    for name in EDITABLE:
        value = getattr(schedule, name)
        if isinstance(value, str) and not is_text(value):
            errors.setdefault(name, []).append(unstorable())


def _known(name: str) -> str:
    try:
        Schedule._meta.get_field(name)  # noqa: SLF001 - Django's documented introspection
    except FieldDoesNotExist:
        return NON_FIELD_ERRORS
    return name


def _check_name(schedule: Schedule, errors: Errors) -> None:
    if "name" in errors:
        return
    others = Schedule.objects.filter(name=schedule.name)
    if schedule.pk:
        others = others.exclude(pk=schedule.pk)
    if others.exists():
        errors["name"] = [_("There is already a schedule with this name.")]


def _check_json(name: str, value: object, shape: type, errors: Errors) -> None:
    if not isinstance(value, shape):
        wanted = _("a JSON list, like [1, 2]") if shape is list else _('a JSON object, like {"key": "value"}')
        errors.setdefault(name, []).append(_("This must be %(wanted)s.") % {"wanted": wanted})
        return
    if depth_of(value) > JSON_DEPTH_MAX:
        errors.setdefault(name, []).append(
            _("Nested deeper than %(most)d levels.") % {"most": JSON_DEPTH_MAX}
        )
        return
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        errors.setdefault(name, []).append(_("Not valid JSON: %(error)s.") % {"error": error})
        return
    if len(text) > JSON_SIZE_MAX:
        errors.setdefault(name, []).append(
            _("Longer than %(most)d characters of JSON.") % {"most": JSON_SIZE_MAX}
        )
    elif not is_text_throughout(value):
        errors.setdefault(name, []).append(unstorable())


def _check_options(schedule: Schedule, errors: Errors) -> None:
    if "options" not in errors:
        problems = send_options.problems_of(schedule.options, is_code=schedule.source == "code")
        if problems:
            errors["options"] = problems


def is_text(text: str) -> bool:
    """Return whether every database, broker and page takes it: no NUL, no half of a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def is_text_throughout(value: object) -> bool:
    """Return whether all texts of a JSON value, its keys too, can be stored."""
    return all(is_text(part) for part in _texts(value))


def unstorable() -> str:
    """Return the sentence about what ``is_text`` refuses."""
    return _("A text in it holds a NUL or half of a surrogate pair, which cannot be stored.")


def _texts(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting.extend(item.keys())
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)


def depth_of(value: object) -> int:
    """Return how deep lists and objects are nested; walks by level, so that hostile depth cannot exhaust the stack."""
    depth, level = 0, [value]
    while level and depth <= JSON_DEPTH_MAX:
        nested: list[object] = []
        for item in level:
            if isinstance(item, dict):
                nested.extend(item.values())
            elif isinstance(item, list | tuple):
                nested.extend(item)
            else:
                continue
        level, depth = nested, depth + 1
    return depth


def _check_rule(schedule: Schedule, errors: Errors) -> None:
    try:
        schedule.rule()
    except RuleError as error:
        name = FIELD_OF_RULE.get(error.field, error.field)
        errors.setdefault(_known(name), []).append(error.said(_))
