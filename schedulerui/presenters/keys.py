"""The table of keys, as the help and the page about the product show it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

KEYS: tuple[tuple[tuple[Any, ...], Any], ...] = (
    (("/",), _("Go to the filter")),
    (("j",), _("Next row")),
    (("k",), _("Row before")),
    (("Enter",), _("Open the row")),
    (("x",), _("Select the row")),
    (("b",), _("Go to the actions for the selected rows")),
    (("e",), _("Switch the schedule on or off")),
    (("r",), _("Run the schedule now; a dialog asks first")),
    (("Shift", _("click")), _("On “Run now”: run at once, without the dialog")),
    (("u",), _("Undo, while the notice offers it")),
    (("n",), _("New schedule")),
    (("[",), _("Run before, of the same schedule")),
    (("]",), _("Next run, of the same schedule")),
    (("g", "o"), _("Go to the overview")),
    (("g", "s"), _("Go to the schedules")),
    (("g", "r"), _("Go to the runs")),
    (("g", "t"), _("Go to the timeline")),
    (("g", "w"), _("Go to the workers")),
    (("g", "l"), _("Go to the alerts")),
    (("g", "a"), _("Go to the audit log")),
    ((".",), _("Pause and resume what changes by itself")),
    (("?",), _("Show these keys")),
    (("Esc",), _("Leave the filter; close the dialog or the menu")),
)
"""The keys, in the order in which they are pressed, and what they do."""
