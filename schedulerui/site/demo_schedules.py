"""The demonstration's schedules: every kind, several zones, one that fails, one slow, one paused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

_TASKS = "schedulerui.site.demo_tasks"


def demo_schedules(now: datetime) -> list[Mapping[str, object]]:
    """Return the fields of each schedule; ``now`` is the aware moment from which the near future is counted."""
    return [*_intervals(), *_crontabs(), *_moments(now), *_others()]


def _row(name: str, task: str, kind: str, description: str, **fields: object) -> Mapping[str, object]:
    return {"name": name, "task": f"{_TASKS}.{task}", "kind": kind, "description": description, **fields}


def _every(n: int, period: str = "seconds") -> dict[str, object]:
    return {"every": n, "period": period}


def _intervals() -> list[Mapping[str, object]]:
    return [
        _row(
            "Heartbeat",
            "heartbeat",
            "interval",
            "Proves that beat, broker and worker are alive.",
            **_every(2),
        ),
        _row("Fetch exchange rates", "fetch_rates", "interval", "One step of an invented rate.", **_every(5)),
        _row(
            "Fetch yen rates",
            "fetch_rates",
            "interval",
            "The same task with other arguments.",
            args=["EUR"],
            kwargs={"quote": "JPY"},
            **_every(10),
        ),
        _row(
            "Import warehouse stock",
            "flaky_import",
            "interval",
            "Fails one time in three, as its source does.",
            kwargs={"source": "warehouse"},
            **_every(10),
        ),
        _row(
            "Export invoices",
            "broken_export",
            "interval",
            "Fails every time: its folder is missing.",
            **_every(1, "minutes"),
        ),
        _row(
            "Send digest",
            "send_digest",
            "interval",
            "Slow: 8 seconds a run, and skips a time while the run before is still going.",
            overlap="skip",
            **_every(30),
        ),
        *_slow_intervals(),
    ]


def _slow_intervals() -> list[Mapping[str, object]]:
    return [
        _row("Sync contacts", "sync_contacts", "interval", "Succeeds at its third attempt.", **_every(45)),
        _row(
            "Rebuild search index",
            "rebuild_index",
            "interval",
            "Off, until somebody switches it on.",
            enabled=False,
            **_every(15),
        ),
    ]


def _crontabs() -> list[Mapping[str, object]]:
    return [
        _row(
            "Tidy files in Berlin's working hours",
            "tidy_files",
            "crontab",
            "Counts the log files of the home.",
            expression="*/5 8-18 * * mon-fri",
            tz="Europe/Berlin",
        ),
        _row(
            "Weekly report for New York",
            "long_report",
            "crontab",
            "Monday morning, at the same wall time in summer and winter.",
            expression="30 7 * * mon",
            tz="America/New_York",
        ),
        _row(
            "Payroll check in Kolkata",
            "tidy_files",
            "crontab",
            "On the 1st and the 15th, and on every Friday: classic cron reads two day fields as either.",
            expression="0 9 1,15 * fri",
            semantics="vixie-or",
            tz="Asia/Kolkata",
        ),
        _row(
            "Friday the 13th",
            "heartbeat",
            "crontab",
            "Both day fields must match, as Celery reads them.",
            expression="0 13 13 * fri",
            tz="UTC",
        ),
    ]


def _moments(now: datetime) -> list[Mapping[str, object]]:
    soon = (now + timedelta(minutes=2)).replace(microsecond=0)
    # The next 3 January at noon by Tokyo's clocks: always ahead, whatever the day of the first start.
    year = now.astimezone(ZoneInfo("Asia/Tokyo")).year + 1
    return [
        _row(
            "Welcome", "heartbeat", "clocked", "Once, two minutes after the first start.", clocked_at_utc=soon
        ),
        _row(
            "New year's report in Tokyo",
            "long_report",
            "clocked",
            "Once, at a wall time.",
            clocked_at_local=f"{year}-01-03T12:00:00",
            tz="Asia/Tokyo",
        ),
    ]


def _step(task: str, **kwargs: object) -> dict[str, object]:
    return {"type": "task", "task": f"{_TASKS}.{task}", "kwargs": kwargs, "immutable": True}


def _others() -> list[Mapping[str, object]]:
    return [
        _row(
            "Street lights of Lisbon",
            "heartbeat",
            "solar",
            "At sunset.",
            solar_event="sunset",
            latitude=Decimal("38.722300"),
            longitude=Decimal("-9.139300"),
            tz="Europe/Lisbon",
        ),
        _row(
            "Long report",
            "long_report",
            "manual",
            "Only when somebody asks: 12 seconds, one page each.",
            kwargs={"pages": 12},
        ),
        _row(
            "Close the day",
            "rebuild_index",
            "interval",
            "Several tasks in one run: one after the other, then two at once; one time in three a part fails.",
            canvas={
                "type": "chain",
                "steps": [
                    _step("rebuild_index"),
                    _step("fetch_rates", base="EUR"),
                    {"type": "group", "steps": [_step("tidy_files"), _step("flaky_import", source="till")]},
                ],
            },
            **_every(1, "minutes"),
        ),
    ]
