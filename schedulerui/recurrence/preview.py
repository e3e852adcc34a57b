"""What a preview says beside the times: the nights on which clocks change, and what may not be meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from schedulerui.recurrence import cron, phrases, typed, walltime
from schedulerui.recurrence.fields import can_occur
from schedulerui.recurrence.fire import next_fire
from schedulerui.recurrence.gaps import shortest_and_longest_gap
from schedulerui.recurrence.phrases import Catalog, Translate, TranslatePlural
from schedulerui.recurrence.rule import ClockedRule, CrontabRule, IntervalRule, ManualRule, Rule, SolarRule
from schedulerui.recurrence.walltime import Stretch

__all__ = ["Notice", "notices", "other_reading", "shortest_and_longest_gap"]

_DAY = timedelta(days=1)
_DAYS_AHEAD = 366
_ALL_HOURS, _ALL_DAYS, _ALL_WEEKDAYS = 24, 31, 7
_OFTEN = timedelta(seconds=5)
_SHOWN_TIMES = 3
_LAST_DAY = date(9999, 12, 27)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One sentence beside the next times, without a full stop.

    `level` is `warn` when a run is moved, left out or not repeated, or may not be what was meant, else
    `info`. `at` is the instant (UTC) of the change of the clock that it is about, None for other notices.
    """

    level: Literal["info", "warn"]
    text: str
    at: datetime | None = None


def notices(
    rule: Rule,
    after: datetime,
    *,
    fires: Sequence[datetime] = (),
    translate: Translate | None = None,
    translate_plural: TranslatePlural | None = None,
    clock12: bool = False,
) -> list[Notice]:
    """Return what a person might not expect of the rule after the moment `after` (aware).

    Changes of the clock are looked for in the 366 days after it and in the days around `fires`, the times
    that are shown. The words are made as `describe` makes them.
    """
    say = phrases.catalog(translate, translate_plural, clock12=clock12)
    found = _general(rule, after, say)
    if isinstance(rule, ClockedRule):
        return found + _clocked_notices(rule, after, say)
    if isinstance(rule, CrontabRule):
        changes = {change.start: change for change in _changes(rule.tz, after, fires)}
        said = (_crontab_notice(rule, changes[moment], say) for moment in sorted(changes))
        return found + [notice for notice in said if notice is not None]
    return found


def other_reading(rule: Rule) -> CrontabRule | None:
    """Return the rule with its two day fields read the other way; None when that would be the same, or nothing.

    The fields of a crontab count as both set when neither begins with `*`: then either reading is possible.
    """
    if not isinstance(rule, CrontabRule) or not _both_day_fields(rule):
        return None
    _minute, _hour, star_day, _month, star_weekday = typed.stars(rule.typed)
    if star_day or star_weekday:
        return None
    if not rule.day_or:
        return replace(rule, day_or=True, semantics="vixie-or")
    if not can_occur(rule.days, rule.months):
        return None
    return replace(rule, day_or=False, semantics="celery-and")


def _general(rule: Rule, after: datetime, say: Catalog) -> list[Notice]:
    """Return what has nothing to do with the change of a clock."""
    found: list[Notice] = []
    if isinstance(rule, IntervalRule) and rule.every < _OFTEN:
        found.append(Notice(level="warn", text=say.gettext("This runs more often than every 5 seconds")))
    if isinstance(rule, CrontabRule) and _both_day_fields(rule):
        if rule.day_or:
            text = say.gettext("Both day fields are set: it runs on a day that matches either of them")
        else:
            text = say.gettext("Both day fields are set: it runs only on a day that matches both of them")
        found.append(Notice(level="info", text=text))
    if not isinstance(rule, ManualRule) and next_fire(rule, after) is None:
        if isinstance(rule, SolarRule):
            text = say.gettext("The sun does not do this there within 366 days: there is no further run")
        else:
            text = say.gettext("There is no further run")
        found.append(Notice(level="warn", text=text))
    return found


def _both_day_fields(rule: CrontabRule) -> bool:
    return len(rule.days) < _ALL_DAYS and len(rule.weekdays) < _ALL_WEEKDAYS


def _changes(zone_name: str, after: datetime, fires: Sequence[datetime]) -> Iterator[Stretch]:
    start = after.date()
    if start <= _LAST_DAY - _DAYS_AHEAD * _DAY:
        changes = walltime.changes(zone_name, start, start + _DAYS_AHEAD * _DAY)
        yield from (change for change in changes if change.start > after)
    for fire in fires:
        if fire.date() <= _LAST_DAY:
            yield from walltime.changes(zone_name, fire.date() - _DAY, fire.date() + _DAY)


def _crontab_notice(rule: CrontabRule, change: Stretch, say: Catalog) -> Notice | None:
    if change.offset > change.previous:
        walls = list(cron.wall_times(rule, change.wall_before, change.first_wall))
        return _crontab_gap(rule, change, walls, say) if walls else None
    walls = list(cron.wall_times(rule, change.first_wall, change.wall_before))
    return _repeat(change, walls, say, twice=rule.interval_like) if walls else None


def _clocked_notices(rule: ClockedRule, after: datetime, say: Catalog) -> list[Notice]:
    if rule.wall is None or rule.at <= after:
        return []
    for change in walltime.changes(rule.tz, rule.at.date() - _DAY, rule.at.date() + _DAY):
        if change.wall_before <= rule.wall < change.first_wall:
            return [_gap(change, [rule.wall], say)]
        if change.first_wall <= rule.wall < change.wall_before:
            return [_repeat(change, [rule.wall], say, twice=False)]
    return []


def _crontab_gap(rule: CrontabRule, change: Stretch, walls: list[datetime], say: Catalog) -> Notice:
    if not rule.interval_like:
        return _gap(change, walls, say)
    pattern = say.ngettext(
        "{times} does not exist on {date}: left out", "{times} do not exist on {date}: left out", len(walls)
    )
    text = pattern.format(times=_times(walls, say), date=phrases.long_date(walls[0], say))
    # A rule for all hours goes on in real time: nothing is missing for it.
    return Notice(level="warn" if len(rule.hours) < _ALL_HOURS else "info", text=text, at=change.start)


def _gap(change: Stretch, walls: list[datetime], say: Catalog) -> Notice:
    new = change.first_wall
    if new.date() == walls[0].date():
        pattern = say.ngettext(
            "{times} does not exist on {date}: runs at {new}",
            "{times} do not exist on {date}: runs once, at {new}",
            len(walls),
        )
    else:
        pattern = say.ngettext(
            "{times} does not exist on {date}: runs at {new} on {new_date}",
            "{times} do not exist on {date}: runs once, at {new} on {new_date}",
            len(walls),
        )
    text = pattern.format(
        times=_times(walls, say),
        date=phrases.long_date(walls[0], say),
        new=phrases.clock(new, say),
        new_date=phrases.long_date(new, say),
    )
    return Notice(level="warn", text=text, at=change.start)


def _repeat(change: Stretch, walls: list[datetime], say: Catalog, *, twice: bool) -> Notice:
    if twice:
        pattern = say.ngettext(
            "{times} happens twice on {date}: runs both times",
            "{times} happen twice on {date}: runs both times",
            len(walls),
        )
    else:
        pattern = say.ngettext(
            "{times} happens twice on {date}: runs the first time only",
            "{times} happen twice on {date}: runs the first time only",
            len(walls),
        )
    text = pattern.format(times=_times(walls, say), date=phrases.long_date(walls[0], say))
    return Notice(level="info" if twice else "warn", text=text, at=change.start)


def _times(walls: list[datetime], say: Catalog) -> str:
    clocks = [phrases.clock(wall, say) for wall in walls]
    if len(clocks) <= _SHOWN_TIMES:
        return phrases.join_and(clocks, say)
    pattern = say.gettext("{first} to {last} ({n} times)")
    return pattern.format(first=clocks[0], last=clocks[-1], n=len(clocks))
