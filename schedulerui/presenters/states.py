"""The one table from a run's state to its word, its family of colours and its icon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from schedulerui.facts import RunState

Text = str | Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class StateWord:
    """How one state is shown: never by its colour alone."""

    key: str
    word: str
    family: str
    """One of ok, fail, warn, run, skip, off."""
    icon: str
    """Id of a symbol in ``img/icons.svg``."""


_TABLE: Mapping[str, tuple[Text, str, str]] = {
    RunState.WAITING: (_("Waiting"), "off", "clock"),
    RunState.PENDING: (_("Queued"), "run", "clock"),
    RunState.SENT: (_("Sent"), "run", "arrow"),
    RunState.UNSENT: (_("Not sent"), "fail", "cross"),
    RunState.CANCELLED: (_("Cancelled"), "off", "dash"),
    RunState.RECEIVED: (_("Received"), "run", "arrow"),
    RunState.STARTED: (_("Running"), "run", "play"),
    RunState.RETRYING: (_("Retrying"), "run", "retry"),
    RunState.LOST: (_("Lost"), "fail", "question"),
    RunState.SUCCEEDED: (_("Succeeded"), "ok", "check"),
    RunState.FAILED: (_("Failed"), "fail", "cross"),
    RunState.REVOKED: (_("Revoked"), "off", "dash"),
    RunState.EXPIRED: (_("Expired"), "skip", "skip"),
    RunState.IGNORED: (_("Ignored"), "off", "dash"),
    RunState.REJECTED: (_("Rejected"), "fail", "cross"),
    RunState.SKIPPED: (_("Skipped"), "skip", "skip"),
    RunState.MISSED: (_("Missed"), "warn", "triangle"),
    # What a schedule shows in place of a run's state.
    "": (_("Never ran"), "off", "dash"),
    "paused": (_("Paused"), "off", "pause"),
    "error": (_("Rule broken"), "fail", "cross"),
    "unknown": (_("Unknown task"), "warn", "question"),
    "late": (_("Late"), "warn", "triangle"),
    "overslept": (_("Pause is over"), "warn", "clock"),
    # What a queue shows that nobody takes from.
    "unattended": (_("No worker"), "fail", "triangle"),
}

_TRIGGERS: Mapping[str, Text] = {
    "schedule": _("Schedule"),
    "manual": _("By hand"),
    "retry": _("Retry"),
    "backfill": _("Backfill"),
    "task": _("Other code"),
}


def state_of(state: str) -> StateWord:
    """Return how to show a state; one that is not known shows its own name."""
    word, family, icon = _TABLE.get(state, (state, "off", "question"))
    return StateWord(key=str(state) or "never", word=str(word), family=family, icon=icon)


def state_word(state: str) -> str:
    """Return the word of a state."""
    return state_of(state).word


def trigger_word(trigger: str) -> str:
    """Return the word for what made a run."""
    return str(_TRIGGERS.get(trigger, trigger))
