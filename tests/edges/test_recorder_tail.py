"""What a task logs is kept with its run: its own lines only, the last ones, without secrets, whatever runs beside it."""

from __future__ import annotations

import asyncio
import json
import logging
import threading

import pytest

from schedulerui import clock
from schedulerui.operations.masking import masked
from schedulerui.recorder import tail

logger = logging.getLogger("shop.orders")


@pytest.fixture(autouse=True)
def _heard():
    before = logger.level
    logger.setLevel(logging.DEBUG)
    yield
    logger.setLevel(before)
    for name in tail.LOGGERS:
        logging.getLogger(name).removeHandler(tail._handler)


@pytest.fixture
def begun():
    kept = tail.begin()
    yield kept
    tail.end(kept)


@pytest.fixture
def options(settings):
    """Set options for one test."""

    def change(**values):
        settings.SCHEDULERUI = values

    return change


def lines_of(kept):
    return [line.partition(": ")[2] for line in tail.text_of(kept).splitlines()]


def test_it_keeps_what_the_task_logs_with_its_level_and_time(begun):
    logger.warning("order %s is late", 7)
    (line,) = tail.text_of(begun).splitlines()
    assert line.endswith(" WARNING shop.orders: order 7 is late")
    assert line[2:3] == line[5:6] == ":"


def test_it_keeps_the_lines_of_celerys_task_logger_and_prints(begun):
    task_logger = logging.getLogger("celery.task")
    was, task_logger.propagate = task_logger.propagate, False
    try:
        tail.end(tail.begin())
        logging.getLogger("celery.task.shop").error("by get_task_logger")
        logging.getLogger("celery.redirected").warning("printed")
    finally:
        task_logger.propagate = was
    assert lines_of(begun) == ["by get_task_logger", "printed"]


def test_it_leaves_out_what_celery_and_this_app_say(begun):
    for name in ("celery.app.trace", "celery.worker.strategy", "schedulerui.recorder.writer"):
        logging.getLogger(name).error("not the task's")
    assert lines_of(begun) == []


def test_it_keeps_nothing_after_the_end():
    kept = tail.begin()
    logger.info("inside")
    tail.end(kept)
    logger.info("outside")
    assert lines_of(kept) == ["inside"]


def test_a_body_that_runs_inside_another_has_its_own_lines(begun):
    logger.info("outer 1")
    inner = tail.begin()
    logger.info("inner")
    tail.end(inner)
    logger.info("outer 2")
    assert (lines_of(begun), lines_of(inner)) == (["outer 1", "outer 2"], ["inner"])


def test_threads_do_not_mix_their_lines(begun):
    others = []
    gate = threading.Barrier(3, timeout=60)

    def work(name):
        kept = tail.begin()
        gate.wait()
        logger.info(name)
        gate.wait()
        others.append((name, lines_of(kept)))
        tail.end(kept)

    threads = [threading.Thread(target=work, args=[name]) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    gate.wait()
    logger.info("main")
    gate.wait()
    for thread in threads:
        thread.join(60)
    assert sorted(others) == [("one", ["one"]), ("two", ["two"])]
    assert lines_of(begun) == ["main"]


def test_coroutines_of_a_body_log_for_it(begun):
    async def work():
        await asyncio.gather(*(asyncio.to_thread(logger.info, "step") for _ in range(2)))

    asyncio.run(work())
    assert lines_of(begun) == ["step", "step"]


def test_it_keeps_the_last_lines_and_says_how_many_are_gone(options):
    options(LOG_TAIL_LINES=3)
    kept = tail.begin()
    for number in range(10):
        logger.info("line %d", number)
    tail.end(kept)
    first, *rest = tail.text_of(kept).splitlines()
    assert "7 earlier lines" in first
    assert [line[-1] for line in rest] == ["7", "8", "9"]


def test_megabytes_of_log_stay_small(options):
    options(LOG_TAIL_LIMIT=5_000)
    kept = tail.begin()
    for _ in range(200):
        logger.info("x" * 100_000)
    tail.end(kept)
    assert len(tail.text_of(kept)) < 5_100
    assert all(len(line) <= tail.LINE_MAX for line in tail.text_of(kept).splitlines())


@pytest.mark.parametrize("limit", ["LOG_TAIL_LINES", "LOG_TAIL_LIMIT"])
def test_zero_switches_it_off(limit, options):
    options(**{limit: 0})
    kept = tail.begin()
    logger.info("line")
    tail.end(kept)
    assert tail.text_of(kept) == ""


def test_lines_are_told_while_the_body_runs_but_not_each_of_them(monkeypatch):
    seconds, told = [100.0], []
    monkeypatch.setattr(clock, "monotonic", lambda: seconds[0])
    kept = tail.begin(tell=lambda: told.append(lines_of(kept)))
    for second in (0, 1, 6, 7, 12):
        seconds[0] = 100.0 + second
        logger.info("at %d", second)
    tail.end(kept)
    seconds[0] = 200.0
    logger.info("after the end")
    assert [lines[-1] for lines in told] == ["at 6", "at 12"]


class Hostile:
    def __str__(self):
        raise RuntimeError("no")


def test_a_line_that_cannot_be_made_is_left_out_and_the_task_goes_on(begun):
    for text, value in (("%s", Hostile()), ("%d", "no number")):
        tail._handler.handle(logger.makeRecord("shop", logging.INFO, "", 0, text, (value,), None))
    logger.info("fine")
    assert lines_of(begun)[-1] == "fine"
    assert "2 earlier lines" in tail.text_of(begun)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("password=hunter2 user=ana", "password=*** user=ana"),
        ('{"api_token": "hunter2", "store": 138}', '{"api_token": ***, "store": 138}'),
        ("Authorization: Bearer hunter2", "Authorization: ***"),
        ("DB_PASSWORD='hunter2 x' next", "DB_PASSWORD=*** next"),
        ("the secret of good food", "the secret of good food"),
    ],
)
def test_it_hides_values_behind_names_like_secrets(text, kept):
    assert masked(text) == kept


def test_it_hides_a_secret_that_goes_on_over_several_lines(begun):
    key = "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7hunter2\n-----END PRIVATE KEY-----"
    logger.info("read %s\nand\n%s", json.dumps({"tokens": ["a", "hunter2"], "store": 1}, indent=1), key)
    logger.error("no such key", exc_info=ValueError(key))
    text = tail.text_of(begun)
    assert "hunter2" not in text
    assert text.count("***") == 3
    assert '"store": 1' in text
    assert "no such key" in text


def test_megabytes_in_one_line_of_many_lines_stay_small(options):
    options(LOG_TAIL_LIMIT=5_000)
    kept = tail.begin()
    logger.info("password=[\n" * 100_000)
    tail.end(kept)
    assert len(tail.text_of(kept)) < 5_100


def test_hiding_takes_no_time_for_a_hostile_line():
    assert len(masked("password" * 250)) == 2_000
    assert len(masked("token" + "." * 1_990)) == 1_995
