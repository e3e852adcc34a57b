"""The part of the form that says when: all that the preview needs, and nothing that a database must answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from schedulerui.models.choices import KINDS, PERIODS, SEMANTICS, SOLAR_EVENTS
from schedulerui.models.schedule import JITTER_MAX, Schedule
from schedulerui.operations.skips import SKIPS_MAX
from schedulerui.recurrence import RuleError
from schedulerui.recurrence.window import Timetable
from schedulerui.recurrence.zones import known_zones
from schedulerui.web.forms.fields import WallTime

MAX_EXPRESSION = 250
FIELDS_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "interval": ("every", "period", "anchor_at"),
    "crontab": ("expression", "semantics"),
    "clocked": ("clocked_at_local",),
    "solar": ("solar_event", "latitude", "longitude"),
    "manual": (),
}
"""The fields that only one kind has; those of the other kinds are neither validated nor kept."""

FIELD_OF_RULE_FIELD: Mapping[str, str] = {
    "minute": "expression",
    "hour": "expression",
    "day_of_month": "expression",
    "month": "expression",
    "day_of_week": "expression",
    "month_of_year": "expression",
    "anchor": "anchor_at",
    "canvas": "canvas_shape",
    "at_local": "clocked_at_local",
    "at_utc": "clocked_at_local",
    "clocked_at_utc": "clocked_at_local",
    "event": "solar_event",
}
"""Where an error of the rule shows, by the rule's own field names; others have the same name in the form."""

EMPTY: Mapping[str, object] = {
    "every": None,
    "period": "",
    "anchor_at": None,
    "expression": "",
    "semantics": "celery-and",
    "clocked_at_local": "",
    "clocked_at_utc": None,
    "solar_event": "",
    "latitude": None,
    "longitude": None,
}

KIND_HINTS = {
    "interval": _("Every so many seconds, minutes, hours or days of elapsed time."),
    "crontab": _("By minute, hour, day, month and weekday of a clock on the wall."),
    "clocked": _("One single time."),
    "solar": _("By the sun: dawn, sunrise, noon, sunset, dusk."),
    "manual": _("Never by itself, only when someone presses Run now."),
}


def without(*names: str) -> dict[str, str]:
    """Return attributes of a text field that a browser must not correct, with ``names`` as its classes."""
    return {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "class": " ".join(names)}


class RuleForm(forms.Form):
    """Kind, zone and the fields of each kind."""

    kind = forms.ChoiceField(
        label=_("How it recurs"), choices=KINDS, widget=forms.RadioSelect, initial="interval"
    )
    tz = forms.CharField(
        label=_("Time zone"),
        max_length=63,
        initial="UTC",
        help_text=_("A name such as Europe/Berlin."),
        widget=forms.TextInput(attrs={"list": "zone-names", **without("mono")}),
    )
    expression = forms.CharField(
        label=_("Crontab expression"),
        max_length=MAX_EXPRESSION,
        required=False,
        help_text=_("Minute, hour, day of month, month, day of week."),
        widget=forms.TextInput(attrs={"placeholder": "30 2 * * mon-fri", **without("mono")}),
    )
    semantics = forms.ChoiceField(
        label=_("When day of month and day of week are both restricted"),
        choices=SEMANTICS,
        required=False,
        initial="celery-and",
        widget=forms.RadioSelect,
    )
    every = forms.IntegerField(
        label=_("Every"), min_value=1, max_value=2_147_483_647, required=False, initial=15
    )
    period = forms.ChoiceField(label=_("Unit"), choices=PERIODS, required=False, initial="minutes")
    anchor_at = WallTime(
        label=_("Counted from"),
        help_text=_("In the time zone below. Empty: from the moment of saving."),
    )
    clocked_at_local = WallTime(label=_("Date and time"), help_text=_("On the clock of the time zone below."))
    solar_event = forms.ChoiceField(
        label=_("Event"), choices=[("", "—"), *SOLAR_EVENTS], required=False, initial="sunrise"
    )
    latitude = forms.DecimalField(
        label=_("Latitude"),
        min_value=-90,
        max_value=90,
        max_digits=9,
        decimal_places=6,
        required=False,
        help_text=_("North is positive."),
    )
    longitude = forms.DecimalField(
        label=_("Longitude"),
        min_value=-180,
        max_value=180,
        max_digits=9,
        decimal_places=6,
        required=False,
        help_text=_("East is positive."),
    )

    jitter = forms.IntegerField(
        label=_("Spread over, seconds"),
        min_value=0,
        max_value=JITTER_MAX,
        required=False,
        initial=0,
        help_text=_(
            "0: on the dot. Else each time is put off by its own share of this, never to the next time."
        ),
    )
    start_at = WallTime(label=_("Not before"), help_text=_("In the schedule's time zone."))
    end_at = WallTime(label=_("Not after"), help_text=_("In the schedule's time zone."))
    max_runs = forms.IntegerField(
        label=_("At most so many runs"),
        min_value=1,
        max_value=2_147_483_647,
        required=False,
        help_text=_("Missed and skipped times do not count. Empty: no limit."),
    )
    uuid = forms.UUIDField(required=False, widget=forms.HiddenInput)
    """What spread and H are computed from: carried along, so that a new schedule is saved as it was previewed."""
    skipped = forms.CharField(required=False, widget=forms.HiddenInput)
    """The nominal times that a stored schedule leaves out, for its preview."""

    def __init__(self, data: Any = None, *, current: Schedule | None = None, **options: Any) -> None:
        self.current = current
        options.setdefault("label_suffix", "")
        super().__init__(data, **options)

    @property
    def zone(self) -> ZoneInfo:
        """The zone that was chosen; UTC as long as it is not a known one."""
        name = self.cleaned_data.get("tz")
        return ZoneInfo(name) if name in known_zones() else ZoneInfo("UTC")

    @property
    def kind_cards(self) -> list[tuple[forms.boundfield.BoundWidget, object]]:
        """The kinds as radio buttons, each with a sentence."""
        return [(widget, KIND_HINTS[str(widget.data["value"])]) for widget in self["kind"]]

    @property
    def both_days_restricted(self) -> bool:
        """Whether the meaning of the two day fields matters for what was typed."""
        fields = str(self["expression"].value() or "").split()
        return len(fields) == 5 and not fields[2].startswith("*") and not fields[4].startswith("*")  # noqa: PLR2004 - five fields

    def clean(self) -> dict[str, Any]:
        """Keep only the fields of the chosen kind, as the model names and types them."""
        cleaned = super().clean() or self.cleaned_data
        kind = cleaned.get("kind")
        for other, names in FIELDS_OF_KIND.items():
            if other != kind:
                self._forget(names)
        cleaned["semantics"] = cleaned.get("semantics") or "celery-and"
        for name in ("anchor_at", "start_at", "end_at"):
            cleaned[name] = self._moment(name)
        cleaned["jitter"] = cleaned.get("jitter") or 0
        for name in ("uuid", "skipped"):  # nobody typed these
            self.errors.pop(name, None)
        self._clean_clocked()
        return cleaned

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self.errors.pop(name, None)
            self.cleaned_data[name] = EMPTY[name]

    def _moment(self, name: str) -> datetime | None:
        """Return a wall time of the form as a moment in UTC; the stored one as long as nobody changes it.

        In the hour that a clock shows twice, only the stored moment knows which of the two it is.
        """
        wall = self.cleaned_data.get(name)
        stored: datetime | None = getattr(self.current, name) if self.current else None
        if stored and wall == wall_time(stored, self.zone):
            return stored
        return wall.replace(tzinfo=self.zone).astimezone(UTC) if wall else None

    def _clean_clocked(self) -> None:
        """A wall time is kept as text; a schedule that holds a moment keeps it as long as nobody changes it."""
        wall = self.cleaned_data.get("clocked_at_local")
        kept = self.current.clocked_at_utc if self.current else None
        self.cleaned_data["clocked_at_utc"] = None
        if not wall:
            self.cleaned_data["clocked_at_local"] = ""
        elif kept and wall == wall_time(kept, self.zone):
            self.cleaned_data["clocked_at_utc"], self.cleaned_data["clocked_at_local"] = kept, ""
        else:
            self.cleaned_data["clocked_at_local"] = wall.isoformat(timespec="seconds")

    def timetable(self, *, now: datetime) -> Timetable:
        """Return when it would be due, an interval counted from ``now`` unless given; raises RuleError."""
        values = self.cleaned_data
        anchor = values.get("anchor_at") or (self.current.anchor_at if self.current else None) or now
        schedule = Schedule(
            **{name: values.get(name, empty) for name, empty in EMPTY.items()},
            **{name: values.get(name) for name in ("start_at", "end_at", "max_runs")},
            kind=values.get("kind") or "",
            tz=values.get("tz") or "",
            jitter=values.get("jitter") or 0,
            uuid=values.get("uuid") or UUID(int=0),
        )
        schedule.anchor_at = anchor.replace(microsecond=0)
        return schedule.timetable()

    @property
    def skips(self) -> dict[datetime, str]:
        """The times that the preview strikes through."""
        texts = str(self.cleaned_data.get("skipped") or "").split(",")[:SKIPS_MAX]
        return dict.fromkeys(filter(None, map(_moment_of, texts)), str(_("skipped")))

    def add_rule_error(self, error: RuleError) -> None:
        """Show an error of the rule at the field that it names."""
        self.show({error.field: [error.said(gettext)]})

    def show(self, errors: Mapping[str, Iterable[str]]) -> None:
        """Show errors of the domain at the fields they belong to, unless a field has one of its own already."""
        bad = set(self.errors)
        for name, messages in errors.items():
            target = FIELD_OF_RULE_FIELD.get(name, name)
            if target in bad:
                continue
            for message in messages:
                self.add_error(target if target in self.fields else None, message)


def rule_initial(schedule: Schedule) -> dict[str, object]:
    """Return what the form shows of a stored schedule's rule; moments as wall times of its zone."""
    zone = ZoneInfo(schedule.tz) if schedule.tz in known_zones() else ZoneInfo("UTC")
    initial: dict[str, object] = {name: getattr(schedule, name) for name in ("kind", "tz", *EMPTY)}
    initial |= {
        name: wall_time(getattr(schedule, name), zone) for name in ("anchor_at", "start_at", "end_at")
    }
    initial |= {name: getattr(schedule, name) for name in ("jitter", "max_runs", "uuid")}
    initial["skipped"] = ",".join(str(entry["nominal"]) for entry in schedule.skips)
    if schedule.clocked_at_utc:
        initial["clocked_at_local"] = wall_time(schedule.clocked_at_utc, zone)
    return initial


def wall_time(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    """Return what a clock in ``zone`` shows, whole seconds, without a zone."""
    return moment.astimezone(zone).replace(tzinfo=None, microsecond=0) if moment else None


def _moment_of(text: str) -> datetime | None:
    """Return the moment of a text in the form's own field; None for anything else."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else None
