"""The form of a run with values of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from schedulerui.operations.reruns import Values
from schedulerui.web.forms.fields import JSONText


class ValuesForm(forms.Form):
    """Arguments and queue of one run; the schedule keeps its own."""

    args = JSONText(
        kind=list,
        label=_("Positional arguments"),
        widget=forms.Textarea(
            attrs={"rows": 3, "class": "mono", "spellcheck": "false", "placeholder": '[1, "two"]'}
        ),
    )
    kwargs = JSONText(
        kind=dict,
        label=_("Keyword arguments"),
        widget=forms.Textarea(
            attrs={"rows": 5, "class": "mono", "spellcheck": "false", "placeholder": '{"store": 138}'}
        ),
    )
    queue = forms.CharField(
        label=_("Queue"),
        max_length=200,
        required=False,
        help_text=_("Empty: by the app's routes."),
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
    )

    def __init__(self, data: Mapping[str, Any] | None, *, start: Values, is_canvas: bool) -> None:
        """``start``: the values without a change. The tasks of a canvas have arguments of their own: only its queue is asked for."""
        initial = {"args": start.args, "kwargs": start.kwargs, "queue": start.queue}
        super().__init__(data, initial=initial)
        self.start = start
        if is_canvas:
            del self.fields["args"], self.fields["kwargs"]
            self.fields["queue"].help_text = _(
                "For the tasks of the canvas that name no queue. Empty: by the app's routes."
            )

    @property
    def values(self) -> Values:
        """What the valid form says."""
        cleaned: dict[str, Any] = {"args": self.start.args, "kwargs": self.start.kwargs, **self.cleaned_data}
        return Values(args=cleaned["args"], kwargs=cleaned["kwargs"], queue=cleaned["queue"])
