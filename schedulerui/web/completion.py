"""What may come next in a list's filter: qualifiers first, then values that exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.forms import ChoiceField

from schedulerui.models import Schedule, Worker
from schedulerui.web.list_filter import DurationField, ListFilter
from schedulerui.web.query_language import Term, term_at, written

MOST_SHOWN = 10
LOOKED_AT = 10_000
"""Distinct values that are looked through."""
DURATIONS = ("15m", "1h", "6h", "24h", "7d", "30d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One line of the completion."""

    text: str
    """The whole filter once this line is chosen."""
    shown: str
    note: str = ""
    """What the line means, where its text does not say it."""


def suggestions(
    found: ListFilter, *, text: str, caret: int, schedules: QuerySet[Schedule]
) -> list[Suggestion]:
    """Return at most ten continuations of the term at the caret; one query where values are asked for, else none."""
    term = term_at(text, caret)
    if term.qualifier in found.qualifiers:
        values = _values(found, term, schedules)
        return [_filled(text, term, term.qualifier, value, note) for value, note in values]
    if term.key:
        return []
    begun = term.value.lower()
    lines = [qualifier for qualifier in found.qualifiers if qualifier.startswith(begun)]
    return [
        _filled(text, term, qualifier, None, str(found.form.fields[found.qualifiers[qualifier]].label))
        for qualifier in lines[:MOST_SHOWN]
    ]


def _filled(text: str, term: Term, qualifier: str, value: str | None, note: str) -> Suggestion:
    minus = "-" if term.is_negated else ""
    shown = minus + (qualifier if value is None else written(qualifier, value))
    rest = text[term.end :].lstrip()
    end = "" if value is None else " "
    return Suggestion(text=text[: term.start] + shown + end + rest, shown=shown, note=note)


def _values(found: ListFilter, term: Term, schedules: QuerySet[Schedule]) -> list[tuple[str, str]]:
    """Return values that hold what was typed, those that begin with it first; each with its words."""
    name = found.qualifiers[term.qualifier]
    field, typed = found.form.fields[name], term.value.lower()
    if isinstance(field, ChoiceField):
        choices: Iterable[tuple[object, object]] = field.widget.choices
        pairs = [(str(key), str(words)) for key, words in choices if key]
        return _best(pairs, typed)
    if isinstance(field, DurationField):
        return _best([(value, "") for value in DURATIONS], typed)
    source = SOURCES.get(name)
    return _best([(value, "") for value in source(schedules)], typed) if source else []


def _best(pairs: Iterable[tuple[str, str]], typed: str) -> list[tuple[str, str]]:
    fitting = [pair for pair in pairs if typed in pair[0].lower() or typed in pair[1].lower()]
    return sorted(fitting, key=lambda pair: not pair[0].lower().startswith(typed))[:MOST_SHOWN]


def _column(column: str) -> Callable[[QuerySet[Schedule]], list[str]]:
    def source(schedules: QuerySet[Schedule]) -> list[str]:
        values = schedules.exclude(**{column: ""}).order_by(column).values_list(column, flat=True)
        return list(values.distinct()[:LOOKED_AT])

    return source


def _tags(schedules: QuerySet[Schedule]) -> list[str]:
    return sorted({tag for tags in _column("tags")(schedules) for tag in tags.split()})


def _workers(_schedules: QuerySet[Any]) -> list[str]:
    names = Worker.objects.order_by("hostname").values_list("hostname", flat=True)
    return list(names.distinct()[:LOOKED_AT])


SOURCES: Mapping[str, Callable[[QuerySet[Schedule]], list[str]]] = {
    "task": _column("task"),
    "queue": _column("queue"),
    "tz": _column("tz"),
    "owner": _column("owner"),
    "tag": _tags,
    "of": _column("name"),
    "worker": _workers,
}
"""A filter to where its values are found: in schedules and workers, never by a walk through all runs."""
