"""From a row's time to the fields of a rule of ours that runs at the same times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from schedulerui.moving import old_times
from schedulerui.moving.draft import Draft, Surroundings
from schedulerui.recurrence import RuleError, parse_rule, zone
from schedulerui.recurrence.fields import CELERY_NAMES, FIELDS, LONGEST_TEXT, expand

_SECOND = old_times.MICROSECONDS["seconds"]
_NAME_LENGTH = 3
"""Celery reads so many letters of the name of a day or a month."""


def set_time(draft: Draft, around: Surroundings) -> None:
    """Set the fields of the draft that say when; a time that we cannot keep becomes a schedule by hand, switched off."""
    timing = draft.old.timing
    draft.fields["tz"] = around.zone
    if timing is None:
        problem = (
            "The row of its time is gone" if draft.old.n_timings else "It has no time, so it has never run"
        )
        draft.by_hand(problem, "none")
        return
    if draft.old.n_timings > 1:
        draft.changes.append(f"It has more than one time; the {timing.kind} is kept, as its beat did")
    kinds = {"interval": _set_interval, "crontab": _set_crontab, "solar": _set_solar, "clocked": _set_clocked}
    kinds[timing.kind](draft, timing.values, around)


def zone_of(values: Mapping[str, Any], around: Surroundings) -> str:
    """Return the zone that django-celery-beat reads a crontab in."""
    return str(values.get("timezone") or around.zone) if around.is_zone_of_row else around.zone


def _set_interval(draft: Draft, values: Mapping[str, Any], around: Surroundings) -> None:
    every, period, old = values["every"], str(values["period"]), draft.old
    rule = f"every {every} {period}"
    factor = old_times.MICROSECONDS.get(period)
    if factor is None:
        draft.by_hand(f"The period {period!r} is unknown", rule)
    elif every < 1:
        draft.by_hand("Its interval is not above zero", rule)
    elif every * factor % _SECOND:
        draft.by_hand("Intervals are whole seconds here", rule)
    else:
        if period == "microseconds":
            every, period = every * factor // _SECOND, "seconds"
            draft.changes.append(f"Its interval is written as {every} seconds")
        first = old.last_run_at or old.start_time or old.date_changed or around.now
        draft.fields |= {"kind": "interval", "every": every, "period": period, "anchor_at": _whole(first)}


def _set_crontab(draft: Draft, values: Mapping[str, Any], around: Surroundings) -> None:
    texts = [str(values[name] or "").replace(" ", "") for name in CELERY_NAMES]
    expression, name = " ".join(texts), zone_of(values, around)
    rule = f"{expression} in {name}"
    try:
        zone(name)
    except RuleError as error:
        draft.by_hand(error.message, rule)
        return
    written_in = str(values.get("timezone") or around.zone)
    if written_in != name:
        draft.changes.append(
            f"Its zone is {name}, which its beat went by (DJANGO_CELERY_BEAT_TZ_AWARE is off), and not {written_in}"
        )
    refusal = old_times.refusal(texts)
    if refusal and not _is_ours(expression):
        draft.by_hand(f"Celery cannot read its crontab, so it has never run: {refusal}", rule)
        return
    if refusal:
        draft.problems.append(
            f"Celery refuses its crontab, so it has never run, and here it would: {refusal}"
        )
    else:
        expression = _as_celery_reads(draft, texts)
    draft.fields |= {"kind": "crontab", "expression": expression, "semantics": "celery-and", "tz": name}
    if around.starting_deadline is not None:
        draft.fields["catchup_window"] = around.starting_deadline


def _set_solar(draft: Draft, values: Mapping[str, Any], around: Surroundings) -> None:
    place = {"latitude": values["latitude"], "longitude": values["longitude"]}
    draft.fields |= {"kind": "solar", "solar_event": values["event"], **place}


def _set_clocked(draft: Draft, values: Mapping[str, Any], around: Surroundings) -> None:
    moment: datetime = values["clocked_time"].astimezone(UTC)
    draft.fields |= {"kind": "clocked", "clocked_at_utc": _whole(moment)}
    has_run = draft.old.one_off and draft.old.total_run_count > 0
    if draft.old.enabled and not has_run and moment <= around.now:
        draft.problems.append(
            f"Its moment has passed ({moment:%Y-%m-%d %H:%M:%S} UTC) and it has not run; it is not made up for: "
            "run it by hand if it is still wanted"
        )


def _as_celery_reads(draft: Draft, texts: Sequence[str]) -> str:
    """Return the expression; a field that we refuse or read otherwise is written out as the numbers that Celery reads."""
    found = [_short_name(text) for text in texts]
    for index, text in enumerate(found):
        numbers = old_times.numbers(index, texts[index])
        if _ours(index, text) != numbers:
            found[index] = _written(index, numbers)
            draft.changes.append(f"The {FIELDS[index].word} {texts[index]!r} is written as {found[index]!r}")
    if len(" ".join(found)) > LONGEST_TEXT:
        found = [_written(index, old_times.numbers(index, text)) for index, text in enumerate(texts)]
        draft.changes.append("Its long lists are written as ranges")
    return " ".join(found)


def _short_name(text: str) -> str:
    """Return a field with the names of days and months cut to three letters: Celery reads no more of them."""
    items = text.split(",")
    return ",".join(
        "-".join(part[:_NAME_LENGTH] if part.isalpha() else part for part in item.split("-"))
        for item in items
    )


def _is_ours(expression: str) -> bool:
    try:
        parse_rule({"kind": "crontab", "expression": expression})
    except RuleError:
        return False
    return True


def _ours(index: int, text: str) -> tuple[int, ...] | None:
    try:
        return expand(index, text)
    except RuleError:
        return None


def _written(index: int, numbers: Sequence[int]) -> str:
    """Return numbers as a field, consecutive ones as ranges."""
    if len(numbers) == len(FIELDS[index].numbers):
        return "*"
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _whole(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
