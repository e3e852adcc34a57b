"""A rule between its start and its end, spread by its jitter: all that decides when a schedule is due."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from schedulerui.recurrence.fire import next_fire
from schedulerui.recurrence.jitter import delay
from schedulerui.recurrence.rule import Rule

INSTANT = timedelta(microseconds=1)
"""The smallest step of time: "from this moment on" is "strictly after the instant before it"."""
_FIRST_LOOK_BACK = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One time of a timetable (UTC): what the rule says, and when it is due, which is later by the jitter."""

    nominal_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """Both ends of the window belong to it, and are compared with nominal times; `seed` decides the jitter.

    An occurrence is always due before the nominal time of the next one.
    """

    rule: Rule
    seed: uuid.UUID
    start_at: datetime | None = None
    end_at: datetime | None = None
    jitter: timedelta = timedelta(0)

    def after(self, moment: datetime) -> Iterator[Occurrence]:
        """Yield the occurrences whose nominal time is strictly after `moment` (aware), in order."""
        from_moment = moment if self.start_at is None else max(moment, self.start_at - INSTANT)
        nominal_at = next_fire(self.rule, from_moment)
        while nominal_at is not None and (self.end_at is None or nominal_at <= self.end_at):
            if not self.jitter:  # most schedules: whoever asks for one time pays for one
                yield Occurrence(nominal_at=nominal_at, due_at=nominal_at)
                nominal_at = next_fire(self.rule, nominal_at)
                continue
            following_at = next_fire(self.rule, nominal_at)
            put_off = delay(self.seed, nominal_at=nominal_at, jitter=self.jitter, following_at=following_at)
            yield Occurrence(nominal_at=nominal_at, due_at=nominal_at + put_off)
            nominal_at = following_at

    def first(self, after: datetime) -> Occurrence | None:
        """Return the first occurrence whose nominal time is strictly after the moment `after`, or None."""
        return next(self.after(after), None)

    def has(self, nominal_at: datetime) -> bool:
        """Tell whether this is a nominal time of the timetable."""
        found = self.first(nominal_at - INSTANT)
        return found is not None and found.nominal_at == nominal_at

    def newest_due(self, *, after: datetime, until: datetime) -> Occurrence | None:
        """Return the last occurrence nominally after `after` and due not later than `until`, or None.

        Looks back in doubling steps rather than walking through a whole outage.
        """
        look_back = _FIRST_LOOK_BACK
        while True:
            start = max(after, until - look_back)
            found = self.first(start)
            if found is not None and found.due_at <= until:
                break
            if start == after:
                return None
            look_back *= 2
        for later in self.after(found.nominal_at):
            if later.due_at > until:
                break
            found = later
        return found

    def resume_after(self, *, now: datetime, unaccounted_from: datetime | None) -> datetime:
        """Return the moment after which to look for the next occurrence when the clock shows `now`.

        That is `now`, but for one case: an occurrence that no run accounts for yet (nominally from
        `unaccounted_from` on) and that is put off by its jitter beyond `now` is still to come.
        """
        if unaccounted_from is None or unaccounted_from > now or not self.jitter:
            return now
        look_from = max(unaccounted_from, now - self.jitter) - INSTANT
        found = self.newest_due(after=look_from, until=now)
        put_off = self.first(found.nominal_at if found else look_from)
        if put_off is not None and put_off.nominal_at <= now:
            return put_off.nominal_at - INSTANT
        return now
