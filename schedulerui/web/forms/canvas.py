"""The part of the schedule's form about a canvas: rows for a flat one, JSON for anything nested; no script needed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _

from schedulerui.canvas import is_sound
from schedulerui.operations import canvas as canvases
from schedulerui.web.forms.fields import JSONText
from schedulerui.web.forms.rule import without

SHAPES = [
    ("", _("One task")),
    ("chain", _("A chain: one after the other")),
    ("group", _("A group: all at once")),
    ("chord", _("A chord: all but the last at once, then the last with their results")),
    ("json", _("Something nested, as JSON")),
]
ROWS_FIRST, ROWS_MAX = 3, 30
COLUMNS = ("task", "args", "kwargs", "queue")
ROW = re.compile(r"step_([0-9]{1,2})_task")
EXAMPLE = (
    '{"type": "chain", "steps": [{"type": "task", "task": "shop.fetch"}, {"type": "group", "steps": [...]}]}'
)


def is_canvas_field(name: str) -> bool:
    """Return whether a field of the form is one of ours; together they make the one value ``canvas``."""
    return name.startswith(("canvas_", "step_"))


class CanvasFields(forms.Form):
    """Fields that make ``cleaned_data["canvas"]``; mixed into the schedule's form."""

    canvas_shape = forms.ChoiceField(label=_("What it runs"), choices=SHAPES, required=False)
    canvas_rows = forms.IntegerField(widget=forms.HiddenInput, required=False)
    canvas_json = JSONText(
        kind=dict,
        label=_("Canvas as JSON"),
        help_text=_("In the form of the example, or as Celery writes a signature in JSON."),
        widget=forms.Textarea(attrs={"rows": 8, "placeholder": EXAMPLE, **without("mono")}),
    )

    def prepare_canvas(self, *, with_values: bool) -> None:
        """Add the rows; to be called when the form knows its data. Takes all of it away where values may not be seen."""
        if not with_values:
            if getattr(getattr(self, "current", None), "canvas", None):
                self.fields["task"].required = False  # the stored canvas names it
            for name in ("canvas_shape", "canvas_rows", "canvas_json"):
                del self.fields[name]
            return
        self.n_steps = self._count_rows()
        for number in range(self.n_steps):
            self.fields |= _row(number)
        if self["canvas_shape"].value():
            self.fields["task"].required = False

    def _count_rows(self) -> int:
        value = str(self["canvas_rows"].value() or "")
        known = int(value) if value.isascii() and value.isdigit() and len(value) < 4 else 0  # noqa: PLR2004 - digits of ROWS_MAX
        # Rows that were added are known by what came back of them.
        given = (match[1] for name in self.data if (match := ROW.fullmatch(name)))
        known = max([known, *(int(number) + 1 for number in given)])
        wanted = max(known, ROWS_FIRST) + (2 if "add_step" in self.data else 0)
        return min(wanted, ROWS_MAX)

    @property
    def steps(self) -> list[list[forms.BoundField]]:
        """The rows as the page shows them."""
        rows = range(getattr(self, "n_steps", 0))
        return [[self[f"step_{number}_{column}"] for column in COLUMNS] for number in rows]

    @property
    def canvas_open(self) -> bool:
        """Whether the folded rows hold something that a person should see at once."""
        is_bad = any(is_canvas_field(name) for name in self.errors) if self.is_bound else False
        return is_bad or "add_step" in self.data or bool(self["canvas_shape"].value())

    def clean_whole_canvas(self, cleaned: dict[str, Any]) -> None:
        """Put ``canvas``, and the first task's name as ``task``, among the cleaned values; errors go to their row."""
        if "canvas_shape" not in self.fields or self.errors.keys() & set(
            filter(is_canvas_field, self.fields)
        ):
            return
        shape, places = cleaned.get("canvas_shape") or "", list[int]()
        given: object = cleaned.get("canvas_json") or {}
        if shape and shape != "json":
            given, places = self._from_rows(shape, cleaned)
        try:
            cleaned["canvas"] = canvases.read(given) if shape else {}
        except canvases.CanvasError as error:
            self.add_error(self._field_of(error.path, places, shape), error.message if places else str(error))
            cleaned["task"] = (
                cleaned.get("task") or shape
            )  # the row says what is wrong; the task's own field need not
            return
        names = canvases.task_names(cleaned["canvas"])
        if shape and not names:
            self.add_error("canvas_json", now_("Write a canvas, or choose one task."))
        elif names:
            cleaned["task"] = names[0]

    def _from_rows(self, shape: str, cleaned: Mapping[str, Any]) -> tuple[dict[str, Any], list[int]]:
        places = [number for number in range(self.n_steps) if _is_filled(cleaned, number)]
        steps = [_step(cleaned, number) for number in places]
        if shape == "chord":
            return {"type": "chord", "header": steps[:-1], "body": steps[-1] if steps else None}, places
        return {"type": shape, "steps": steps}, places

    def _field_of(self, path: str, places: list[int], shape: str) -> str:
        if shape == "json":
            return "canvas_json"
        piece = path.rpartition(".")[2]
        if piece == "body" and places:
            return f"step_{places[-1]}_task"
        return (
            f"step_{places[int(piece)]}_task"
            if piece.isdigit() and int(piece) < len(places)
            else "canvas_shape"
        )


def _row(number: int) -> dict[str, forms.Field]:
    def text(label: Any, **attrs: str) -> forms.CharField:
        widget = forms.TextInput(attrs={**attrs, **without("mono")})
        return forms.CharField(label=label, max_length=200, required=False, widget=widget)

    def values(label: Any, kind: Any, example: str) -> JSONText:
        widget = forms.TextInput(attrs={"placeholder": example, **without("mono")})
        return JSONText(kind=kind, label=label, widget=widget)

    return {
        f"step_{number}_task": text(_("Task"), list="task-names"),
        f"step_{number}_args": values(_("Positional arguments"), list, "[1]"),
        f"step_{number}_kwargs": values(_("Keyword arguments"), dict, '{"store": 138}'),
        f"step_{number}_queue": text(_("Queue")),
    }


def _is_filled(cleaned: Mapping[str, Any], number: int) -> bool:
    return any(cleaned.get(f"step_{number}_{column}") for column in COLUMNS)


def _step(cleaned: Mapping[str, Any], number: int) -> dict[str, Any]:
    task, args, kwargs, queue = (cleaned.get(f"step_{number}_{column}") for column in COLUMNS)
    options = {"queue": queue} if queue else {}
    return {"type": "task", "task": task, "args": args, "kwargs": kwargs, "options": options}


def canvas_initial(canvas: Mapping[str, Any]) -> dict[str, object]:
    """Return what the form shows of a stored canvas: rows where they can say all of it, else JSON."""
    if not canvas:
        return {}
    if not is_sound(canvas) or canvas["type"] == "task":
        return {"canvas_shape": "json", "canvas_json": canvas}
    is_chord = canvas["type"] == "chord"
    steps = [*canvas["header"], canvas["body"]] if is_chord else canvas["steps"]
    if len(steps) > ROWS_MAX or not all(_fits_row(step) for step in steps):
        return {"canvas_shape": "json", "canvas_json": dict(canvas)}
    initial: dict[str, object] = {"canvas_shape": canvas["type"], "canvas_rows": len(steps)}
    for number, step in enumerate(steps):
        initial |= {f"step_{number}_{name}": step[name] for name in ("task", "args", "kwargs")}
        initial[f"step_{number}_queue"] = step["options"].get("queue", "")
    return initial


def _fits_row(step: Mapping[str, Any]) -> bool:
    return step["type"] == "task" and not step["immutable"] and step["options"].keys() <= {"queue"}
