"""The form of a schedule: what a person may set, in groups, checked by the same operation that writes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from schedulerui.models import Schedule
from schedulerui.models.choices import DELIVERIES, MISFIRES, OVERLAPS
from schedulerui.operations import schedules
from schedulerui.web.forms.canvas import CanvasFields, canvas_initial, is_canvas_field
from schedulerui.web.forms.fields import JSONText
from schedulerui.web.forms.rule import RuleForm, rule_initial, without

VALUES = ("args", "kwargs", "headers", "options")
"""What only people with ``view_values`` may see of a stored schedule."""
ROUTING = ("queue", "exchange", "routing_key", "priority", "expires_after", "soft_time_limit", "time_limit",
           "ignore_result", "headers", "options")  # fmt: skip
WINDOW = ("start_at", "end_at", "max_runs")
POLICIES = ("misfire", "grace", "overlap", "delivery")
PLAIN = ("name", "task", "description", "enabled", *VALUES, *(name for name in ROUTING if name not in VALUES),
         "max_runs", *POLICIES)  # fmt: skip
UNSET: tuple[object, ...] = (None, "", "unknown", {}, [])
"""What a field of options shows when nobody has set it."""
CARRIED = ("version", "uuid", "skipped")
"""Hidden fields: what the form must know of the schedule without anybody editing it."""
MAX_SECONDS = 2_147_483_647


def seconds(label: Any, **options: Any) -> forms.IntegerField:
    """Return a field for a number of seconds that fits the database."""
    return forms.IntegerField(label=label, min_value=0, max_value=MAX_SECONDS, required=False, **options)


def json_area(label: Any, kind: Any, example: str, *, rows: int = 3) -> JSONText:
    """Return a field for JSON with an example in it."""
    widget = forms.Textarea(attrs={"rows": rows, "placeholder": example, **without("mono")})
    return JSONText(kind=kind, label=label, widget=widget)


class YesNo(forms.NullBooleanSelect):
    """Yes, no, or what the task itself says."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.choices = [("unknown", _("As the task says")), ("true", _("Yes")), ("false", _("No"))]


class ScheduleForm(CanvasFields, RuleForm):
    """Everything a person may set; ``current`` is the stored schedule when it edits one."""

    name = forms.CharField(
        label=_("Name"), max_length=190, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    task = forms.CharField(
        label=_("Task"),
        max_length=200,
        help_text=_("The name under which workers know it."),
        widget=forms.TextInput(attrs={"list": "task-names", **without("mono")}),
    )
    description = forms.CharField(
        label=_("Description"), required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 2})
    )
    enabled = forms.BooleanField(label=_("On: send it when it is due"), required=False, initial=True)

    args = json_area(_("Positional arguments"), list, '[1, "two"]')
    kwargs = json_area(_("Keyword arguments"), dict, '{"store": 138}')
    headers = json_area(_("Message headers"), dict, '{"tenant": "north"}')
    options = json_area(_("Other send options"), dict, '{"serializer": "json"}')

    queue = forms.CharField(
        label=_("Queue"), max_length=200, required=False, widget=forms.TextInput(attrs=without("mono"))
    )
    exchange = forms.CharField(
        label=_("Exchange"), max_length=200, required=False, widget=forms.TextInput(attrs=without("mono"))
    )
    routing_key = forms.CharField(
        label=_("Routing key"), max_length=200, required=False, widget=forms.TextInput(attrs=without("mono"))
    )
    priority = forms.IntegerField(label=_("Priority"), min_value=0, max_value=255, required=False)
    expires_after = seconds(_("Message expires after, seconds"))
    soft_time_limit = seconds(_("Soft time limit, seconds"))
    time_limit = seconds(_("Time limit, seconds"))
    ignore_result = forms.NullBooleanField(label=_("Ignore the result"), required=False, widget=YesNo)

    misfire = forms.ChoiceField(label=_("After an outage"), choices=MISFIRES, initial="latest")
    grace = seconds(_("Late after, seconds"), initial=30)
    overlap = forms.ChoiceField(label=_("While a run is active"), choices=OVERLAPS, initial="allow")
    delivery = forms.ChoiceField(
        label=_("When sending is in doubt"), choices=DELIVERIES, initial="at_least_once"
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, now: datetime, with_values: bool = True, **options: Any) -> None:
        self.now = now
        super().__init__(data, **options)
        if not with_values:
            for name in VALUES:
                del self.fields[name]
        self.prepare_canvas(with_values=with_values)

    @property
    def schedule_fields(self) -> dict[str, object]:
        """The cleaned values under the model's names, as the operations take them."""
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if name not in CARRIED and not is_canvas_field(name)
        }

    def clean(self) -> dict[str, Any]:
        """Check the whole as the operation will that writes it, so that both refuse the same."""
        cleaned = super().clean()
        if cleaned.get("grace") is None:
            cleaned["grace"] = 30
        if cleaned.get("kind") == "interval" and cleaned["anchor_at"] is None:
            del cleaned["anchor_at"]  # the operation counts from the moment of saving
        self.clean_whole_canvas(cleaned)
        self.show(schedules.check(self.schedule_fields, now=self.now, current=self.current))
        return cleaned

    def group(self, names: tuple[str, ...]) -> list[forms.BoundField]:
        """Return the fields of a group that this form has."""
        return [self[name] for name in names if name in self.fields]

    @property
    def routing(self) -> list[forms.BoundField]:
        return self.group(ROUTING)

    @property
    def window(self) -> list[forms.BoundField]:
        return self.group(WINDOW)

    @property
    def policies(self) -> list[forms.BoundField]:
        return self.group(POLICIES)

    @property
    def routing_open(self) -> bool:
        """Whether the folded group holds something that a person should see at once."""
        return any(field.errors or field.value() not in UNSET for field in self.routing)

    @property
    def policies_open(self) -> bool:
        return any(field.errors for field in [*self.policies, *self.window])


def initial_of(schedule: Schedule) -> dict[str, object]:
    """Return what the form shows of a stored schedule."""
    initial = rule_initial(schedule) | {name: getattr(schedule, name) for name in PLAIN}
    initial |= canvas_initial(schedule.canvas)
    return initial | {"version": schedule.version}


def differences(
    mine: Mapping[str, object], current: Schedule, *, labels: Mapping[str, Any]
) -> list[tuple[str, object, object]]:
    """Return (label, what was entered, what is stored) of each field in which a lost race differs."""
    rows = []
    for name, value in mine.items():
        stored = getattr(current, name, None)
        if name in labels and value != stored:
            rows.append((str(labels[name]), shown(value), shown(stored)))
    return rows


def shown(value: object) -> object:
    """Return a value as the page that compares two versions shows it."""
    if value is None or value in ("", [], {}):
        return "—"
    return value.strftime("%Y-%m-%d %H:%M:%S UTC") if isinstance(value, datetime) else value
