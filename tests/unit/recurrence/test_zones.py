"""Zone names."""

from __future__ import annotations

import pytest

from schedulerui.recurrence import RuleError, known_zones, parse_rule, suggest_zone, zone


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Europe", "region"),
        ("America/Argentina", "region"),
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("Europe/Berln", "did you mean Europe/Berlin?"),
        ("Berlin", "did you mean Europe/Berlin?"),
        ("new york", "did you mean America/New_York?"),
        ("UTC+2", "is not known"),
        ("../etc/passwd", "is not known"),
        ("/etc/localtime", "is not known"),
        ("localtime", "is not known"),
        ("Factory", "is not known"),
        ("UTC\x00", "did you mean UTC?"),
        ("x" * 100_000, "is not known"),
        ("\ud800", "is not known"),
        (" UTC", "did you mean UTC?"),
    ],
)
def test_it_refuses_a_name_with_what_was_probably_meant(name, part):
    with pytest.raises(RuleError) as caught:
        parse_rule({"kind": "manual", "tz": name})
    assert caught.value.field == "tz"
    assert part in caught.value.message
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 250


def test_every_known_zone_can_be_used():
    assert len(known_zones()) > 500
    assert all(zone(name).key == name for name in known_zones())


def test_it_suggests_nothing_for_nothing():
    assert suggest_zone("") is None
    assert suggest_zone("zzzz") is None
