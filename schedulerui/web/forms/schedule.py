"""The form of a schedule: what a person may set, in groups, checked by the same operation that writes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from schedulerui.models import Schedule
from schedulerui.models.choices import DELIVERIES, MISFIRES, OVERLAPS
from schedulerui.operations import policies, schedules
from schedulerui.web.forms.canvas import CanvasFields, canvas_initial, is_canvas_field
from schedulerui.web.forms.fields import JSONText
from schedulerui.web.forms.rule import RuleForm, rule_initial, without

VALUES = ("args", "kwargs", "headers", "options")
"""What only people with ``view_values`` may see of a stored schedule."""
ROUTING = ("queue", "exchange", "routing_key", "priority", "expires_after", "soft_time_limit", "time_limit",
           "ignore_result", "headers", "options")  # fmt: skip
WINDOW = ("start_at", "end_at", "max_runs")
MISFIRE = ("misfire", "grace", "catchup_window", "catchup_max")
OVERLAP = ("overlap", "queue_max", "cancel_grace")
FAILURE = ("retry_max", "retry_after", "auto_pause_after", "delivery")
WATCH = ("max_duration", "alert_grace")
POLICIES = (*MISFIRE, *OVERLAP, *FAILURE, *WATCH)
LABELS = ("tags", "owner")
PLAIN = ("name", "task", "description", "enabled", *VALUES, *(name for name in ROUTING if name not in VALUES),
         "max_runs", *POLICIES, *LABELS)  # fmt: skip
UNSET: tuple[object, ...] = (None, "", "unknown", {}, [])
"""What a field of options shows when nobody has set it."""
CARRIED = ("version", "uuid", "skipped")
"""Hidden fields: what the form must know of the schedule without anybody editing it."""
TOKENS = _("The texts $nominal, $previous_nominal and $last_success become the run's own times.")
MAX_SECONDS = 2_147_483_647


def seconds(label: Any, **options: Any) -> forms.IntegerField:
    """Return a field for a number of seconds that fits the database."""
    return forms.IntegerField(label=label, min_value=0, max_value=MAX_SECONDS, required=False, **options)


def number(label: Any, *, most: int, least: int = 1, **options: Any) -> forms.IntegerField:
    """Return a field for a number from ``least`` to ``most``; empty means what a schedule starts with."""
    return forms.IntegerField(label=label, min_value=least, max_value=most, required=False, **options)


def json_area(label: Any, kind: Any, example: str, *, rows: int = 3, help_text: Any = "") -> JSONText:
    """Return a field for JSON with an example in it."""
    widget = forms.Textarea(attrs={"rows": rows, "placeholder": example, **without("mono")})
    return JSONText(kind=kind, label=label, widget=widget, help_text=help_text)


class YesNo(forms.NullBooleanSelect):
    """Yes, no, or what the task itself says."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.choices = [("unknown", _("As the task says")), ("true", _("Yes")), ("false", _("No"))]


class PolicyFields(forms.Form):
    """What happens when something does not go as planned, and whose the schedule is."""

    misfire = forms.ChoiceField(
        label=_("After an outage"),
        choices=MISFIRES,
        initial="latest",
        help_text=_("What becomes of times that passed while no beat was there."),
    )
    grace = seconds(
        _("Late after, seconds"), initial=30, help_text=_("A time sent later than this counts as missed.")
    )
    catchup_window = seconds(
        _("Forget times older than, seconds"),
        help_text=_("Older missed times never run. Empty: none is too old."),
    )
    catchup_max = number(
        _("Most missed times to run"), most=1000, initial=100, help_text=_("For “run every missed time”.")
    )
    overlap = forms.ChoiceField(
        label=_("While a run is active"),
        choices=OVERLAPS,
        initial="allow",
        help_text=_("What a new run does when the one before has not ended."),
    )
    queue_max = number(
        _("Most runs that wait"), most=100, initial=1, help_text=_("For “wait”: further times are skipped.")
    )
    cancel_grace = seconds(
        _("Time to end after cancelling, seconds"),
        initial=30,
        help_text=_(
            "For “cancel”: after this the new one starts only if the old one is gone for sure. Where runs must not overlap, also how "
            "long one that was given up, though its message may be out, holds the next one back."
        ),
    )
    retry_max = number(
        _("Tries again after a failure"),
        least=0,
        most=20,
        initial=0,
        help_text=_("New runs of the same time, beside the task's own retries. 0: none."),
    )
    retry_after = seconds(
        _("First wait before trying again, seconds"), initial=60, help_text=_("Doubled for each further try.")
    )
    auto_pause_after = number(
        _("Pause after failures in a row"),
        most=32_767,
        help_text=_("Stops by itself until somebody resumes it. Empty: never."),
    )
    delivery = forms.ChoiceField(
        label=_("When sending is in doubt"),
        choices=DELIVERIES,
        initial="at_least_once",
        help_text=_("When nobody knows whether the broker has taken the message."),
    )
    max_duration = seconds(
        _("Longest normal run, seconds"), help_text=_("A longer run is an alert. Empty: no limit.")
    )
    alert_grace = seconds(
        _("Alert when late by, seconds"), help_text=_("Empty: as the settings say (ALERT_GRACE).")
    )
    tags = forms.CharField(
        label=_("Tags"),
        required=False,
        max_length=200,
        help_text=_("Words with spaces between them, to find it by."),
    )
    owner = forms.CharField(
        label=_("Owner"), required=False, max_length=150, help_text=_("Who to ask: a person or a team.")
    )

    def clean_tags(self) -> str:
        return policies.tags_of(self.cleaned_data["tags"])

    def fill_in(self, cleaned: dict[str, Any]) -> None:
        """Put what a schedule starts with where a number was left empty that every schedule has."""
        for name in ("grace", "catchup_max", "queue_max", "cancel_grace", "retry_max", "retry_after"):
            if cleaned.get(name) is None and name not in self.errors:
                cleaned[name] = getattr(Schedule(), name)

    def group(self, names: tuple[str, ...]) -> list[forms.BoundField]:
        """Return the fields of a group that this form has."""
        return [self[name] for name in names if name in self.fields]

    @property
    def labels(self) -> list[forms.BoundField]:
        return self.group(LABELS)

    @property
    def policy_groups(self) -> list[tuple[Any, list[forms.BoundField]]]:
        """The policies under their headings."""
        return [
            (_("Missed times"), self.group(MISFIRE)),
            (_("Overlapping runs"), self.group(OVERLAP)),
            (_("Failures and doubt"), self.group(FAILURE)),
            (_("Alerts"), self.group(WATCH)),
        ]


class ScheduleForm(CanvasFields, RuleForm, PolicyFields):
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

    args = json_area(_("Positional arguments"), list, '[1, "two"]', help_text=TOKENS)
    kwargs = json_area(_("Keyword arguments"), dict, '{"store": 138}', help_text=TOKENS)
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
        self.fill_in(cleaned)
        if cleaned.get("kind") == "interval" and cleaned["anchor_at"] is None:
            del cleaned["anchor_at"]  # the operation counts from the moment of saving
        self.clean_whole_canvas(cleaned)
        self.show(schedules.check(self.schedule_fields, now=self.now, current=self.current))
        return cleaned

    @property
    def routing(self) -> list[forms.BoundField]:
        return self.group(ROUTING)

    @property
    def window(self) -> list[forms.BoundField]:
        return self.group(WINDOW)

    @property
    def routing_open(self) -> bool:
        """Whether the folded group holds something that a person should see at once."""
        return any(field.errors or field.value() not in UNSET for field in self.routing)

    @property
    def policies_open(self) -> bool:
        return any(field.errors for field in [*self.group(POLICIES), *self.window])


def initial_of(schedule: Schedule) -> dict[str, object]:
    """Return what the form shows of a stored schedule."""
    initial = rule_initial(schedule) | {name: getattr(schedule, name) for name in PLAIN}
    initial |= canvas_initial(schedule.canvas)
    return initial | {"version": schedule.version, "tags": schedule.tags.strip()}


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
