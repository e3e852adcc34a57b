"""What a start puts in place once Django is there: tables, static files, the first user, the demonstration."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import datetime

import django
import kombu
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DatabaseError, connection
from kombu.utils.url import maybe_sanitize_url

from schedulerui.facts import Actor
from schedulerui.models import Schedule
from schedulerui.operations import schedules
from schedulerui.operations.errors import InvalidSchedule
from schedulerui.site.demo_schedules import demo_schedules
from schedulerui.site.environment import Home
from schedulerui.site.ground import kept_secret, write_private
from schedulerui.site.refusal import StartError

ADMIN = "admin"
BROKER_WITHIN = 5
"""Seconds in which a broker that is not ours must answer."""


def check_database() -> None:
    """Raise StartError when the database does not answer."""
    try:
        connection.ensure_connection()
    except (DatabaseError, ImproperlyConfigured) as error:
        message = f"The database {_database_words()} does not answer: {_first_line(error)}"
        raise StartError(message) from error


def _database_words() -> str:
    """Name the database without its password."""
    given = settings.DATABASES["default"]
    host = given.get("HOST")
    return (
        f"{given['NAME']} on {host}:{given.get('PORT') or 'its usual port'}" if host else str(given["NAME"])
    )


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def check_broker(url: str) -> None:
    """Raise StartError when a broker that is not ours does not answer."""
    try:
        with kombu.Connection(url, connect_timeout=BROKER_WITHIN) as link:
            link.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_WITHIN)
    except Exception as error:  # each transport has exceptions of its own
        message = f"The broker {maybe_sanitize_url(url)} does not answer: {_first_line(error)}"
        raise StartError(message) from error


def migrate() -> None:
    """Bring the tables up to date; raises StartError with the database's own words when that fails."""
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except DatabaseError as error:
        message = f"The tables of the database {_database_words()} cannot be brought up to date: {_first_line(error)}"
        raise StartError(message) from error


def collect_static(home: Home) -> None:
    """Collect the static files, unless the sources are those of the last time: hashing them all takes seconds."""
    note = home.root / "static.fingerprint"
    fingerprint = _static_fingerprint()
    if note.is_file() and note.read_text(encoding="utf-8") == fingerprint and home.static.is_dir():
        return
    note.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    write_private(note, fingerprint)


def _static_fingerprint() -> str:
    digest = hashlib.sha256(f"{django.__version__} {settings.STORAGES['staticfiles']}".encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            status = os.stat(storage.path(path))  # noqa: PTH116 - Django's storages give strings
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def make_admin(home: Home, *, environ: Mapping[str, str]) -> str:
    """Make the user ``admin`` if there is none, and return the words with which the start tells its password.

    A given password is set at each start. A made one is kept in the home; one that was changed since stays as it is.
    """
    users = get_user_model()._default_manager  # noqa: SLF001 - Django's documented way to a swapped user's manager
    user = users.filter(username=ADMIN).first()
    given = environ.get("SCHEDULERUI_ADMIN_PASSWORD")
    if user is None:
        password = given or kept_secret(home.admin_password, n_bytes=12)
        users.create_superuser(username=ADMIN, email="", password=password)
    elif given:
        if not user.check_password(given):
            user.set_password(given)
            user.save(update_fields=["password"])
    else:
        password = (
            home.admin_password.read_text(encoding="utf-8").strip() if home.admin_password.is_file() else ""
        )
        if not password or not user.check_password(password):
            return "as it was set before (SCHEDULERUI_ADMIN_PASSWORD sets another)"
    return "as given in SCHEDULERUI_ADMIN_PASSWORD" if given else password


def load_demo(now: datetime) -> list[str]:
    """Create the demonstration's schedules in an empty table; return a sentence for each that was refused."""
    if Schedule.objects.exists():
        return []
    refused = []
    actor = Actor(name="make run", via="command")
    for fields in demo_schedules(now):
        try:
            schedules.create(fields, actor=actor, now=now)
        except InvalidSchedule as error:
            refused.append(f"The demo schedule {fields['name']!r} was not loaded: {error}")
    return refused
