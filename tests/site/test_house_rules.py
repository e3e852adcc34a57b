"""The house rules that neither ruff nor import-linter can state for single rooms."""

from __future__ import annotations

import ast

import pytest

from tests.site.source_rules import PACKAGE, REPOSITORY, lengths_of_functions, modules, users_of

HTTP = ("django.http", "django.shortcuts")
WALL_CLOCK = (
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "django.utils.timezone.localdate",
    "django.utils.timezone.localtime",
    "django.utils.timezone.now",
    "time.gmtime",
    "time.localtime",
    "time.time",
    "time.time_ns",
)
BANNED_EVERYWHERE = ("celery.current_app", "django.db.models.signals", "django.utils.safestring.mark_safe")
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 50


@pytest.fixture(scope="module")
def package():
    return modules(PACKAGE)


def test_only_the_web_room_knows_http(package):
    elsewhere = {path: tree for path, tree in package.items() if not path.startswith("schedulerui/web/")}
    assert len(elsewhere) < len(package)
    assert users_of(HTTP, elsewhere) == []


def test_only_the_clock_reads_the_wall_clock(package):
    assert (
        users_of(WALL_CLOCK, {path: t for path, t in package.items() if path != "schedulerui/clock.py"}) == []
    )


def test_no_room_uses_signals_of_models_the_current_app_or_mark_safe(package):
    assert users_of(BANNED_EVERYWHERE, package) == []


WRITES = {
    "create",
    "get_or_create",
    "update_or_create",
    "bulk_create",
    "bulk_update",
    "update",
    "delete",
    "save",
}


def writers_of(model: str, tree: ast.Module) -> set[str]:
    """The names of the calls in a module that write rows of a model, as in `Model.objects.filter(...).update(...)`."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
            root = node.func.value
            while isinstance(root, ast.Attribute | ast.Call):
                root = root.value if isinstance(root, ast.Attribute) else root.func
            if isinstance(root, ast.Name) and root.id == model:
                found.add(node.func.attr)
    return found


def test_a_line_of_the_audit_log_is_written_once_and_then_only_read(package):
    """Lines that are too old are deleted by the settings' leave, in one place."""
    writers = {path: found for path, tree in package.items() if (found := writers_of("Change", tree))}
    assert writers == {
        "schedulerui/operations/audit.py": {"create"},
        "schedulerui/operations/housekeeping.py": {"delete"},
    }


def test_no_test_sleeps():
    assert users_of(("time.sleep",), modules(REPOSITORY / "tests")) == []


def test_no_module_has_more_than_300_lines(package):
    lines = {path: len((REPOSITORY / path).read_text().splitlines()) for path in package}
    assert {path: n for path, n in lines.items() if n > MAX_MODULE_LINES} == {}


def test_no_function_has_more_than_50_lines(package):
    found = [
        f"{path}:{line} {name}: {n} lines"
        for path, tree in package.items()
        for line, name, n in lengths_of_functions(tree)
        if n > MAX_FUNCTION_LINES
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "banned"),
    [
        ("from django.utils.timezone import now", WALL_CLOCK),
        ("from django.utils import timezone as tz\nx = tz.now()", WALL_CLOCK),
        ("import datetime as dt\nx = dt.datetime.now(tz=dt.UTC)", WALL_CLOCK),
        ("from datetime import datetime\ndef f():\n    return datetime.utcnow()", WALL_CLOCK),
        ("import time\nx = time.time()", WALL_CLOCK),
        ("from django.http import HttpResponse", HTTP),
        ("import django.shortcuts", HTTP),
        ("def f():\n    from django import http\n    return http.Http404", HTTP),
        ("from django.db.models import signals", BANNED_EVERYWHERE),
        ("from time import sleep", ("time.sleep",)),
    ],
)
def test_it_finds_a_banned_name_when_it_has_another_name_there(source, banned):
    assert users_of(banned, {"bad.py": ast.parse(source)})


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\nx = datetime.fromisoformat('2026-01-01')",
        "import time\nx = time.monotonic()",
        "def f(now):\n    return now.time()",
        "from schedulerui.clock import now",
    ],
)
def test_it_finds_nothing_when_the_name_is_only_alike(source):
    assert users_of((*WALL_CLOCK, *HTTP), {"good.py": ast.parse(source)}) == []
