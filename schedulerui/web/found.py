"""What an address names, for the person who asks: or 404, or 403."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.http import Http404, HttpRequest

from schedulerui.access import is_limited, may, visible
from schedulerui.models import Run, Schedule
from schedulerui.models.damaged import read_schedule

MOST_DIGITS = 18
"""Digits up to which each number surely fits into a column of 64 bits."""


class Refused(Exception):
    """The person may not do ``verb`` to the row that the address names; the gate answers with a sentence."""

    def __init__(self, verb: str) -> None:
        self.verb = verb
        super().__init__(verb)


def schedule_or_404(request: HttpRequest, pk: int, *, verb: str = "view") -> Schedule:
    """Return a schedule, also a damaged one, that the person may know of and may ``verb``.

    Raises Http404 for one that is not there or that ACCESS_FILTER leaves out, and Refused.
    """
    return _found(request, pk, verb=verb, read=read_schedule)


def sound_schedule_or_404(request: HttpRequest, pk: int, *, verb: str) -> Schedule:
    """Return a schedule that is there as it was stored, never with a default for what cannot be read; else as above."""
    return _found(request, pk, verb=verb, read=lambda pk: Schedule.objects.select_related("state").get(pk=pk))


def _found(request: HttpRequest, pk: int, *, verb: str, read: Callable[[int], Schedule]) -> Schedule:
    if is_limited() and not visible(request.user, Schedule.objects.filter(pk=pk)).exists():
        raise Http404
    try:
        found = read(pk)
    except Schedule.DoesNotExist:
        raise Http404 from None
    if not may(request.user, verb, found):
        raise Refused(verb)
    return found


def run_or_404(request: HttpRequest, uuid: UUID, *, verb: str = "view") -> Run:
    """Return a run with its schedule, where the person may know of it and may ``verb`` its schedule; raises as above."""
    try:
        found = visible(request.user, Run.objects.select_related("schedule")).get(uuid=uuid)
    except Run.DoesNotExist:
        raise Http404 from None
    if not may(request.user, verb, found.schedule):
        raise Refused(verb)
    return found


def key_of(text: str) -> int | None:
    """Return the key of a row, or another number of a column, that an address or a form names; None for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS else None
