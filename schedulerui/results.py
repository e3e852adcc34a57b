"""What Celery's result backend keeps of a task, read as text: nothing is ever unpickled, and no class of a host is made.

Celery's own way to read a result would import and call what the stored bytes name. Here the raw bytes are taken from the store
and read as JSON or not at all. Each read ends within a few seconds, whatever the store does.
"""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from celery import Celery
from celery.app import backends
from celery.backends.base import BaseKeyValueStoreBackend, DisabledBackend
from django.db import DatabaseError, connection
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from schedulerui.error_text import error_text
from schedulerui.models import Run

DEADLINE = 3.0
"""Seconds for one read."""
SOCKET_TIMEOUT = 2.0
SIZE_MAX = 1024 * 1024
"""Most bytes of a stored result that are read."""
READERS_MAX = 4
"""Reads that may hang at the same time; more are refused at once."""
COMPRESSED = b"\x00celery-compressed\x00"
GZIP = b"application/x-gzip"
PICKLE = b"\x80"
OF_DJANGO = ("django-db", "django_celery_results")

_slots = threading.BoundedSemaphore(READERS_MAX)


class NoResult(Exception):
    """There is nothing to show; the sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the backend keeps: Celery's name of the state, the value as JSON gave it, the traceback."""

    state: str
    value: object
    traceback: str = ""


Row = tuple[Any, ...]


def keeps_result(run: Run, celery_app: Celery) -> bool:
    """Return whether the run's task leaves a result that could be asked for; connects to nothing."""
    configured = celery_app.backend_cls or celery_app.conf.result_backend
    if not run.task_id or not configured or str(configured) == "disabled":
        return False
    options = run.options if isinstance(run.options, dict) else {}
    chosen = options.get("ignore_result")
    if chosen is None:
        task = celery_app.tasks.get(run.task)
        chosen = getattr(task, "ignore_result", None) if task is not None else None
    return not (celery_app.conf.task_ignore_result if chosen is None else chosen)


def read(task_id: str, *, celery_app: Celery) -> Stored:
    """Return what the backend keeps of a task; raises NoResult with a sentence, within ``DEADLINE`` seconds and a little."""
    configured = str(celery_app.backend_cls or celery_app.conf.result_backend or "")
    if configured.startswith(OF_DJANGO):
        return _of_django(task_id)
    try:
        found, url = cast("tuple[type[Any], str | None]", backends.by_url(configured, celery_app.loader))
    except Exception as error:
        raise NoResult(_("The result backend cannot be used here: %(error)s") % {"error": error}) from error
    if issubclass(found, DisabledBackend):
        raise NoResult(_("This project keeps no results."))
    if found.__module__ == "celery.backends.rpc":
        raise NoResult(
            _("Results go back to the process that sent the task, and only that process can read them.")
        )
    if found.__module__.startswith("celery.backends.database"):
        return _in_time(lambda: _of_database(task_id, celery_app, url))
    if not issubclass(found, BaseKeyValueStoreBackend):
        raise NoResult(
            _("Results in a backend of the kind %(name)s are not read here.") % {"name": found.__name__}
        )
    return _in_time(lambda: _of_store(task_id, found(app=celery_app, url=url)))


def _in_time(work: Callable[[], Stored]) -> Stored:
    """Do the work on a thread of its own and wait for it only so long; a thread that hangs takes one of few slots."""
    if not _slots.acquire(blocking=False):
        raise NoResult(_("The result backend does not answer: other requests wait for it already."))
    done: list[Stored | Exception] = []
    language = get_language()

    def run() -> None:
        try:
            with override(language):
                done.append(work())
        except Exception as error:  # noqa: BLE001 - handed to the waiting request
            done.append(error)
        finally:
            _slots.release()

    thread = threading.Thread(target=run, name="schedulerui-result", daemon=True)
    thread.start()
    thread.join(DEADLINE)
    if not done:
        raise NoResult(_("The result backend does not answer within %(n)d seconds.") % {"n": DEADLINE})
    if isinstance(done[0], NoResult):
        raise done[0]
    if isinstance(done[0], Exception):
        words = _("The result backend does not answer: %(error)s") % {"error": error_text(done[0])}
        raise NoResult(words) from done[0]
    return done[0]


def _of_store(task_id: str, backend: Any) -> Stored:
    """Read from a key-value store (Redis, Memcached, files and others)."""
    params = getattr(backend, "connparams", None)
    if isinstance(params, dict):
        params["socket_timeout"] = SOCKET_TIMEOUT
        if "path" not in params:
            params["socket_connect_timeout"] = SOCKET_TIMEOUT
    key = backend.get_key_for_task(task_id)
    client: Any = getattr(backend, "client", None)
    try:
        if hasattr(client, "strlen") and client.strlen(key) > SIZE_MAX:
            raise NoResult(_too_big())
        payload = backend.get(key)
    finally:
        if hasattr(client, "close"):
            client.close()
    meta = _decoded(payload, serializer=str(backend.serializer))
    if not isinstance(meta, dict):
        raise NoResult(_("The backend holds something else under this task id."))
    return Stored(
        state=str(meta.get("status", "")),
        value=_value(meta.get("result")),
        traceback=str(meta.get("traceback") or ""),
    )


def _of_database(task_id: str, celery_app: Celery, url: str | None) -> Stored:
    """Read from SQLAlchemy's table by plain SQL: its mapped class would unpickle the column of older versions."""
    import sqlalchemy  # noqa: PLC0415 - an extra of Celery, there only where this backend is used

    conf = celery_app.conf
    table = sqlalchemy.table(
        (conf.database_table_names or {}).get("task", "celery_taskmeta"),
        *map(sqlalchemy.column, ("task_id", "status", "result", "traceback")),
        schema=(conf.database_table_schemas or {}).get("task"),
    )
    engine = sqlalchemy.create_engine(str(url or conf.database_url), poolclass=sqlalchemy.pool.NullPool)
    wanted = sqlalchemy.select(table.c.status, table.c.result, table.c.traceback)
    with engine.connect() as session:
        row = session.execute(wanted.where(table.c.task_id == task_id)).first()
    return _of_row(tuple(row) if row is not None else None, serializer=str(conf.result_serializer))


def _of_django(task_id: str) -> Stored:
    """Read the table of django-celery-results by plain SQL, whether that app is installed here or not."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(
                "SELECT status, result, traceback, content_type, content_encoding"
                " FROM django_celery_results_taskresult WHERE task_id = %s",
                [task_id],
            )
            row = cursor.fetchone()
        except DatabaseError as error:
            raise NoResult(
                _("The result backend cannot be used here: %(error)s") % {"error": error}
            ) from error
    if row is not None and row[3] != "application/json":
        raise NoResult(_unreadable(str(row[3])))
    return _of_row(row[:3] if row is not None else None, serializer="json")


def _of_row(row: Row | None, *, serializer: str) -> Stored:
    if row is None:
        raise NoResult(_absent())
    state, payload, traceback = row
    value = _decoded(payload, serializer=serializer) if payload is not None else None
    return Stored(state=str(state), value=_value(value), traceback=str(traceback or ""))


def _decoded(payload: object, *, serializer: str) -> object:
    """Return what JSON makes of stored bytes; raises NoResult for anything else."""
    if payload is None:
        raise NoResult(_absent())
    raw = payload.encode() if isinstance(payload, str) else bytes(payload)  # type: ignore[call-overload] # bytes or a view of them
    if raw.startswith(COMPRESSED):
        raw = _inflated(raw)
    if len(raw) > SIZE_MAX:
        raise NoResult(_too_big())
    if serializer != "json" or raw.startswith(PICKLE):
        raise NoResult(_unreadable("pickle" if raw.startswith(PICKLE) else serializer))
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise NoResult(_("The stored result is no JSON, so it is not shown.")) from error


def _inflated(raw: bytes) -> bytes:
    """Undo Celery's compression up to the size that is read at all, so that a small bomb stays small."""
    kind, _zero, body = raw[len(COMPRESSED) :].partition(b"\x00")
    if kind != GZIP:
        raise NoResult(_("The stored result is compressed in a way that is not read here."))
    try:
        return zlib.decompressobj().decompress(body, SIZE_MAX + 1)
    except zlib.error as error:
        raise NoResult(_("The stored result is damaged.")) from error


def _value(result: object) -> object:
    """Return the value, of an exception its name and what it says."""
    if isinstance(result, Mapping) and "exc_type" in result:
        said = result.get("exc_message")
        words = ", ".join(map(str, said)) if isinstance(said, list | tuple) else str(said)
        return f"{result['exc_type']}: {words}"
    return result


def _absent() -> str:
    return _(
        "The backend keeps nothing under this task id: the task has not ended, or its result has expired."
    )


def _too_big() -> str:
    return _("The stored result is larger than %(n)d KB, so it is not read.") % {"n": SIZE_MAX // 1024}


def _unreadable(kind: str) -> str:
    if "pickle" in kind or "python-serialize" in kind:
        return _("The result is stored as a pickle. Reading one can run code, so this page never does.")
    return _("The result is stored as %(kind)s. Only JSON is read here.") % {"kind": kind[:60]}
