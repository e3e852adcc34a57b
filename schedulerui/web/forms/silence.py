"""The form that silences alerts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

SPANS: tuple[tuple[str, Any], ...] = (
    ("1800", _("30 minutes")),
    ("3600", _("1 hour")),
    ("14400", _("4 hours")),
    ("86400", _("1 day")),
    ("604800", _("1 week")),
)
"""Seconds, as the form sends them, to words."""


class SilenceForm(forms.Form):
    """For how long nobody is told, and why."""

    span = forms.TypedChoiceField(label=_("For"), choices=SPANS, coerce=int, initial="3600")
    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": _("Deploy of release 12")}),
    )

    @property
    def lasts(self) -> timedelta:
        """How long the valid form says."""
        return timedelta(seconds=self.cleaned_data["span"])
