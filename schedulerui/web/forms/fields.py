"""Form fields that Django does not bring: JSON that says where it is wrong, and a wall time without a zone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NoReturn

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from schedulerui.operations.validation import (
    JSON_DEPTH_MAX,
    JSON_SIZE_MAX,
    depth_of,
    is_text_throughout,
    unstorable,
)  # fmt: skip
from schedulerui.presenters.values import printable

MIN_YEAR, MAX_YEAR = 1970, 9000
WALL_FORMATS = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")


class JSONText(forms.CharField):
    """A textarea of JSON of one type (``list`` or ``dict``); errors name line and column."""

    widget = forms.Textarea

    def __init__(self, *, kind: type[list[Any]] | type[dict[str, Any]], **options: Any) -> None:
        self.kind = kind
        options.setdefault("required", False)
        super().__init__(max_length=JSON_SIZE_MAX, strip=True, **options)

    def clean(self, value: Any) -> Any:
        """Return the parsed value, empty text as the empty list or object; raises ValidationError."""
        text = super().clean(value)
        if not text:
            return self.kind()
        parsed = parse_json(text)
        if not isinstance(parsed, self.kind):
            raise ValidationError(
                _("This must be a list in square brackets, for example [1, 2].")
                if self.kind is list
                else _('This must be an object in braces, for example {"key": "value"}.'),
                code="type",
            )
        check_value(parsed)
        return parsed

    def prepare_value(self, value: Any) -> Any:
        """Return what the textarea shows: what was typed, or the stored value pretty-printed (nothing when empty)."""
        if isinstance(value, str):
            return value
        return printable(json.dumps(value, indent=2, ensure_ascii=False)) if value else ""


def parse_json(text: str) -> object:
    """Return the value of strict JSON; raises ValidationError with line and column."""
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys)
    except json.JSONDecodeError as error:
        raise ValidationError(
            _("Line %(line)d, column %(column)d: this is not JSON (%(problem)s)."),
            code="json",
            params={"line": error.lineno, "column": error.colno, "problem": error.msg},
        ) from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:  # a number of thousands of digits
        raise ValidationError(_("A number in it is too long."), code="number") from error


def check_value(value: object) -> None:
    """Refuse what a database or a broker could not carry: nested too deep, NUL, half a surrogate pair."""
    if depth_of(value) > JSON_DEPTH_MAX:
        raise _too_deep()
    if not is_text_throughout(value):
        raise ValidationError(unstorable(), code="text")


def _too_deep() -> ValidationError:
    return ValidationError(
        _("It is nested deeper than %(depth)d levels."), code="depth", params={"depth": JSON_DEPTH_MAX}
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValidationError(_("%(name)s is not JSON."), code="json", params={"name": name})


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _value in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValidationError(_("The key “%(key)s” stands in it twice."), code="twice", params={"key": twice})
    return found


class WallTime(forms.Field):
    """A date and time without a zone, as ``<input type=datetime-local>`` sends it; the form knows the zone."""

    widget = forms.DateTimeInput

    def __init__(self, **options: Any) -> None:
        options.setdefault("required", False)
        options.setdefault(
            "widget",
            forms.DateTimeInput(format="%Y-%m-%dT%H:%M:%S", attrs={"type": "datetime-local", "step": 1}),
        )
        super().__init__(**options)

    def to_python(self, value: Any) -> datetime | None:
        """Return the naive wall time, None for nothing; raises ValidationError."""
        text = str(value or "").strip()
        if not text:
            return None
        for pattern in WALL_FORMATS:
            try:
                moment = datetime.strptime(text, pattern)  # noqa: DTZ007 - a wall time has no zone by itself
            except ValueError:
                continue
            if MIN_YEAR <= moment.year <= MAX_YEAR:  # further out, converting to UTC overflows
                return moment
        raise ValidationError(_("Write date and time as 2026-12-31T23:59."), code="invalid")


class UtcTime(WallTime):
    """A wall time that is meant in UTC."""

    def clean(self, value: Any) -> datetime | None:
        wall = super().clean(value)
        return wall.replace(tzinfo=UTC) if wall else None
