"""Who may do what: one function, asked by views, templates, the admin and the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model, QuerySet
from django.utils.module_loading import import_string

from schedulerui.conf import settings
from schedulerui.models import Schedule

Visitor = AbstractBaseUser | AnonymousUser
Decide = Callable[[Visitor, str, object], bool]
Narrow = Callable[[Visitor, QuerySet[Schedule]], QuerySet[Schedule]]
Row = TypeVar("Row", bound=Model)

PERMISSIONS: Mapping[str, str] = {
    "view": "schedulerui.view_schedule",
    "operate": "schedulerui.operate_schedule",
    "add": "schedulerui.add_schedule",
    "change": "schedulerui.change_schedule",
    "delete": "schedulerui.delete_schedule",
    "run_custom": "schedulerui.run_custom",
    "view_values": "schedulerui.view_values",
    "control_workers": "schedulerui.control_workers",
    "view_audit": "schedulerui.view_change",
    "view_metrics": "schedulerui.view_metrics",
}
"""Verb to the Django permission that allows it."""


def may(user: Visitor, verb: str, obj: object = None) -> bool:
    """Return whether ``user`` may do ``verb``, to ``obj`` where one is given; nobody who is not logged in may anything.

    Raises KeyError for a verb that does not exist.
    """
    if not (user.is_authenticated and user.is_active):
        return False
    permission = PERMISSIONS[verb]
    dotted = settings().ACCESS
    if dotted:
        return bool(_host_function(dotted)(user, verb, obj))
    has_perm: Callable[[str], bool] | None = getattr(user, "has_perm", None)
    return bool(has_perm and has_perm(permission))


@lru_cache(maxsize=8)
def _host_function(dotted: str) -> Decide:
    function: Decide = import_string(dotted)
    return function


def visible(user: Visitor, queryset: QuerySet[Row], *, through: str = "schedule") -> QuerySet[Row]:
    """Return the rows that ``user`` may know of: all, unless the host's ACCESS_FILTER leaves schedules out.

    Rows that belong to a schedule (runs, changes, alerts) are narrowed with it; ``through`` names the way to it. What belongs
    to no schedule, or to one that is deleted, is then left out as well.
    """
    if not is_limited():
        return queryset
    narrow: Narrow = import_string(settings().ACCESS_FILTER)
    if queryset.model is Schedule:
        narrowed: Any = narrow(user, queryset)  # type: ignore[arg-type] # the line above makes it one of schedules
        return narrowed  # type: ignore[no-any-return] # the host's function returns what it was given
    return queryset.filter(**{f"{through}__in": narrow(user, Schedule.objects.all()).order_by().values("pk")})


def is_asked_of_rows() -> bool:
    """Return whether a function of the host decides, which may decide otherwise for one schedule than in general."""
    return bool(settings().ACCESS)


def is_limited() -> bool:
    """Return whether the host shows some people some schedules only."""
    return bool(settings().ACCESS_FILTER)


def may_know_all(user: Visitor) -> bool:
    """Return whether no schedule is hidden from ``user``: for what shows all of them together and cannot be narrowed."""
    if not is_limited():
        return True
    known = visible(user, Schedule.objects.all()).order_by().values("pk")
    return not Schedule.objects.exclude(pk__in=known).exists()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What one person may do in general, for templates."""

    view: bool
    operate: bool
    add: bool
    change: bool
    delete: bool
    view_values: bool
    control_workers: bool
    view_audit: bool


def rights_of(user: Visitor) -> Rights:
    """Return what a person may do, without looking at a single schedule."""
    return Rights(**{verb: may(user, verb) for verb in Rights.__slots__})
