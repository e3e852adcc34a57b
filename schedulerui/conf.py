"""The host's ``SCHEDULERUI`` setting as one typed object: defaults, checks, nothing else reads it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

HTMX_MAJORS = (2, 4)
"""The major versions of htmx that the pages are tested with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every option with its default; durations are seconds."""

    CELERY_APP: str = ""
    """Dotted path of the host's Celery application, for example ``"project.celery.app"``."""
    DISPATCH_LEASE: float = 30.0
    """Seconds for which a claimed run belongs to the beat that claimed it; it publishes in the first half only."""
    CLAIM_BATCH: int = 500
    """Most schedules claimed in one transaction; the first claim of a burst takes a tenth, so that its first message goes soon."""
    MARK_EVERY: float = 0.05
    """Seconds of publishing after which the sent runs are marked, so that a kill re-sends at most that much."""
    HEARTBEAT_EVERY: float = 5.0
    """Seconds between two heartbeat writes of a beat and of a worker."""
    MAX_SLEEP: float = 1.0
    """Longest sleep of beat between two looks at the table, seconds: how soon an edit is seen."""
    BEAT_STALE_AFTER: float = 15.0
    """Seconds without a tick after which a beat is shown as not ticking."""
    WORKER_STALE_AFTER: float = 10.0
    """Seconds without a heartbeat after which a worker is shown as stale."""
    WORKER_OFFLINE_AFTER: float = 20.0
    """Seconds without a heartbeat after which a worker instance is taken for dead."""
    LOST_AFTER: float = 30.0
    """Seconds without a heartbeat of its worker instance after which a started run becomes lost."""
    STALE_QUEUED_AFTER: float = 86_400.0
    """Seconds after which a run that no worker has received no longer holds back the next one under the overlap policy."""
    MANUAL_SEND_WITHIN: float = 60.0
    """Seconds within which a run asked for by a person may still be sent; after that it becomes ``unsent``."""
    MONITOR_EVERY: float = 5.0
    """Seconds between two rounds of the monitor."""
    QUEUES: tuple[str, ...] = ()
    """Queues whose depth the monitor measures beside those seen on schedules and workers."""
    KEEP_RUNS_FOR_DAYS: int = 90
    """Days after which finished runs are purged."""
    KEEP_RUNS_PER_SCHEDULE: int = 10_000
    """Most finished runs kept of one schedule, the newest; 0: as many as KEEP_RUNS_FOR_DAYS leaves."""
    KEEP_CHANGES_FOR_DAYS: int = 0
    """Days after which lines of the audit log are purged, and the versions in them; 0: they are kept for ever."""
    ALERTS: tuple[Mapping[str, Any], ...] = ()
    """Where alerts go: a dictionary each with ``type`` (email, webhook, signal) and what that type needs."""
    ALERT_GRACE: float = 300.0
    """Seconds after its due time at which a run that has not begun is late; a schedule may have its own."""
    ALERT_AFTER: float = 30.0
    """Seconds for which a missing beat, or a queue without a worker, must last before it is an alert."""
    ALERT_REMIND_EVERY: float = 86_400.0
    """Seconds after which what is still wrong is told again."""
    PING_URLS: Mapping[str, str] = field(default_factory=dict)
    """Name of a schedule to the URL that is asked at the start (with /start), success and failure (with /fail) of its runs."""
    DASHBOARD_URL: str = ""
    """Where people open the dashboard, for links in messages, for example ``https://schedules.example.org/``."""
    HOST_URL: str = ""
    """Where the link back to the host's own admin leads: an address, or a URL pattern's name such as ``wagtailadmin_home``; empty: no link."""
    METRICS_TOKEN: str = ""
    """Bearer token that opens ``metrics``, ``readyz`` and ``health.json`` without a login; empty: only a login does."""
    RESULT_LIMIT: int = 4096
    """Most characters of a result kept with a run."""
    TRACEBACK_LIMIT: int = 32768
    """Most characters of a traceback kept with a run."""
    LOG_TAIL_LINES: int = 200
    """Most lines of what a task logs kept with its run; 0: none."""
    LOG_TAIL_LIMIT: int = 16384
    """Most characters of what a task logs kept with its run; 0: none."""
    RECORD_ALL: bool | str | tuple[str, ...] = False
    """Whether workers record tasks that no schedule sent too: all of them, or those whose names match one of the patterns."""
    RECORD_ALL_MAX: int = 100_000
    """Most finished runs kept of tasks that no schedule sent."""
    PICKUP_GRACE: float = 60.0
    """Seconds for which a sent run may wait before its page asks where the message is."""
    SPOOL_DIR: str = ""
    """Folder in which workers keep reports while the database is away; empty: a private folder in the temporary directory."""
    RECORDER_PATIENCE: float = 0.8
    """Most seconds for which recording may hold up a task."""
    REDACT: tuple[str, ...] = (
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "api_key",
        "apikey",
        "access_key",
        "private_key",
        "authorization",
        "credential",
        "cookie",
        "sessionid",
    )
    """Parts of key names whose values are never shown, in any spelling: `api_key` is `X-Api-Key` too."""
    ACCESS: str = ""
    """Dotted path of ``may(user, verb, obj) -> bool``; empty: Django's permissions."""
    ACCESS_FILTER: str = ""
    """Dotted path of ``narrow(user, schedules) -> schedules``, a queryset of those that a person may know of; empty: all."""
    FLOWER_URL: str = ""
    """Where Flower listens on loopback, with its prefix, for example ``http://127.0.0.1:5555/flower/``; empty: no Flower."""
    FLOWER_AUTH_FILE: str = ""
    """File (mode 0600) holding Flower's ``user:password``."""
    PAGE_SIZE: int = 50
    """Rows on one page of a list."""
    POLL_EVERY: int = 5
    """Seconds between two polls of a live page."""
    HTMX: int = 2
    """Which major version of htmx the pages load, 2 or 4; django-htmx brings both."""
    QUICK_RUN: bool = True
    """Whether Shift and a click on "Run now" runs at once, without the dialog."""
    RUNS_PER_MINUTE: int = 30
    """Most runs that one person may ask for in a minute, one by one, in the browser; 0: as many as they like."""


def load(raw: object) -> Settings:
    """Return the typed settings of a ``SCHEDULERUI`` mapping.

    Raises ImproperlyConfigured for anything that is not a mapping and for an unknown key, with the nearest known one.
    """
    if not isinstance(raw, dict):
        message = "SCHEDULERUI must be a dictionary."
        raise ImproperlyConfigured(message)
    known = {option.name for option in fields(Settings)}
    for key in raw:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            message = f"SCHEDULERUI has an unknown key {key!r}.{hint}"
            raise ImproperlyConfigured(message)
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()
    }
    return Settings(**values)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the host's settings, read once; ``reset`` forgets them."""
    return load(getattr(django_settings, "SCHEDULERUI", {}))


def reset(*, setting: str = "SCHEDULERUI", **_told: object) -> None:
    """Forget the settings that were read, if it is they that changed; Django's ``setting_changed`` of tests calls it."""
    if setting == "SCHEDULERUI":
        settings.cache_clear()


setting_changed.connect(reset, dispatch_uid="schedulerui.conf")
