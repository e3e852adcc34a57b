"""Random schedules around the night on which a zone's clocks change, and that night."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, date, datetime, timedelta

from schedulerui.recurrence import walltime

ZONES = (
    "UTC",
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/New_York",
    "America/Santiago",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
)
ELSEWHERE = {
    "gap": datetime(2026, 3, 29, 1, tzinfo=UTC),
    "fold": datetime(2026, 10, 25, 1, tzinfo=UTC),
}
"""When the clocks of others change, for zones whose clocks do not."""
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PLACES = {"latitude": 52.5, "longitude": 13.4}


def change_in(zone: str, which: str) -> datetime:
    """The moment (UTC) in 2026 at which the zone's clocks go forward (gap) or back (fold)."""
    for stretch in walltime.changes(zone, date(2026, 1, 1), date(2026, 12, 30)):
        if (stretch.offset > stretch.previous) == (which == "gap"):
            return stretch.start
    return ELSEWHERE[which]


class Definitions:
    """Fields of random schedules in one zone, from a seed."""

    def __init__(self, zone: str, change: datetime, *, seed: str) -> None:
        self.zone, self.change = zone, change
        self.choose = random.Random(seed)
        self.kinds = [
            self.crontab, self.spread, self.interval, self.frequent, self.crontab, self.clocked, self.solar,
        ]  # fmt: skip
        self.first = self.choose.randrange(len(self.kinds))

    def one(self, number: int) -> dict[str, object]:
        """The fields of the schedule with this number."""
        fields = self.kinds[(number + self.first) % len(self.kinds)]()
        choose = self.choose
        values: dict[str, object] = {
            "uuid": uuid.UUID(int=choose.getrandbits(128), version=4),
            "name": f"{self.zone} {number}",
            "task": "tests.add",
            "tz": self.zone,
            "jitter": choose.choice([0, 0, 1, 45, 600, 3_600, 86_400]),
            "misfire": choose.choice(["latest", "all", "none"]),
            "grace": choose.choice([30, 60, 300]),
            **fields,
        }
        if choose.random() < 0.25:
            values["max_runs"] = choose.randint(1, 30)
        if choose.random() < 0.3:
            values.setdefault("start_at", self.change - choose.randint(0, 72) * HOUR)
        if choose.random() < 0.3:
            values.setdefault("end_at", self.change + choose.randint(1, 72) * HOUR)
        return values

    def near(self, *, days: float = 0.1) -> datetime:
        """A whole minute up to so many days before or after the change."""
        span = int(days * 24 * 60)
        return self.change + self.choose.randint(-span, span) * MINUTE

    def crontab(self) -> dict[str, object]:
        """Minutes and hours, mostly those at night."""
        choose = self.choose
        minute = choose.choice(["0", "30", "*/15", "*/20", "5,35", "10-50/20", str(choose.randint(0, 59))])
        hour = choose.choice(["*", "1-3", "2", "0", "*/2", "0,1,23", str(choose.randint(0, 23))])
        days = choose.choice(["* * *", "* * *", "* * sun", "* * 6,0", "*/2 * *", "1-15 * mon-fri"])
        semantics = choose.choice(["celery-and", "vixie-or"])
        return {"kind": "crontab", "expression": f"{minute} {hour} {days}", "semantics": semantics}

    def spread(self) -> dict[str, object]:
        """Minutes and hours that the schedule's own hash decides about."""
        expression = self.choose.choice(
            ["H H * * *", "H/15 1-3 * * *", "H * * * *", "H(0-29) H(0-3) * * *", "@daily"]
        )
        return {"kind": "crontab", "expression": expression}

    def interval(self) -> dict[str, object]:
        """Elapsed time, whatever the clocks do."""
        every, period = self.choose.choice(
            [(17, "minutes"), (1, "hours"), (5, "hours"), (1, "days"), (100, "minutes"), (1, "weeks")]
        )
        return {"kind": "interval", "every": every, "period": period, "anchor_at": self.near(days=30)}

    def frequent(self) -> dict[str, object]:
        """More often than every few minutes, in the hours around the change only."""
        window = {"start_at": self.change - HOUR, "end_at": self.change + HOUR}
        expression = self.choose.choice(["* * * * *", "*/2 * * * *", "* 1-3 * * *"])
        if self.choose.random() < 0.5:
            return {"kind": "crontab", "expression": expression, **window}
        return {
            "kind": "interval",
            "every": self.choose.randint(20, 90),
            "period": "seconds",
            "anchor_at": self.near(),
            **window,
        }

    def clocked(self) -> dict[str, object]:
        """Once, often at a wall time that exists twice or not at all."""
        moment = self.near()
        if self.choose.random() < 0.3:
            return {"kind": "clocked", "clocked_at_utc": moment}
        wall = walltime.wall_at(self.change, self.zone) + self.choose.randint(-90, 90) * MINUTE
        return {"kind": "clocked", "clocked_at_local": wall.isoformat(timespec="seconds")}

    def solar(self) -> dict[str, object]:
        """By the sun."""
        return {"kind": "solar", "solar_event": self.choose.choice(["sunrise", "dusk_civil"]), **PLACES}
