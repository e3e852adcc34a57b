"""The files for Grafana and Prometheus name only samples that the dashboard gives."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from schedulerui.models import Beat, Finding
from schedulerui.presenters import metrics
from tests.processes import REPOSITORY

FILES = sorted((REPOSITORY / "docs" / "how-to" / "monitoring").iterdir())
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def given(db):
    Beat.objects.create(
        host="one", pid=1, started_at=NOW, seen_at=NOW, latency={"0.1": 1, "inf": 0, "sum": 0.1}
    )
    Finding.objects.create(kind="overdue", n=0, checked_at=NOW)
    text = metrics.exposition(now=NOW).decode()
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    return names | {f"{name}_bucket" for name in names}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_sample_that_a_file_names_is_given(path, given):
    named = set(re.findall(r"schedulerui_[a-z_]+", path.read_text(encoding="utf-8")))
    assert len(named) > 5
    assert named - given == set()


def test_the_dashboard_is_json_with_a_panel_for_each_question():
    (path,) = [path for path in FILES if path.suffix == ".json"]
    panels = json.loads(path.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) >= 10
    assert all(panel["targets"][0]["expr"] for panel in panels)
