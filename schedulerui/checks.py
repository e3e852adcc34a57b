"""System checks: what is set up wrong, said before anything runs. Each id is explained in ``docs/reference/checks.md``."""

from __future__ import annotations

import stat
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings as django_settings
from django.core import checks
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from schedulerui import conf, dispatch, dispatch_canvas
from schedulerui.canvas import needs_backend
from schedulerui.models import Schedule
from schedulerui.monitor import channels
from schedulerui.operations import canvas
from schedulerui.web.flower_proxy import prefix_of

PAGE = "docs/reference/checks.md"
HTMX_MIDDLEWARE = "django_htmx.middleware.HtmxMiddleware"
REQUEST_PROCESSOR = "django.template.context_processors.request"
DJANGO_TEMPLATES = "django.template.backends.django.DjangoTemplates"
RESTORING = ("redis", "rediss", "sentinel", "valkey", "valkeys")
"""Transports that hand an unacknowledged message out again after their visibility timeout."""
RABBITMQ = ("amqp", "amqps", "pyamqp", "py-amqp")
DEFAULT_VISIBILITY = 3600
"""kombu's visibility timeout for Redis, seconds."""
NAMED = 5
"""Most schedules that one message names."""


def register() -> None:
    """Make Django run these checks; the app's ``ready`` calls it."""
    for check in (check_settings, check_host, check_celery, check_flower):
        checks.register(check, "schedulerui")
    checks.register(check_canvases, "schedulerui", checks.Tags.database)


def check_settings(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """Check the ``SCHEDULERUI`` setting itself."""
    try:
        options = _options()
    except (ImproperlyConfigured, TypeError) as error:
        return [_error("E001", str(error), "Correct the SCHEDULERUI setting.")]
    return [*_check_access(options), *_check_channels(options), *_check_htmx(options)]


def _check_htmx(options: conf.Settings) -> list[CheckMessage]:
    if options.HTMX in conf.HTMX_MAJORS:
        return []
    message = f'SCHEDULERUI["HTMX"] is {options.HTMX!r}, and the pages know htmx 2 and 4.'
    return [_error("E010", message, "Leave it out, or set it to 2 or 4.")]


def _check_channels(options: conf.Settings) -> list[CheckMessage]:
    try:
        wrong = channels.problems(options.ALERTS)
    except (AttributeError, TypeError) as error:
        wrong = [f"ALERTS is no list of dictionaries: {error}."]
    hint = 'Correct SCHEDULERUI["ALERTS"].'
    return [_error("E008", problem, hint) for problem in wrong]


def _check_access(options: conf.Settings) -> list[CheckMessage]:
    if not options.ACCESS:
        return []
    try:
        import_string(options.ACCESS)
    except ImportError as error:
        message = f'SCHEDULERUI["ACCESS"] names {options.ACCESS!r}, which cannot be imported: {error}'
        return [_error("E007", message, "Name a function may(user, verb, obj), or leave it empty.")]
    return []


def check_host(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """Check what the app needs of the host's Django settings."""
    found: list[CheckMessage] = []
    if not django_settings.USE_TZ:
        hint = "Set USE_TZ = True: without it a stored moment means another one after a clock change."
        found.append(_error("E003", "USE_TZ is off.", hint))
    missing = [name for name in ("django_htmx", "django_filters") if not apps.is_installed(name)]
    if missing:
        hint = "Add them to INSTALLED_APPS; they come with this package."
        found.append(_error("E004", f"Not in INSTALLED_APPS: {', '.join(missing)}.", hint))
    if HTMX_MIDDLEWARE not in django_settings.MIDDLEWARE:
        hint = f"Add {HTMX_MIDDLEWARE!r} to MIDDLEWARE."
        found.append(_warning("W004", "The middleware of django-htmx is missing.", hint))
    if not any(_gives_request(engine) for engine in django_settings.TEMPLATES):
        hint = f"Add {REQUEST_PROCESSOR!r} to the context processors of the DjangoTemplates engine."
        found.append(_error("E005", "Templates do not get the request.", hint))
    return [*found, *_check_host_url()]


def _check_host_url() -> list[CheckMessage]:
    name = _options().HOST_URL if _is_readable() else ""
    # A process without the pages has no use for the link, and may have none of the host's either.
    if not name or "/" in name or _has_address(name) or not _has_address("schedulerui:overview"):
        return []
    message = f'SCHEDULERUI["HOST_URL"] is {name!r}, and no URL pattern has this name.'
    return [_error("E009", message, "Name one that takes no argument, or give the address itself.")]


def _has_address(name: str) -> bool:
    try:
        reverse(name)
    except NoReverseMatch:
        return False
    return True


def check_celery(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """Check the host's Celery application and how its broker is set up; connects to nothing."""
    if not _is_readable():
        return []
    try:
        celery_app = dispatch.app()
        url = str(celery_app.conf.broker_write_url or celery_app.conf.broker_url or "")
        options = dict(celery_app.conf.broker_transport_options or {})
        limit = _longest_late_task(celery_app)
        is_eager = bool(celery_app.conf.task_always_eager)
    except dispatch.NoCeleryApp as error:
        return [_error("E002", str(error), "Nothing can be sent or read from Celery without it.")]
    except Exception as error:  # noqa: BLE001 - importing the host's module may raise anything, and check must go on
        message = f'SCHEDULERUI["CELERY_APP"] cannot be imported: {type(error).__name__}: {error}'
        return [_error("E002", message, "Nothing can be sent or read from Celery without it.")]
    return [
        *_check_confirms(url, options),
        *_check_visibility(url, options, limit),
        *_check_eager(is_eager=is_eager),
    ]


def check_flower(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """Check that Flower makes its links where the dashboard shows it, and that its password is private."""
    if not _is_readable():
        return []
    options = _options()
    return [*_check_mount(options.FLOWER_URL), *_check_password_file(options.FLOWER_AUTH_FILE)]


def check_canvases(
    app_configs: Sequence[AppConfig] | None, databases: Collection[str] | None = None, **_kwargs: Any
) -> list[CheckMessage]:
    """Check that stored chords can be run; only where the database may be asked (``check --database default``)."""
    alias = router.db_for_read(Schedule)
    if not _is_readable() or alias not in (databases or ()):
        return []
    try:
        if dispatch_canvas.can_join(dispatch.app()):
            return []
        stored = Schedule.objects.using(alias).exclude(canvas={}).order_by("name")
        names = [name for name, found in stored.values_list("name", "canvas") if _needs_backend(found)]
    except Exception:  # noqa: BLE001 - a host's module that cannot be imported has its own check; a table may not be there yet
        return []
    if not names:
        return []
    listed = ", ".join(repr(name) for name in names[:NAMED]) + (", …" if len(names) > NAMED else "")
    message = (
        f"The Celery app has no result backend that can join tasks, and these schedules need one: {listed}."
    )
    return [_warning("W005", message, "Set result_backend, or make them chains.")]


def _needs_backend(found: object) -> bool:
    try:
        return needs_backend(canvas.read(found))
    except canvas.CanvasError:  # its page says what is wrong with it
        return False


def _check_confirms(url: str, options: dict[str, Any]) -> list[CheckMessage]:
    if _scheme(url) not in RABBITMQ or options.get("confirm_publish"):
        return []
    hint = 'Set broker_transport_options = {"confirm_publish": True}.'
    return [_warning("W001", "RabbitMQ may lose messages in silence: it does not confirm them.", hint)]


def _check_visibility(url: str, options: dict[str, Any], limit: float) -> list[CheckMessage]:
    visibility = float(options.get("visibility_timeout") or DEFAULT_VISIBILITY)
    if _scheme(url) not in RESTORING or limit < visibility:
        return []
    message = (
        f"A task that acknowledges late may run for {limit:g} s, but the broker hands its message out again after "
        f"{visibility:g} s: it would run twice."
    )
    hint = 'Set broker_transport_options["visibility_timeout"] to more seconds than the longest task takes.'
    return [_warning("W002", message, hint)]


def _check_eager(*, is_eager: bool) -> list[CheckMessage]:
    if not is_eager:
        return []
    message = (
        "task_always_eager is on: beat and the pages run each task themselves, one after the other, and its runs stay 'sent', "
        "because no worker tells of them."
    )
    return [_warning("W006", message, "Leave it to tests, and start a worker.")]


def _check_mount(url: str) -> list[CheckMessage]:
    if not url:
        return []
    try:
        mount = reverse("schedulerui:flower")
    except NoReverseMatch:  # a process without the pages, or with none yet
        return []
    if prefix_of(url) == mount:
        return []
    message = f"Flower makes its links below {prefix_of(url)}, but is shown below {mount}."
    hint = (
        f"Start Flower with --url_prefix={mount.strip('/')} and end FLOWER_URL in {mount}. If a server in front adds a "
        "prefix, tell Django by FORCE_SCRIPT_NAME."
    )
    return [_error("E006", message, hint)]


def _check_password_file(name: str) -> list[CheckMessage]:
    try:
        mode = Path(name).stat().st_mode if name else 0
    except OSError:  # written when Flower starts, which may be later; its page says so if it stays away
        return []
    if not stat.S_IMODE(mode) & 0o077:
        return []
    hint = f"chmod 600 {name}"
    return [_warning("W003", "Others on this machine may read Flower's password.", hint)]


def _longest_late_task(celery_app: Any) -> float:
    """Return the longest time limit, seconds, of the known tasks that acknowledge late; 0 when there is none."""
    general = celery_app.conf.task_time_limit
    limits = [task.time_limit or general or 0 for task in celery_app.tasks.values() if task.acks_late]
    return float(max(limits, default=0))


def _gives_request(engine: dict[str, Any]) -> bool:
    processors = engine.get("OPTIONS", {}).get("context_processors", ())
    return engine.get("BACKEND") == DJANGO_TEMPLATES and REQUEST_PROCESSOR in processors


def _scheme(url: str) -> str:
    return url.partition(";")[0].partition("://")[0].partition("+")[0].lower()


def _options() -> conf.Settings:
    """Read the setting anew: what was cached may be older than the settings that are checked."""
    return conf.load(getattr(django_settings, "SCHEDULERUI", {}))


def _is_readable() -> bool:
    try:
        _options()
    except (ImproperlyConfigured, TypeError):
        return False
    return True


def _error(number: str, message: str, hint: str) -> CheckMessage:
    return _message(checks.Error, number, message, hint)


def _warning(number: str, message: str, hint: str) -> CheckMessage:
    return _message(checks.Warning, number, message, hint)


def _message(kind: Callable[..., CheckMessage], number: str, message: str, hint: str) -> CheckMessage:
    return kind(message, hint=f"{hint} See {PAGE}#{number.lower()}", id=f"schedulerui.{number}")
