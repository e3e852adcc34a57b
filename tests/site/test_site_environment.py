"""What the bundled site takes from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from schedulerui.site import environment
from schedulerui.site.environment import Home


def test_the_embedded_broker_is_used_unless_another_is_named():
    home = Home(root=Path("/srv/home"))
    assert environment.broker_url({}, home) == "redis+socket:///srv/home/broker.sock?virtual_host=0"
    assert environment.broker_url({"CELERY_BROKER_URL": "amqp://x//"}, home) == "amqp://x//"


@pytest.mark.parametrize(
    "url", ["redis://h/0", "redis+socket:///s", "rediss://h", "valkey://h", "sentinel://h"]
)
def test_redis_gets_its_visibility_timeout(url):
    assert environment.transport_options(url)["visibility_timeout"] == 3600
    assert "confirm_publish" not in environment.transport_options(url)


@pytest.mark.parametrize("url", ["amqp://h//", "pyamqp://h//", "amqps://h//"])
def test_rabbitmq_confirms_each_publish(url):
    assert environment.transport_options(url) == {"confirm_publish": True}


def test_the_secret_key_comes_from_the_environment_then_the_home_then_chance(tmp_path):
    home = Home(root=tmp_path / "absent")
    first, second = environment.secret_key({}, home), environment.secret_key({}, home)
    assert len(first) >= 50
    assert first != second
    assert not home.root.exists()  # reading the settings writes nothing
    home.root.mkdir()
    home.secret_key.write_text("kept\n")
    assert environment.secret_key({}, home) == "kept"
    assert environment.secret_key({"SCHEDULERUI_SECRET_KEY": "given"}, home) == "given"


@pytest.mark.parametrize(
    ("text", "expected"), [("1", True), ("TRUE", True), ("0", False), ("no", False), ("", True)]
)
def test_a_switch_reads_words_and_falls_back_to_its_default(text, expected):
    assert environment.is_on({"X": text}, "X", default=True) is expected


def test_lists_are_separated_by_commas():
    assert environment.words({"X": " a, b ,,c"}, "X") == ["a", "b", "c"]
    assert environment.words({}, "X", default=("d",)) == ["d"]
