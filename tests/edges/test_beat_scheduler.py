"""Our scheduler inside Celery's beat: the contract of its host."""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import entry_points
from zoneinfo import ZoneInfo

import pytest
from celery import Celery
from celery.beat import Service
from celery.schedules import crontab, schedule, solar
from kombu import Exchange, Queue

from schedulerui.beat.entries import UnknownEntry, fields_of
from schedulerui.beat.scheduler import DatabaseScheduler
from schedulerui.models import Change, Schedule


@pytest.fixture
def celery_app():
    made = Celery("host", broker="memory://", set_as_current=False)
    made.conf.update(result_backend=None, timezone="Europe/Berlin")
    return made


@pytest.mark.parametrize("name", ["schedulerui", "schedulerui.beat.scheduler:DatabaseScheduler"])
def test_celery_finds_it_by_its_short_name_and_by_its_path(celery_app, name):
    service = Service(celery_app, scheduler_cls=name)
    assert isinstance(service.get_scheduler(lazy=True), DatabaseScheduler)


def test_the_entry_point_is_declared():
    (found,) = entry_points(group="celery.beat_schedulers", name="schedulerui")
    assert found.value == "schedulerui.beat.scheduler:DatabaseScheduler"


def test_the_lazy_instance_of_the_banner_asks_the_database_nothing(celery_app):
    lazy = DatabaseScheduler(celery_app, lazy=True)
    assert "database" in lazy.info
    assert lazy.max_interval == 1.0
    lazy.close()


@pytest.mark.django_db(transaction=True)
def test_close_may_be_called_twice_and_nothing_is_done_after_it(celery_app, sent):
    made = DatabaseScheduler(celery_app)
    made.tick()
    made.close()
    made.close()
    with pytest.raises(SystemExit):
        made.tick()


@pytest.mark.django_db(transaction=True)
def test_entries_of_code_become_rows_that_only_code_may_change(celery_app, sent):
    celery_app.conf.beat_schedule = {
        "nightly": {
            "task": "tests.add",
            "schedule": crontab(minute="30", hour="2", day_of_week="mon-fri"),
            "args": (1, 2),
            "options": {"queue": "reports", "expires": 60, "countdown": 5},
        },
        "often": {"task": "tests.add", "schedule": 30.0},
    }
    DatabaseScheduler(celery_app).tick()
    nightly = Schedule.objects.get(name="nightly")
    assert (nightly.source, nightly.expression, nightly.tz) == ("code", "30 2 * * mon-fri", "Europe/Berlin")
    assert (nightly.args, nightly.queue, nightly.expires_after) == ([1, 2], "reports", 60)
    assert nightly.options == {"countdown": 5}
    often = Schedule.objects.get(name="often")
    assert (often.kind, often.every, often.period) == ("interval", 30, "seconds")


@pytest.mark.django_db(transaction=True)
def test_a_restart_does_not_touch_what_has_not_changed(celery_app, sent):
    celery_app.conf.beat_schedule = {"rare": {"task": "tests.add", "schedule": timedelta(days=3)}}
    DatabaseScheduler(celery_app).tick()
    before = Schedule.objects.values().get()
    DatabaseScheduler(celery_app).tick()
    assert Schedule.objects.values().get() == before
    assert Change.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_changed_entry_is_taken_over_and_a_removed_one_is_switched_off(celery_app, sent):
    celery_app.conf.beat_schedule = {
        "a": {"task": "tests.add", "schedule": 30},
        "b": {"task": "tests.add", "schedule": 30},
    }
    DatabaseScheduler(celery_app).tick()
    celery_app.conf.beat_schedule = {"a": {"task": "tests.slow", "schedule": 60}}
    DatabaseScheduler(celery_app).tick()
    changed, removed = Schedule.objects.get(name="a"), Schedule.objects.get(name="b")
    assert (changed.task, changed.every, changed.period, changed.version) == ("tests.slow", 1, "minutes", 2)
    assert (removed.enabled, removed.next_run_at) == (False, None)


@pytest.mark.django_db(transaction=True)
def test_an_entry_that_a_person_switched_off_stays_off(celery_app, sent, actor, clock):
    from schedulerui.operations import schedules

    celery_app.conf.beat_schedule = {"a": {"task": "tests.add", "schedule": 30}}
    DatabaseScheduler(celery_app).tick()
    schedules.disable(Schedule.objects.get().pk, actor=actor, now=clock.now())
    DatabaseScheduler(celery_app).tick()
    assert not Schedule.objects.get().enabled


@pytest.mark.django_db(transaction=True)
def test_an_entry_that_cannot_be_kept_does_not_stop_the_others(celery_app, sent):
    celery_app.conf.beat_schedule = {
        "bad": {"task": "tests.add", "schedule": 0.5},
        "worse": {"task": "tests.add", "schedule": "soon"},
        "good": {"task": "tests.add", "schedule": 30},
    }
    DatabaseScheduler(celery_app).tick()
    assert set(Schedule.objects.values_list("name", flat=True)) == {"good"}


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        (schedule(timedelta(minutes=90)), {"kind": "interval", "every": 90, "period": "minutes"}),
        (timedelta(days=2), {"kind": "interval", "every": 2, "period": "days"}),
        (crontab(minute=[0, 30], hour=[1, 2]), {"expression": "0,30 1,2 * * *"}),
        (crontab(day_of_month="1", month_of_year="*/3"), {"expression": "* * 1 */3 *"}),
        (solar("sunrise", 48.85, 2.35), {"kind": "solar", "solar_event": "sunrise"}),
    ],
)
def test_celerys_schedules_become_our_fields(celery_app, timing, expected):
    fields = fields_of("x", {"task": "t", "schedule": timing}, app=celery_app)
    assert expected.items() <= fields.items()


class Workdays(crontab):
    def is_due(self, last_run_at):
        return super().is_due(last_run_at)


class Moody(schedule):
    def remaining_estimate(self, last_run_at):
        return super().remaining_estimate(last_run_at)


class Zoned(crontab):
    """One as django-celery-beat has it: it decides by a zone of its own."""

    def __init__(self, *args, tz, **kwargs):
        super().__init__(*args, **kwargs)
        vars(self)["tz"] = tz

    def is_due(self, last_run_at):
        return super().is_due(last_run_at)


@pytest.mark.parametrize("timing", [Workdays(minute="5"), Moody(timedelta(minutes=5))])
def test_a_class_that_decides_by_itself_when_it_is_due_is_refused_with_its_name(celery_app, timing):
    with pytest.raises(
        UnknownEntry, match=f"entry 'x' has .* {type(timing).__name__}, which decides by its own"
    ):
        fields_of("x", {"task": "t", "schedule": timing}, app=celery_app)


def test_a_crontab_of_django_celery_beat_is_kept_with_its_zone(celery_app, monkeypatch):
    monkeypatch.setattr(Zoned, "__module__", "django_celery_beat.tzcrontab")
    entry = {"task": "t", "schedule": Zoned(hour="3", tz=ZoneInfo("Asia/Tokyo"))}
    fields = fields_of("x", entry, app=celery_app)
    assert (fields["expression"], fields["tz"]) == ("* 3 * * *", "Asia/Tokyo")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "entry", [{"schedule": timedelta(hours=1), "relative": True}, {"schedule": schedule(3600, relative=True)}]
)
def test_an_interval_that_is_relative_goes_at_full_hours_also_after_a_restart(celery_app, sent, entry):
    celery_app.conf.beat_schedule = {"a": {"task": "tests.add", **entry}}
    for _restart in range(2):
        DatabaseScheduler(celery_app).tick()
        found = Schedule.objects.values_list("next_run_at__minute", "next_run_at__second", "version")
        assert found.get() == (0, 0, 1)


def test_queues_and_exchanges_that_are_objects_are_kept_by_their_names(celery_app):
    options = {"queue": Queue("slow"), "exchange": Exchange("tasks"), "routing_key": "a"}
    fields = fields_of("x", {"task": "t", "schedule": 30, "options": options}, app=celery_app)
    assert (fields["queue"], fields["exchange"], fields["routing_key"]) == ("slow", "tasks", "a")


@pytest.mark.parametrize("entry", [{"schedule": 30}, {"task": "t"}, {"task": "t", "schedule": True}])
def test_an_entry_without_task_or_time_is_refused_with_a_sentence(celery_app, entry):
    with pytest.raises(UnknownEntry, match="entry 'x'"):
        fields_of("x", entry, app=celery_app)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "entry",
    [
        {"task": "t", "schedule": 30, "kwargs": [1]},
        {"task": "t", "schedule": 30, "options": [1]},
        {"task": "t", "schedule": 30, "args": 5},
        5,
        {"task": "t", "schedule": float("nan")},
        {"task": "t", "schedule": 1e300},
        {"task": "t", "schedule": 30, "options": {"expires": float("inf")}},
        {"task": "a\ud800", "schedule": 30},
    ],
)
def test_no_entry_of_code_can_stop_beat(celery_app, sent, entry):
    celery_app.conf.beat_schedule = {"odd": entry, "good": {"task": "tests.add", "schedule": 30}}
    DatabaseScheduler(celery_app).tick()
    assert set(Schedule.objects.values_list("name", flat=True)) == {"good"}


@pytest.mark.django_db(transaction=True)
def test_an_entry_that_comes_back_is_on_again_unless_a_person_switched_it_off(celery_app, sent, actor, clock):
    from schedulerui.operations import schedules

    entries = {"a": {"task": "tests.add", "schedule": 30}, "b": {"task": "tests.add", "schedule": 30}}
    celery_app.conf.beat_schedule = entries
    DatabaseScheduler(celery_app).tick()
    schedules.disable(Schedule.objects.get(name="b").pk, actor=actor, now=clock.now())
    celery_app.conf.beat_schedule = {}
    DatabaseScheduler(celery_app).tick()
    assert not Schedule.objects.filter(enabled=True).exists()
    celery_app.conf.beat_schedule = entries
    DatabaseScheduler(celery_app).tick()
    assert set(Schedule.objects.filter(enabled=True).values_list("name", flat=True)) == {"a"}


@pytest.mark.django_db(transaction=True)
def test_an_entry_that_cannot_be_kept_any_more_leaves_its_row_on(celery_app, sent):
    celery_app.conf.beat_schedule = {"a": {"task": "tests.add", "schedule": 30}}
    DatabaseScheduler(celery_app).tick()
    celery_app.conf.beat_schedule = {"a": {"task": "tests.add", "schedule": 0.1}}
    DatabaseScheduler(celery_app).tick()
    assert Schedule.objects.get().enabled
