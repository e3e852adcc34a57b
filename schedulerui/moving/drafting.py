"""From a row of django-celery-beat to a valid schedule, with a sentence for all that is not as it was."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, timedelta

from schedulerui.error_text import storable
from schedulerui.models import Schedule
from schedulerui.moving.draft import RULE, Draft, Surroundings
from schedulerui.moving.old_times import overdue_at
from schedulerui.moving.rows import CLEANUP, OldTask
from schedulerui.moving.timing import set_time, zone_of
from schedulerui.operations import schedules

_LONGEST_NAME = 190
_KEPT_TEXT = 10_000
"""Most characters of unreadable JSON that are kept, as six times as many may be stored; the old row has the rest."""
_VALUES: dict[str, type] = {"args": list, "kwargs": dict, "headers": dict}
_WORDS = {"args": "a JSON list", "kwargs": "a JSON object", "headers": "a JSON object"}


def draft_of(old: OldTask, around: Surroundings, *, taken: Collection[str] = ()) -> Draft:
    """Return what becomes of a row; ``taken`` are names that rows before it get. Reads, and writes nothing."""
    draft = Draft(old=old)
    draft.skipped = _why_skipped(old, around)
    if draft.skipped:
        return draft
    draft.fields |= {"source": "import", "source_key": old.key, "task": old.task}
    _set_name(draft, taken)
    set_time(draft, around)
    _set_values(draft)
    _set_sending(draft)
    _set_window(draft, around)
    _settle(draft, around)
    if not draft.skipped:
        _set_enabled(draft, around)
    return draft


def _why_skipped(old: OldTask, around: Surroundings) -> str:
    if old.name == CLEANUP:
        return "Beat adds it by itself where results are kept"
    if old.name in around.code_names:
        words = "It comes from beat_schedule in the code, which beat takes over by itself"
        return words if old.enabled else f"{words}; it is off there and will be on here: switch it off again"
    return "" if old.task.strip() else "It names no task"


def _set_name(draft: Draft, taken: Collection[str]) -> None:
    old = draft.old
    name = storable(old.name)
    if not name.strip():
        name = f"django-celery-beat {old.pk}"
    if len(name) > _LONGEST_NAME:
        ending = f"~{old.pk}"
        name = name[: _LONGEST_NAME - len(ending)] + ending
    while name in taken:
        name = f"{name[:-1]}~"
    if name != old.name:
        draft.changes.append(f"Its name is {name!r} here")
    draft.fields["name"] = name


def _set_values(draft: Draft) -> None:
    """Set arguments and headers; a text that is no JSON of the right shape is kept as one value, where values are masked."""
    for name, shape in _VALUES.items():
        text = getattr(draft.old, name) or ""
        try:
            value = json.loads(text, parse_constant=_no_number) if text.strip() else shape()
        except (ValueError, RecursionError) as error:
            _keep_text(draft, name, text, f"cannot be read as JSON: {error}")
            continue
        if isinstance(value, shape):
            draft.fields[name] = value
        elif value is None and shape is dict:
            draft.fields[name] = {}
        else:
            _keep_text(draft, name, text, f"must be {_WORDS[name]}")


def _no_number(word: str) -> object:
    message = f"{word} is no number of JSON"
    raise ValueError(message)


def _keep_text(draft: Draft, name: str, text: str, why: str) -> None:
    kept = storable(text[:_KEPT_TEXT])
    draft.fields[name] = [kept] if _VALUES[name] is list else {"unreadable": kept}
    most = f"its first {_KEPT_TEXT} characters are" if len(text) > _KEPT_TEXT else "the text is"
    draft.problems.append(f"The {name} {why}; {most} kept in their place")


def _set_sending(draft: Draft) -> None:
    old = draft.old
    for name in ("queue", "exchange", "routing_key"):
        draft.fields[name] = getattr(old, name) or ""
    draft.fields["priority"] = old.priority
    draft.fields["expires_after"] = old.message_expires
    draft.fields["misfire"], draft.fields["overlap"] = "latest", "allow"


def _set_window(draft: Draft, around: Surroundings) -> None:
    """Set when it begins and ends; both stand still in the past."""
    old = draft.old
    draft.fields["start_at"], draft.fields["end_at"] = old.start_time, old.expires
    if old.one_off and draft.fields["kind"] != "clocked":
        draft.fields["max_runs"] = 1
    if not old.enabled:
        return
    if old.one_off and old.total_run_count > 0:
        draft.problems.append("It was to run once and has run")
    elif old.expires is not None and old.expires <= around.now:
        draft.problems.append(f"It ended on {old.expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
    elif old.expires is not None:
        draft.notes.append("Its end is kept; its messages do not expire at that moment any more")


def _settle(draft: Draft, around: Surroundings) -> None:
    """Take out what no schedule can have, with the reason, until the rest is valid."""
    draft.fields["description"] = storable(draft.old.description)
    for _again in range(3):
        errors = schedules.check(draft.fields, now=around.now)
        if "name" in errors:
            draft.skipped = "There is a schedule of this name already"
        if not errors or draft.skipped:
            return
        for name in [*errors]:
            sentence = " ".join(errors[name]).rstrip(".")
            if name in {"kind", "tz", *RULE}:
                rule = ", ".join(str(value) for value in (draft.old.timing.values if draft.old.timing else {}).values())  # fmt: skip
                draft.by_hand(f"Its time cannot be kept: {sentence}", rule)
                break
            if name in _VALUES:
                _keep_text(draft, name, str(getattr(draft.old, name)), f"cannot be kept: {sentence}")
            else:
                value = draft.fields.pop(name, None)
                draft.problems.append(f"The {name} {value!r} cannot be kept: {sentence}"[:400])
    draft.skipped = f"It cannot be kept: {'; '.join(draft.problems)}"


def _set_enabled(draft: Draft, around: Surroundings) -> None:
    old = draft.old
    draft.fields["enabled"] = old.enabled and not draft.problems
    if not old.enabled:
        draft.notes.append("It is off, as before")
    if draft.problems:
        told = "\n".join(f"- {problem}." for problem in draft.problems)
        before = str(draft.fields.get("description") or "").rstrip()
        text = f"{before}\n\nSwitched off by the import from django-celery-beat:\n{told}"
        draft.fields["description"] = storable(text).strip()
        return
    zone = zone_of(old.timing.values, around) if old.timing and old.timing.kind == "crontab" else around.zone
    missed = overdue_at(old, now=around.now, zone=zone)
    if missed is not None and around.now - missed > timedelta(seconds=Schedule().grace):
        draft.notes.append(
            f"It was due at {missed.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, since its last run; that time is not made up for"
        )
