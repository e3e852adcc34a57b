"""The form that pauses a schedule: until when, in the schedule's zone, and why."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from schedulerui.operations.pauses import REASON_MAX
from schedulerui.web.forms.fields import WallTime

SPANS: tuple[tuple[str, Any], ...] = (
    ("", _("Until somebody resumes it")),
    ("1h", _("For 1 hour")),
    ("4h", _("For 4 hours")),
    ("tomorrow", _("Until tomorrow 08:00")),
    ("monday", _("Until Monday 08:00")),
    ("at", _("Until the moment below")),
)
HOURS = {"1h": 1, "4h": 4}
MORNING = time(8)


class PauseForm(forms.Form):
    """``until_at`` of a valid form is the moment in UTC, None for no end; ``zone`` is the schedule's."""

    span = forms.ChoiceField(label=_("How long"), choices=SPANS, required=False)
    until = WallTime(label=_("Moment"), help_text=_("A moment here goes before the choice above."))
    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_MAX,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": _("supplier maintenance")}),
    )

    def __init__(self, data: Any = None, *, zone: tzinfo, now: datetime, **options: Any) -> None:
        super().__init__(data, **options)
        self.zone, self.now = zone, now
        self.fields["until"].label = _("Moment, in %(zone)s") % {"zone": zone}

    def clean(self) -> dict[str, Any]:
        """Ask for the moment where it is meant, and refuse one that has passed."""
        cleaned = super().clean() or {}
        if cleaned.get("span") == "at" and cleaned.get("until") is None and not self.errors:
            self.add_error("until", _("Say until when."))
        if not self.errors and (until := self.until_at) is not None and until <= self.now:
            self.add_error("until", _("This moment has passed."))
        return cleaned

    @property
    def until_at(self) -> datetime | None:
        """When the pause ends, UTC."""
        wall, span = self.cleaned_data.get("until"), self.cleaned_data.get("span", "")
        if wall is None and span in HOURS:
            return self.now.replace(microsecond=0) + timedelta(hours=HOURS[span])
        if wall is None and span in {"tomorrow", "monday"}:
            today = self.now.astimezone(self.zone).date()
            days = 1 if span == "tomorrow" else 7 - today.weekday()
            wall = datetime.combine(today + timedelta(days=days), MORNING)
        return None if wall is None else wall.replace(tzinfo=self.zone).astimezone(UTC)
