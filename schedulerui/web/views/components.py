"""Each part that the pages are made of, once, with invented rows: to look at, to measure and to test."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from schedulerui import clock
from schedulerui.access import rights_of
from schedulerui.models import Schedule
from schedulerui.presenters import samples
from schedulerui.presenters.keys import KEYS
from schedulerui.web.bulk import offered
from schedulerui.web.decorators import gate
from schedulerui.web.filters import ScheduleFilter
from schedulerui.web.forms import RuleForm
from schedulerui.web.upcoming import preview_of

RULE = "kind=crontab&expression=30+2+*+*+*&tz=Europe/Berlin"
"""What the preview is of, as the form asks for it."""
NOTICES = ("success", "info", "warning", "error")


class SampleForm(forms.Form):
    """One field with a hint, and one that is wrong."""

    name = forms.CharField(label=_("Name"), initial="Nightly invoices", required=False)
    priority = forms.IntegerField(label=_("Priority"), help_text=_("From 0 to 255."), max_value=255)


@gate("view", methods=("GET", "HEAD"))
def components(request: HttpRequest) -> HttpResponse:
    """Answer the page; it asks no table but those of the frame."""
    now = clock.now()
    rights = rights_of(request.user)
    row = samples.sample_row(now=now)
    form = SampleForm({"name": "Nightly invoices", "priority": "300"})
    context: dict[str, Any] = {
        "now": now,
        "rights": rights,
        "here": request.get_full_path(),
        "row": row,
        "rows": [row],
        "chips": samples.sample_chips(),
        "recents": [samples.RECENT, "s3", ""],
        "section": {"digest": "", "numbers": samples.sample_numbers(), "delay": samples.sample_delay()},
        "timeline": samples.sample_timeline(now=now),
        "strip": samples.sample_strip(now=now),
        "month": samples.sample_month(now=now),
        "beats": samples.sample_beats(now=now),
        "broken": samples.sample_broken_row(now=now),
        "run_rows": samples.sample_runs(now=now),
        "load": {"digest": "", "strip": samples.sample_load(now=now)},
        "preview": preview_of(RuleForm(QueryDict(RULE)), now=now),
        "differences": samples.sample_differences(),
        "filter": ScheduleFilter(QueryDict("q=night&on=on"), queryset=Schedule.objects.none(), now=now),
        "bulk_actions": offered(rights),
        "pages": {"newer": "a", "older": "b"},
        "notices": NOTICES,
        "form": form,
        "form_field": form["priority"],
        "keys": KEYS,
        "code": '{\n  "store": 138,\n  "token": "********"\n}',
    }
    return render(request, "schedulerui/pages/components.html", context)
