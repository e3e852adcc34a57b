"""Controls of a filter, drawn without templates: a list's bar has thirteen, and Django includes two templates for each choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from django import forms
from django.forms.renderers import DjangoTemplates
from django.utils.safestring import SafeString

Widget = Mapping[str, Any]
"""What Django hands to the template of a control, and of a choice of it."""


class PlainRenderer(DjangoTemplates):
    """Draws inputs and selects as Django's own templates do, and leaves all else to these."""

    def render(self, template_name: str, context: dict[str, Any], request: Any = None) -> str:
        """Return the control."""
        draw = DRAWN.get(template_name)
        return super().render(template_name, context, request) if draw is None else draw(context["widget"])


class PlainForm(forms.Form):
    """A form of such controls."""

    default_renderer = PlainRenderer


def _attributes(widget: Widget) -> str:
    return "".join(
        f" {escape(str(name))}" if value is True else f' {escape(str(name))}="{escape(str(value))}"'
        for name, value in widget["attrs"].items()
        if value is not False
    )


def _input(widget: Widget) -> SafeString:
    value = "" if widget["value"] is None else f' value="{escape(str(widget["value"]))}"'
    return SafeString(
        f'<input type="{escape(widget["type"])}" name="{escape(widget["name"])}"{value}{_attributes(widget)}>'
    )


def _select(widget: Widget) -> SafeString:
    parts = [f'<select name="{escape(widget["name"])}"{_attributes(widget)}>']
    for group, options, _place in widget["optgroups"]:
        drawn = "".join(map(_option, options))
        parts.append(f'<optgroup label="{escape(str(group))}">{drawn}</optgroup>' if group else drawn)
    return SafeString(f"{''.join(parts)}</select>")


def _option(widget: Widget) -> str:
    value, label = escape(str(widget["value"])), escape(str(widget["label"]))
    return f'<option value="{value}"{_attributes(widget)}>{label}</option>'


DRAWN: Mapping[str, Callable[[Widget], SafeString]] = {
    "django/forms/widgets/datetime.html": _input,
    "django/forms/widgets/hidden.html": _input,
    "django/forms/widgets/number.html": _input,
    "django/forms/widgets/select.html": _select,
    "django/forms/widgets/text.html": _input,
}
