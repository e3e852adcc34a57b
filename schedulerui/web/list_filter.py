"""A list's filter: one FilterSet, filled from plain controls and from qualifiers typed into its text field.

What cannot be understood is said and never ignored: no rows are shown while a part makes no sense.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.forms import BoundField
from django.http import QueryDict
from django.utils.translation import gettext as _

from schedulerui.web.query_language import MOST_TERMS, Term, duration_of, parse, without

Condition = Callable[[Any, datetime], Q]
"""What a cleaned value, and the present moment, ask of a row."""


class DurationField(forms.CharField):
    """A duration as people type it: 90s, 15m, 1h30m, 7d, 2w."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", 20)
        options.setdefault("widget", forms.TextInput(attrs={"placeholder": "1h, 7d, 90s"}))
        super().__init__(**options)

    def clean(self, value: Any) -> timedelta | None:
        """Return the duration, None for nothing; raises ValidationError."""
        text = super().clean(value)
        try:
            return duration_of(text) if text else None
        except ValueError as error:
            raise ValidationError(_("Write a duration like 90s, 15m, 1h30m, 7d or 2w.")) from error


class DurationFilter(django_filters.Filter):
    """A filter by how long."""

    field_class = DurationField


def text_filter(label: Any, max_length: int) -> django_filters.CharFilter:
    """Return a filter by text that asks what ``conditions`` has under its name."""
    return django_filters.CharFilter(label=label, method="narrow", max_length=max_length)


def like(column: str) -> Condition:
    """Return the condition that a column is a value, or begins with it where the value ends with a star."""

    def condition(value: str, _now: datetime) -> Q:
        if value.endswith("*"):
            return Q(**{f"{column}__startswith": value[:-1]})
        return Q(**{column: value})

    return condition


class ListFilter(django_filters.FilterSet):
    """A FilterSet that understands typed qualifiers, knows its removable pills and what it did not understand."""

    main: tuple[str, ...] = ("q", "state")
    ignored_keys = frozenset({"older", "newer", "since", "have", "newest", "count", "sort"})
    """Keys of the address that page, poll and sort, and do not narrow."""
    qualifiers: ClassVar[Mapping[str, str]] = {}
    """A qualifier with its sign, to the filter that it sets; empty for a list without qualifiers."""
    conditions: ClassVar[Mapping[str, Condition]] = {}
    """A filter that a qualifier can set, to what its value asks of a row."""
    is_common = False
    """Whether very many rows have the words."""

    def __init__(self, data: QueryDict, *, queryset: QuerySet[Any], now: datetime) -> None:
        self.given, self.now = data, now
        self.text = data.get("q", "") if self.qualifiers else ""
        self.terms = parse(self.text)
        self.words = [term for term in self.terms if not term.key and term.value]
        self.extra: list[Term] = []
        super().__init__(self._merged(data), queryset=queryset)

    def _merged(self, data: QueryDict) -> QueryDict:
        """Return the controls' values and, where a control is empty, those that were typed; the rest of the typed is kept apart."""
        merged = data.copy()
        for term in self.terms:
            name = self.qualifiers.get(term.qualifier)
            if name is None:
                continue
            if term.is_negated or "," in term.value or merged.get(name, "").strip() or not term.value:
                self.extra.append(term)
            else:
                merged[name] = self._meant(name, term.value)
        return merged

    def _meant(self, name: str, value: str) -> str:
        """Return the choice whose word was typed as pages show it, with hyphens for spaces; other values as they are."""
        choices = self.base_filters[name].extra.get("choices", ())
        words = {key: str(word).casefold() for key, word in (choices() if callable(choices) else choices)}
        typed = value.replace("-", " ").casefold()
        return value if value in words else next((key for key, word in words.items() if word == typed), value)

    @cached_property
    def controls(self) -> forms.Form:
        """Return the plain controls with what was set by them, and not what was typed."""
        of_both = type(self.form)
        return of_both(self.given, prefix=self.form_prefix)

    @cached_property
    def _asked(self) -> list[tuple[Q, list[str]]]:
        """Return what each term that no control can hold asks, and what is wrong with it."""
        return [self._of_term(term) for term in self.extra[:MOST_TERMS]]

    def _of_term(self, term: Term) -> tuple[Q, list[str]]:
        name = self.qualifiers[term.qualifier]
        field, asked = self.form.fields[name], Q()
        try:
            values = [field.clean(self._meant(name, value)) for value in term.value.split(",") if value]
        except ValidationError as error:
            return Q(), [f"{term.qualifier} {self._wrong(name, error)}"]
        if not values:
            return Q(), [_("Nothing stands after “%(qualifier)s”.") % {"qualifier": term.qualifier}]
        for value in values:
            asked |= self.conditions[name](value, self.now)
        return (~asked if term.is_negated else asked), []

    @property
    def problems(self) -> list[str]:
        """Sentences about what could not be used; empty when every part of the address was understood."""
        found = []
        for name, errors in self.form.errors.as_data().items():
            label = self.form.fields[name].label or name
            found.append(f"{label}: {' '.join(self._wrong(name, error) for error in errors)}")
        unknown = [key for key in self.given if key not in self.filters and key not in self.ignored_keys]
        found += [_("There is no filter named “%(name)s”.") % {"name": key[:60]} for key in unknown]
        found += [sentence for _asked, sentences in self._asked for sentence in sentences]
        return found + self._unknown_qualifiers()

    def _wrong(self, name: str, error: ValidationError) -> str:
        """Return what is wrong with a value; of one that is no choice, what it may be."""
        if getattr(error, "code", "") != "invalid_choice":
            return " ".join(str(message) for message in error.messages)
        known = [str(key) for key, _word in self.form.fields[name].widget.choices if key]
        given = str((error.params or {}).get("value", ""))[:60]
        return _("There is no “%(value)s”. It may be one of: %(known)s.") % {
            "value": given,
            "known": ", ".join(known),
        }

    def _unknown_qualifiers(self) -> list[str]:
        sentence = _(
            "There is no qualifier “%(name)s”. It may be one of: %(known)s. Put words in quotes to look for them."
        )
        known = " ".join(self.qualifiers)
        found = [
            sentence % {"name": term.qualifier, "known": known}
            for term in self.terms
            if term.key and term.qualifier not in self.qualifiers
        ]
        if len(self.terms) > MOST_TERMS:
            found.append(_("That are more than %(most)s terms.") % {"most": MOST_TERMS})
        return found

    def narrow(self, queryset: QuerySet[Any], name: str, value: Any) -> QuerySet[Any]:
        """Keep the rows that fulfil the condition of a filter."""
        return queryset.filter(self.conditions[name](value, self.now))

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow by the controls, then by the terms that no control can hold."""
        narrowed: QuerySet[Any] = super().filter_queryset(queryset)
        for asked, problems in self._asked:
            if not problems:
                narrowed = narrowed.filter(asked)
        return narrowed

    def take_words_for_common(self) -> None:
        """Ask for words so that the database takes them for common, now that they are known to be."""
        self.is_common = True
        self.__dict__.pop("_qs", None)  # where a FilterSet keeps its rows

    @property
    def main_fields(self) -> list[BoundField]:
        """The controls that are always in sight."""
        return [field for field in self.controls.visible_fields() if field.name in self.main]

    @property
    def more_fields(self) -> list[BoundField]:
        """The controls that are folded away."""
        return [field for field in self.controls.visible_fields() if field.name not in self.main]

    @property
    def is_more_open(self) -> bool:
        """Whether a folded control is set or wrong."""
        return any(field.data or field.errors for field in self.more_fields)

    @property
    def narrowed(self) -> QuerySet[Any]:
        """The rows that match, none at all while a part of the filter makes no sense."""
        rows: QuerySet[Any] = self.qs
        return rows.none() if self.problems else rows

    @property
    def active(self) -> list[tuple[str, str, str]]:
        """(label, value, address without it) of each filter that is set, by a control or typed."""
        return [*self._set_controls(), *self._typed()]

    def _set_controls(self) -> list[tuple[str, str, str]]:
        return [
            (
                str(field.label),
                self.value_words(name, self.given.get(name, "")),
                "?" + self.query(without=[name]),
            )
            for name, field in self.form.fields.items()
            if self.given.get(name, "").strip() and not (name == "q" and self.qualifiers)
        ]

    def _typed(self) -> list[tuple[str, str, str]]:
        found = []
        if self.words:
            shown = " ".join(self.text[word.start : word.end] for word in self.words)
            found.append((str(self.form.fields["q"].label), shown, self._address_without(self.words)))
        for term in self.terms:
            name = self.qualifiers.get(term.qualifier)
            if name is not None:
                label = str(self.form.fields[name].label)
                label = _("Not %(label)s") % {"label": label} if term.is_negated else label
                values = ", ".join(
                    self.value_words(name, self._meant(name, value))
                    for value in term.value.split(",")
                    if value
                )
                found.append((label, values, self._address_without([term])))
        return found

    def _address_without(self, terms: Iterable[Term]) -> str:
        rest = without(self.text, terms)
        return "?" + self.query(without=() if rest else ["q"], q=rest)

    def value_words(self, name: str, raw: str) -> str:
        """Return what a filter is set to, choices by their words."""
        choices = dict(getattr(self.form.fields[name], "choices", ()))
        return str(choices.get(raw, raw.replace("T", " ") if name.startswith("due_") else raw))

    def query(self, *, without: Iterable[str] = (), **changed: str) -> str:
        """Return the filter and the order as a query string; cursors and empty values are left out."""
        dropped = set(without) | (self.ignored_keys - {"sort"})
        kept = QueryDict(mutable=True)
        for key, value in {**self.given.dict(), **changed}.items():
            if key not in dropped and str(value).strip():
                kept[key] = str(value)
        return kept.urlencode()
