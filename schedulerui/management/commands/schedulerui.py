"""``manage.py schedulerui VERB``: look after schedules from a terminal or a script."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from schedulerui.management.verbs import (
    adopting,
    checking,
    importing,
    indexing,
    listing,
    monitor,
    naming,
    recomputing,
    running,
    several,
    status,
    tables,
    toggle,
    upcoming,
)

STATUS_HELP = """\
Say whether a beat is ticking, which workers live, how many schedules are on, off, in error, failing and overdue, and how
deep the queues are. Exit code 0: a beat ticks and can work. 1: none does, or the database does not answer."""
CHECK_HELP = """\
Ask the rows for what should never be: overdue schedules although a beat ticks, claims past their lease, messages that were
never received, times without a row, schedules that will never run, runs of dead workers, schedules of an app without a beat. Exit code 0: all is sound. 1: something
was found, or the database does not answer."""
RECOMPUTE_HELP = """\
Compute the next runs anew after an update of the zone data (tzdata), and list those that moved. Restart the beats first:
they compute with the data that they were started with."""

BULK_HELP = """\
Do one thing to all schedules that match a filter, however many they are; each is committed by itself. Exit code 0: done. 1: it could not
be done to some, which are listed, or the filter makes no sense."""
RENAME_HELP = """\
Let the schedules that the code of one Celery app defined (`beat_schedule`) belong to another, after the app got another name. Restart its
beats after that: they take over what the code says now, and switch off what is gone from it."""
IMPORT_HELP = """\
Make a schedule of every row of django-celery-beat in this database, and say what became of each: accepted, changed, disabled
(with the reason) or skipped. Its tables stay as they are, and nothing is made up for. May be called again: what is there is
skipped. Refuses while the old beat runs."""
INDEX_HELP = """\
Make the indexes by which PostgreSQL finds words inside names, tasks and tags (extension pg_trgm), while everything goes on. Without
them words are looked for row by row. May be called as often as one likes."""


class Command(BaseCommand):
    help = "Look after schedules: status, check, list, next, run, enable, disable, pause, resume, bulk, recompute, rename-app, import-django-celery-beat, index, monitor."
    requires_system_checks: list[
        str
    ] = []  # a probe asks `status` every few seconds; `check` is there for the others

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
        _add(verbs, "status", text=STATUS_HELP, has_json=True)
        check = _add(verbs, "check", text=CHECK_HELP, has_json=True)
        check.add_argument("--all", action="store_true", help="compare the times of all schedules")
        check.add_argument(
            "--hours", type=float, default=1.0, help="how far back times are compared (default: 1)"
        )
        _add(verbs, "list", text="List all schedules.", has_json=True)
        upcoming_parser = _add(verbs, "next", text="Show the next times of a schedule.")
        naming.add_name(upcoming_parser)
        upcoming_parser.add_argument("-n", type=int, default=10, help="how many (default: 10)")
        for verb, text in (
            ("run", "Run a schedule once, now, whether it is on or off."),
            ("enable", "Switch a schedule on; already on is no error."),
            ("disable", "Switch a schedule off; already off is no error."),
            ("resume", "Switch a paused schedule on again; already on is no error."),
        ):
            naming.add_name(_add(verbs, verb, text=text))
        pause = _add(verbs, "pause", text="Pause a schedule, until a moment or until somebody resumes it.")
        naming.add_name(pause)
        pause.add_argument(
            "--until", default="", help="ISO moment, in the schedule's zone unless it says its own"
        )
        pause.add_argument("--reason", default="", help="why, for the page and the history")
        several.add_arguments(_add(verbs, "bulk", text=BULK_HELP))
        recompute = _add(verbs, "recompute", text=RECOMPUTE_HELP)
        recompute.add_argument(
            "--dry-run", action="store_true", help="list what would move and write nothing"
        )
        rename = _add(verbs, "rename-app", text=RENAME_HELP)
        rename.add_argument("old", help="the name that the Celery app had")
        rename.add_argument("new", help="the name that it has now")
        importing.add_arguments(_add(verbs, "import-django-celery-beat", text=IMPORT_HELP))
        _add(verbs, "index", text=INDEX_HELP)
        _add(verbs, "monitor", text="Watch workers, queues and lost runs until SIGTERM or Ctrl-C.")

    def handle(self, *args: object, **options: Any) -> None:
        try:
            code = self._run(options)
        except DatabaseError as error:
            first_line = str(error).strip().partition("\n")[0]
            raise CommandError(
                f"The database does not answer as it should: {first_line} (is it there, and migrated?)"
            ) from error
        except CommandError as error:
            raise CommandError(tables.plain(str(error)), returncode=error.returncode) from error
        if code:
            sys.exit(code)

    def _run(self, options: dict[str, Any]) -> int:
        verb, name = options["verb"], options.get("name", "")
        code = 0
        if verb == "status":
            text, code = status.show(as_json=options["json"])
        elif verb == "check":
            text, code = checking.show(as_json=options["json"], is_all=options["all"], hours=options["hours"])
        elif verb == "bulk":
            text, code = several.run(options)
        elif verb == "monitor":
            monitor.watch()
            return code
        else:
            simple: dict[str, Callable[[], str]] = {
                "list": lambda: listing.show(as_json=options["json"]),
                "next": lambda: upcoming.show(name, n=options["n"]),
                "recompute": lambda: recomputing.show(dry_run=options["dry_run"]),
                "rename-app": lambda: adopting.rename(options["old"], options["new"]),
                "import-django-celery-beat": lambda: importing.run(
                    dry_run=options["dry_run"],
                    since_quiet=options["since_quiet"],
                    even_if_running=options["even_if_running"],
                ),
                "index": indexing.make,
                "run": lambda: running.run(name),
                "enable": lambda: toggle.enable(name),
                "disable": lambda: toggle.disable(name),
                "pause": lambda: toggle.pause(name, until=options["until"], reason=options["reason"]),
                "resume": lambda: toggle.enable(name),
            }
            text = simple[verb]()
        self.stdout.write(tables.plain(text))
        return code


def _add(
    verbs: Any, name: str, *, text: str, has_json: bool = False
) -> argparse.ArgumentParser:  # Any: argparse keeps the class of its subparsers action private
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=text.partition(". Exit")[0],
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if has_json:
        parser.add_argument("--json", action="store_true", help="machine-readable")
    return parser
