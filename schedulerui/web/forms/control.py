"""The forms that command one worker: labels and what was typed; the operation checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


def number(label: Any, initial: int | None = None) -> forms.IntegerField:
    """Return a field for a whole number."""
    widget = forms.NumberInput(attrs={"autocomplete": "off", "min": 0})
    return forms.IntegerField(label=label, initial=initial, required=False, widget=widget)


def name(label: Any, hint: Any = "", *, listed: str = "") -> forms.CharField:
    """Return a field for a name; ``listed`` is the id of a list of known ones."""
    attrs = {"autocomplete": "off", **({"list": listed} if listed else {})}
    return forms.CharField(label=label, required=False, help_text=hint, widget=forms.TextInput(attrs=attrs))


RATE_HINT = _("10/s, 100/m, 1000/h; 0 lifts the limit. It holds until the worker ends.")
TERMINATE_HINT = _("Its process is ended, whatever it is doing. A pool of threads cannot do that.")
COMMANDS: tuple[tuple[str, Any, dict[str, forms.Field]], ...] = (
    ("pool_grow", _("Add processes"), {"n": number(_("How many"), 1)}),
    ("pool_shrink", _("Remove processes"), {"n": number(_("How many"), 1)}),
    ("autoscale", _("Scale by itself"), {"min": number(_("At least"), 1), "max": number(_("At most"), 4)}),
    ("pool_restart", _("Restart the pool"), {}),
    ("add_consumer", _("Take from a queue"), {"queue": name(_("Queue"))}),
    ("cancel_consumer", _("Stop taking from a queue"), {"queue": name(_("Queue"))}),
    (
        "rate_limit",
        _("Limit the rate of a task"),
        {"task_name": name(_("Task"), listed="worker-tasks"), "rate_limit": name(_("Rate"), RATE_HINT)},
    ),
    (
        "time_limit",
        _("Limit the time of a task"),
        {
            "task_name": name(_("Task"), listed="worker-tasks"),
            "soft": number(_("Soft limit, seconds")),
            "hard": number(_("Hard limit, seconds")),
        },
    ),
    ("revoke", _("Forget a task that has not begun"), {"task_id": name(_("Task id"))}),
    ("terminate", _("End a task in the middle"), {"task_id": name(_("Task id"), TERMINATE_HINT)}),
    ("shutdown", _("Shut it down"), {"confirm": name(_("Type the worker's name"))}),
)


def control_forms(problem: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return (verb, title, form) of each command; the one that ``problem`` is about holds what was typed and why not."""
    return [_entry(verb, title, fields, problem) for verb, title, fields in COMMANDS]


def _entry(
    verb: str, title: Any, fields: dict[str, forms.Field], problem: Mapping[str, Any]
) -> dict[str, Any]:
    kind = type("ControlForm", (forms.Form,), dict(fields))
    is_about = problem.get("verb") == verb
    form = kind(problem["given"] if is_about else None, auto_id=f"control-{verb}-%s")
    if is_about:
        form.is_valid()
        form.errors.clear()
        field = problem["field"] if problem["field"] in form.fields else None
        form.add_error(field, problem["text"])
    return {"verb": verb, "title": title, "form": form, "is_open": is_about}
