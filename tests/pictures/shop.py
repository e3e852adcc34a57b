"""A small shop at half past nine on a Wednesday: its schedules, a day and a half of runs, workers, alerts and changes."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import Permission, User

from schedulerui.facts import Actor, RunState, progress
from schedulerui.models import Alert, Attempt, Beat, Finding, Queue, Run, Schedule, ScheduleState, Worker
from schedulerui.operations import pauses, scanner, schedules
from schedulerui.operations.outcomes import append_outcome

NOW = datetime(2026, 11, 18, 9, 36, 24, tzinfo=UTC)
HISTORY = timedelta(hours=33)
ANA, BEN, IMPORT = (
    Actor(name="ana", via="browser"),
    Actor(name="ben", via="browser"),
    Actor(name="deploy", via="command"),
)
WORKERS = {"celery@shop-1": uuid.UUID(int=1), "celery@shop-2": uuid.UUID(int=2)}
INVOICES, STOCK, REMINDERS, PRICES = (
    "Nightly invoices",
    "Import warehouse stock",
    "Send reminders",
    "Price list to marketplaces",
)
TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/billing/tasks.py", line 48, in collect_invoices
    mandates = bank.mandates(since=run.previous_nominal_at)
  File "/srv/shop/billing/bank.py", line 112, in mandates
    raise BankRefused(f"{response.status_code} {response.reason}")
billing.bank.BankRefused: 401 certificate expired on 2026-11-16
"""
LOG = """collecting orders from 2026-11-17 01:30 to 2026-11-18 01:30 UTC
212 orders, 9 of them without a mandate
asking the bank for mandates
"""


def _crontab(expression: str, tz: str = "Europe/Berlin", **more: object) -> dict[str, object]:
    return {"kind": "crontab", "expression": expression, "tz": tz, **more}


def _every(every: int, period: str, **more: object) -> dict[str, object]:
    return {"kind": "interval", "every": every, "period": period, "tz": "Europe/Berlin", **more}


def _row(name: str, task: str, usual: float, *tags: str, **fields: object) -> tuple[dict[str, object], float]:
    """Fields of a schedule and its usual run time, seconds."""
    return {"name": name, "task": task, "tags": " ".join(tags), **fields}, usual


SHOP = [
    _row("Collect orders", "shop.tasks.collect_orders", 1.4, "orders", queue="orders", **_every(5, "minutes")),
    _row(STOCK, "stock.tasks.import_stock", 9, "stock", owner="warehouse team", **_crontab("*/15 6-22 * * mon-sat")),
    _row("Sync customers", "crm.tasks.sync_customers", 22, "crm", overlap="skip", **_every(10, "minutes")),
    _row(REMINDERS, "billing.tasks.send_reminders", 240, "billing", "mail", queue="mail", overlap="skip", **_every(30, "minutes")),
    _row(PRICES, "shop.tasks.export_prices", 55, "stock", "partners", **_crontab("20 */2 * * *")),
    _row(
        INVOICES, "billing.tasks.collect_invoices", 95, "billing", owner="ana", queue="billing", kwargs={"bank": "north"},
        description="Takes the day's orders to the bank. The accountants wait for it at seven.", **_crontab("30 2 * * *"),
    ),
    _row("Payroll check", "people.tasks.check_payroll", 12, "people", **_crontab("0 9 1,15 * *", "Asia/Kolkata")),
    _row("Newsletter", "marketing.tasks.send_newsletter", 410, "mail", queue="mail", **_crontab("0 9 * * tue,thu", "America/New_York")),
    _row("Outdoor signs on", "shop.tasks.lights_on", 0.4, "stores", kind="solar", solar_event="sunset",
         latitude=Decimal("38.7223"), longitude=Decimal("-9.1393"), tz="Europe/Lisbon"),
    _row("Rebuild search index", "search.tasks.rebuild", 180, "search", **_crontab("0 4 * * *")),
    _row("Year-end closing", "billing.tasks.close_year", 0, "billing", kind="clocked", clocked_at_local="2026-12-31T23:30:00", tz="Europe/Berlin"),
    _row("Count the stock", "stock.tasks.count", 0, "stock", kind="manual", tz="Europe/Berlin"),
]  # fmt: skip


def fill() -> None:
    """Create all of it in an empty database."""
    chance = random.Random(7)
    for fields, usual in SHOP:
        born = NOW.replace(minute=0, second=0) - timedelta(days=40)
        schedule = schedules.create(fields, actor=IMPORT, now=born)
        _runs(schedule, usual=usual, chance=chance)
        schedule.refresh_from_db()
        schedules.set_next(schedule, now=NOW)
        schedule.save()
    _people()
    _changes()
    _processes()
    _troubles()


def _people() -> None:
    for name in ("ana", "ben"):
        User.objects.create_superuser(name)
    viewer = User.objects.create_user("vera")
    viewer.user_permissions.set(Permission.objects.filter(codename="view_schedule"))


def _runs(schedule: Schedule, *, usual: float, chance: random.Random) -> None:
    """Give a schedule the runs since ``HISTORY``, and the state that they leave behind."""
    state, _made = ScheduleState.objects.get_or_create(schedule=schedule)
    if usual and schedule.kind != "manual":
        back = HISTORY if schedule.kind == "interval" else timedelta(days=30)
        times = []
        for occurrence in schedule.timetable().after(NOW - back):
            if occurrence.due_at > NOW:
                break
            times.append(occurrence.due_at)
        for place, due_at in enumerate(times[-400:]):
            is_newest = due_at == times[-1]
            run = _run(
                schedule,
                due_at,
                usual=usual,
                chance=chance,
                n_left=len(times[-400:]) - place,
                is_newest=is_newest,
            )
            state.recent = append_outcome(state.recent, run.state, run.runtime)
            state.last_run_id, state.last_run_at, state.last_state = run.pk, due_at, run.state
            state.failure_streak = state.failure_streak + 1 if run.state == RunState.FAILED else 0
            if run.state == RunState.SUCCEEDED:
                state.last_success_at, state.failure_streak = due_at, 0
    state.save()


def _run(
    schedule: Schedule, due_at: datetime, *, usual: float, chance: random.Random, n_left: int, is_newest: bool
) -> Run:
    outcome = _outcome(schedule, due_at, chance=chance, n_left=n_left, is_newest=is_newest)
    took = round(usual * chance.uniform(0.7, 1.5), 3)
    sent = due_at + timedelta(seconds=chance.uniform(0.02, 0.3))
    started = sent + timedelta(seconds=chance.uniform(0.01, 1.2))
    is_told = outcome in {RunState.SUCCEEDED, RunState.FAILED}
    was_sent = outcome != RunState.SKIPPED
    worker = chance.choice(list(WORKERS))
    run = Run.objects.create(
        key=f"s:{schedule.pk}:{due_at:%s}", schedule=schedule, schedule_name=schedule.name, schedule_version=1, task=schedule.task,
        kwargs=schedule.kwargs, queue=schedule.queue, state=outcome, progress=progress(outcome), nominal_at=due_at, due_at=due_at,
        created_at=due_at, task_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)) if was_sent else None,
        publishes=int(was_sent), sent_at=sent if was_sent else None, received_at=sent + timedelta(seconds=0.004) if was_sent else None,
        started_at=started if was_sent else None, finished_at=started + timedelta(seconds=took) if is_told else None,
        runtime=took if is_told else None, worker=worker if was_sent else "", worker_instance=WORKERS[worker] if was_sent else None,
        reason="" if was_sent else "the run before was still active", delivery=int(was_sent),
        result='{"orders": 41}' if outcome == RunState.SUCCEEDED else "", **_failure(schedule, outcome),
    )  # fmt: skip
    if was_sent and (n_left <= 3 or outcome == RunState.FAILED):
        Attempt.objects.create(
            run=run, state=outcome, worker=worker, worker_instance=WORKERS[worker], pid=412, received_at=run.received_at,
            started_at=run.started_at, finished_at=run.finished_at, runtime=run.runtime,
        )  # fmt: skip
    return run


def _outcome(
    schedule: Schedule, due_at: datetime, *, chance: random.Random, n_left: int, is_newest: bool
) -> RunState:
    luck = chance.random()
    if schedule.name == INVOICES:
        return RunState.FAILED if n_left <= 2 else RunState.SUCCEEDED
    if schedule.name == REMINDERS and is_newest:
        return RunState.STARTED
    if schedule.name == STOCK and (
        luck < 0.12 or NOW - timedelta(hours=19) < due_at < NOW - timedelta(hours=18)
    ):
        return RunState.FAILED
    if schedule.name == "Sync customers" and luck < 0.05:
        return RunState.SKIPPED
    return RunState.SUCCEEDED


def _failure(schedule: Schedule, outcome: RunState) -> dict[str, str]:
    if outcome != RunState.FAILED:
        return {}
    if schedule.name == INVOICES:
        return {
            "exception": "billing.bank.BankRefused: 401 certificate expired on 2026-11-16",
            "traceback": TRACEBACK,
            "log": LOG,
        }
    return {"exception": "TimeoutError: the warehouse did not answer within 10 s"}


def _changes() -> None:
    """Let people have edited, paused and skipped."""
    prices = Schedule.objects.get(name=PRICES)
    prices = schedules.edit(
        prices.pk,
        {"expression": "20 */3 * * *"},
        version=prices.version,
        actor=BEN,
        now=NOW - timedelta(days=6),
    )
    prices = schedules.edit(prices.pk, {"expression": "20 */2 * * *", "queue": "partners"}, version=prices.version, actor=ANA,
                            now=NOW - timedelta(days=2, hours=3))  # fmt: skip
    schedules.set_next(prices, now=NOW)
    prices.save()
    index = Schedule.objects.get(name="Rebuild search index")
    pauses.pause(index.pk, until=NOW + timedelta(hours=22, minutes=24), reason="new cluster is being filled", actor=BEN,
                 now=NOW - timedelta(minutes=51))  # fmt: skip


def _processes() -> None:
    software = {"celery": "5.6.0", "django": "5.2.8", "python": "3.13.9", "schedulerui": "0.1.0"}
    for number, (hostname, instance) in enumerate(WORKERS.items()):
        Worker.objects.create(
            instance=instance, hostname=hostname, pid=410 + number, started_at=NOW - timedelta(days=2, hours=number),
            seen_at=NOW - timedelta(seconds=2 + number), pool="prefork", pool_size=8, prefetch=32, active=1 - number, reserved=0,
            processed=18_402 - 977 * number, load=0.8 + number / 4, clock_offset=0.01, queues=["celery", "orders", "billing", "mail", "partners"],
            tasks=sorted({str(fields["task"]) for fields, _usual in SHOP}), software=software,
        )  # fmt: skip
    for number, host in enumerate(("shop-1", "shop-2")):
        Beat.objects.create(
            host=host, pid=388 + number, started_at=NOW - timedelta(days=2), seen_at=NOW - timedelta(seconds=1),
            lag=0.04, dispatched=9_120 + 31 * number, software=software,
        )  # fmt: skip
    for name, depth in (("celery", 0), ("orders", 0), ("billing", 0), ("mail", 3), ("partners", 0)):
        Queue.objects.create(name=name, depth=depth, consumers=2, measured_at=NOW - timedelta(seconds=4))


def _troubles() -> None:
    invoices = Schedule.objects.get(name=INVOICES)
    Alert.objects.create(
        key=f"schedule:{invoices.pk}", kind="schedule", schedule=invoices, state="failing", told_state="failing",
        run=Run.objects.filter(schedule=invoices).order_by("-due_at").first(), message="The last run failed; 2 failures in a row.",
        since=NOW - timedelta(days=1, hours=8), told_at=NOW - timedelta(hours=8),
    )  # fmt: skip
    for kind in scanner.Invariant:
        Finding.objects.create(kind=str(kind), n=0, checked_at=NOW - timedelta(seconds=20))
