from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from schedulerui.facts import RunState
from schedulerui.models import Beat
from schedulerui.presenters import digest, redact, state_of, trigger_word
from schedulerui.presenters.beats import card_of
from schedulerui.presenters.moments import absolute, duration, in_utc, iso, relative, short, zone_of
from schedulerui.presenters.overrun import usual_words
from schedulerui.presenters.spark import spark_of

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
FAMILIES = {"ok", "fail", "warn", "run", "skip", "off"}


@pytest.mark.parametrize("state", list(RunState))
def test_every_state_has_a_word_a_family_and_an_icon(state):
    shown = state_of(state)
    assert shown.word != str(state)
    assert shown.family in FAMILIES
    assert shown.icon


def test_every_state_has_a_word_of_its_own():
    assert len({state_of(state).word for state in RunState}) == len(RunState)


def test_a_state_of_tomorrow_shows_its_own_name():
    assert state_of("levitating").word == "levitating"


def test_a_schedule_that_never_ran_says_so():
    assert state_of("").word == "Never ran"


def test_an_unknown_trigger_shows_its_own_name():
    assert trigger_word("moon") == "moon"
    assert trigger_word("manual") == "By hand"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "now"),
        (0.9, "now"),
        (1, "in 1 second"),
        (-1, "1 second ago"),
        (59.9, "in 59 seconds"),
        (60, "in 1 minute"),
        (-3599, "59 minutes ago"),
        (3600, "in 1 hour"),
        (172799, "in 47 hours"),
        (-172800, "2 days ago"),
    ],
)
def test_relative_times(seconds, words):
    assert relative(NOW + timedelta(seconds=seconds), NOW) == words


def test_absolute_times_are_in_the_zone_of_the_schedule():
    assert absolute(NOW, NOW, ZoneInfo("America/New_York")) == "Wed 4 Mar, 07:00 EST"
    assert (
        absolute(NOW, NOW, ZoneInfo("America/Sao_Paulo"), with_seconds=True) == "Wed 4 Mar, 09:00:00 UTC-03"
    )


def test_another_year_is_said():
    assert absolute(datetime(2028, 2, 29, tzinfo=UTC), NOW, UTC) == "Tue 29 Feb 2028, 00:00 UTC"


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (0, "13:00 CET"),
        (1, "Thu 13:00 CET"),
        (-1, "Tue 13:00 CET"),
        (6, "Tue 13:00 CET"),
        (7, "11 Mar, 13:00 CET"),
        (-64, "30 Dec 2025, 13:00 CET"),
    ],
)
def test_a_column_says_the_day_only_where_the_hour_does_not_tell_it(days, words):
    assert short(NOW + timedelta(days=days), NOW, ZoneInfo("Europe/Berlin")) == words


def test_utc_beside_another_zone_says_its_day_only_where_that_differs():
    assert in_utc(NOW, NOW, ZoneInfo("Europe/Berlin")) == "12:00\N{NO-BREAK SPACE}UTC"
    assert in_utc(NOW, NOW, ZoneInfo("Pacific/Kiritimati"), with_seconds=True) == "Wed 4 Mar, 12:00:00 UTC"


def test_the_day_of_a_column_is_that_of_the_zone():
    assert short(NOW, NOW - timedelta(hours=11, minutes=30), ZoneInfo("Asia/Kolkata")) == "17:30 IST"
    assert short(NOW, NOW - timedelta(hours=11, minutes=30), ZoneInfo("America/New_York")) == "Wed 07:00 EST"


def test_both_hours_of_an_autumn_night_can_be_told_apart():
    zone = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    shown = [absolute(moment, NOW, zone) for moment in (first, first + timedelta(hours=1))]
    assert shown == ["Sun 25 Oct, 02:30 CEST", "Sun 25 Oct, 02:30 CET"]


@pytest.mark.parametrize("name", ["", None, "Nowhere/Land", "../etc/passwd", "Europe", "\0"])
def test_a_zone_that_does_not_exist_is_utc(name):
    assert zone_of(name) is UTC


def test_moments_are_machine_readable_in_utc():
    assert iso(NOW.astimezone(ZoneInfo("Asia/Kolkata"))) == "2026-03-04T12:00:00Z"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "—"),
        (math.inf, "—"),
        (-math.inf, "—"),
        (math.nan, "—"),
        (-1.0, "< 1 ms"),
        (0.0, "< 1 ms"),
        (0.0004, "< 1 ms"),
        (0.213, "213 ms"),
        (1.25, "1.2 s"),
        (184, "3 min 4 s"),
        (7260, "2 h 1 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_durations_are_never_rounded_to_nothing(seconds, words):
    assert duration(seconds) == words


def test_the_sparkline_of_nothing_is_thirty_empty_slots():
    shown = spark_of("")
    assert shown.paths == ()
    assert shown.empty == "M0 19H149"
    assert shown.sentence == "No runs yet"


def test_the_sparkline_says_in_words_what_it_draws():
    shown = spark_of("s1s2f3m0k0")
    assert shown.sentence == "Last 5 runs: 2 succeeded, 1 failed, 1 missed, 1 other"
    assert [family for family, _path in shown.paths] == ["ok", "fail", "warn", "skip"]
    assert shown.empty == "M0 19H124"


def test_failures_differ_by_shape():
    ok, failed = spark_of("s9").paths[0][1], spark_of("f9").paths[0][1]
    assert ok == "M147 20V0"
    assert failed == "M147 20v-6m0-2V0"


def test_a_bar_begins_relative_to_the_one_before():
    assert spark_of("s0s9s0").paths[0][1] == "M137 20V16m5-16V20m5 0V16"


def test_the_newest_stands_at_the_right():
    assert spark_of("s9").paths[0][1].startswith("M147 ")


@pytest.mark.parametrize("nonsense", ["s", "zz", "s9?", "🦊🦊", "s9" * 40])
def test_the_sparkline_survives_nonsense(nonsense):
    shown = spark_of(nonsense)
    assert len(shown.paths) <= 1
    assert shown.sentence


def test_secrets_are_hidden_at_any_depth():
    value = {"a": [{"API_KEY": "x", "city": "Oslo"}], "password": {"deep": "y"}}
    assert redact(value) == {"a": [{"API_KEY": "••••••", "city": "Oslo"}], "password": "••••••"}


def test_a_digest_changes_with_any_part():
    assert digest(1, "a") == digest(1, "a")
    assert len({digest(1, "a"), digest(1, "b"), digest(2, "a"), digest(1), digest("1", "a")}) == 5


def beat(seconds, host="app-1", **fields):
    return Beat(host=host, pid=1, started_at=NOW, seen_at=NOW - timedelta(seconds=seconds), **fields)


def test_the_beat_card_goes_from_green_to_amber_to_red():
    assert card_of([beat(1)], now=NOW).family == "ok"
    assert card_of([beat(14)], now=NOW).family == "warn"
    assert card_of([beat(60)], now=NOW).family == "fail"
    assert card_of([], now=NOW).family == "fail"


@pytest.mark.parametrize(
    ("offsets", "words"),
    [
        ((0.2, -0.9), "Clocks in step with the database."),
        ((0.2, 12.4), "A clock is 12 s behind the database's."),
        ((-7.6, 3.0), "A clock is 8 s ahead of the database's."),
    ],
)
def test_the_beat_card_tells_of_the_clock_that_is_farthest_off(offsets, words):
    beats = [beat(1) for _offset in offsets]
    for each, offset in zip(beats, offsets, strict=True):
        each.clock_offset = offset
    assert card_of(beats, now=NOW).clock == words


def test_one_ticking_beat_is_enough():
    card = card_of([beat(1), beat(900)], now=NOW)
    assert (card.family, card.n_ticking) == ("ok", 1)


def test_a_tick_alone_does_not_redraw_the_card():
    assert card_of([beat(1)], now=NOW).digest == card_of([beat(3)], now=NOW).digest


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("billing.tasks.periods.close_period", "billing.<wbr>tasks.<wbr>periods.<wbr>close_period"),
        ("<b>." + 30 * "x", "&lt;b&gt;.<wbr>" + 30 * "x"),
        ("<b>.x", "&lt;b&gt;.x"),
        ("", ""),
    ],
)
def test_a_dotted_name_breaks_after_its_dots_and_is_escaped(text, shown):
    from schedulerui.templatetags.schedulerui import breakable

    assert breakable(text) == shown


def test_the_beat_card_names_the_machines_that_tick():
    assert card_of([beat(1)], now=NOW).sentence == "On app-1."
    many = [beat(1, host=f"app-{number}") for number in range(5)]
    assert card_of(many, now=NOW).sentence == "On app-0, app-1, app-2 and 2 more."


def test_the_usual_run_time_needs_three_runs_that_told_theirs():
    assert usual_words([1.0, None, 2.0]) == ""
    assert usual_words([1.0, None, 2.0, 6.0]) == "3.0 s on average, 95\u00a0% within 6.0 s, of the newest 3"
