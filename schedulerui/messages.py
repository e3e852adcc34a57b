"""The short way from a run to its message: what ``apply_async`` does for plain options, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary, ref

from celery import Celery, Task
from celery.app.task import extract_exec_options  # type: ignore[attr-defined]  # missing in the stubs
from celery.utils.nodenames import anon_nodename
from kombu import Producer

from schedulerui import clock
from schedulerui.models import Run

DECLARE_EVERY = 10.0
"""Seconds between two declarations of one queue on one connection."""
PLAIN_OPTIONS = frozenset(
    {
        "queue", "exchange", "routing_key", "priority", "expires", "soft_time_limit", "time_limit", "ignore_result",
        "headers", "retry", "retry_policy", "serializer", "compression",
    }
)  # fmt: skip
"""Options that the short way knows. Anything else (a countdown, links, stamps) goes through ``apply_async`` itself."""
RETRY_POLICY: Mapping[str, int] = {"max_retries": 1, "interval_start": 0, "interval_step": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class _TaskFacts:
    """What is the same for all messages of a task."""

    task: Any
    is_plain: bool
    check: Callable[..., object] | None
    """Raises TypeError for arguments that the task's function does not take."""
    has_shadow: bool
    options: Mapping[str, Any]


class Way:
    """What is the same for all messages of one producer; kept as long as the producer is."""

    def __init__(self, producer: Producer, target: Celery) -> None:
        self._producer = ref(producer)
        self._target, self._conf = target, target.conf
        self._tasks: dict[str, _TaskFacts] = {}
        self._declared: dict[str, float] = {}
        self._is_eager = bool(target.conf.task_always_eager)
        self._sends_events = bool(target.conf.task_send_sent_event)
        self._origin = anon_nodename()
        self._default_to: dict[str, Any] | None = None

    def is_of(self, target: Celery) -> bool:
        """Return whether it was made for this application and its present settings."""
        return self._target is target and self._conf is target.conf

    def is_plain(self, task: Any, options: Mapping[str, Any]) -> bool:
        """Return whether the message can be prepared the short way, which must be the same message (a test compares them)."""
        if self._is_eager or self._target.current_worker_task or not options.keys() <= PLAIN_OPTIONS:
            return False
        return task is None or self._facts(task).is_plain

    def send(self, run: Run, task: Any, options: dict[str, Any]) -> None:
        """Do what ``Task.apply_async`` and ``Celery.send_task`` (5.5 to 5.7) do for plain options.

        They cost a result object and a declaration of the queue for each message; here a queue is declared once a connection.
        """
        target, producer = self._target, self._producer()
        shadow = None
        if task is not None:
            facts = self._facts(task)
            if facts.check is not None:
                facts.check(*run.args, **run.kwargs)
            if facts.has_shadow:
                shadow = task.shadow_name(run.args, run.kwargs, options)
            options = {**facts.options, **options}
            options.setdefault("ignore_result", task.ignore_result)
        limits = options.pop("time_limit", None), options.pop("soft_time_limit", None)
        expires, ignore_result = options.pop("expires", None), options.pop("ignore_result", None)
        options = self._routed(run, task, options)
        if expires is not None:
            options["expiration"] = max((expires - target.now()).total_seconds(), 0)
        message = target.amqp.create_task_message(
            run.task_id,
            run.task,
            args=run.args,
            kwargs=run.kwargs,
            expires=expires,
            reply_to=target.thread_oid,
            time_limit=limits[0],
            soft_time_limit=limits[1],
            create_sent_event=self._sends_events,
            shadow=shadow,
            ignore_result=ignore_result,
            origin=self._origin,
            argsrepr=None if run.args else "()",
            kwargsrepr=None if run.kwargs else "{}",
            **options,
        )
        # The backend is not told of it: Redis' would subscribe to the result, which nobody here waits for or ever lets go of.
        target.amqp.send_task_message(
            producer, run.task, message, declare=self._to_declare(options), **options
        )

    def _facts(self, task: Any) -> _TaskFacts:
        known = self._tasks.get(task.name)
        if known is None or known.task is not task:
            known = self._tasks[task.name] = _facts_of(task)
        return known

    def _routed(self, run: Run, task: Any, options: dict[str, Any]) -> dict[str, Any]:
        """Do what Celery's router does; without routes and without a queue of its own each message goes to the default one."""
        router: Any = self._target.amqp.router
        if router.routes or options.get("queue"):
            routed: dict[str, Any] = router.route(options, run.task, run.args, run.kwargs, task)
            return routed
        if self._default_to is None:
            self._default_to = router.expand_destination(self._target.conf.task_default_queue)
        options.pop("queue", None)
        return {
            **self._default_to,
            **{name: value for name, value in options.items() if value is not None},
        }

    def _to_declare(self, options: Mapping[str, Any]) -> list[Any] | None:
        """Return what to declare with this message: None for Celery's own choice, nothing if it was declared a moment ago.

        A queue that somebody deletes under us is there again after DECLARE_EVERY seconds, and at once on a new connection.
        """
        queue = options.get("queue")
        exchange_type = getattr(getattr(queue, "exchange", None), "type", None)
        if queue is None or exchange_type != "direct":
            return None
        now = clock.monotonic()
        if now - self._declared.get(queue.name, -DECLARE_EVERY) < DECLARE_EVERY:
            return []
        self._declared[queue.name] = now
        return None


_ways: WeakKeyDictionary[Producer, Way] = WeakKeyDictionary()


def way_of(producer: Producer, target: Celery) -> Way:
    """Return the short way of this producer."""
    known = _ways.get(producer)
    if known is None or not known.is_of(target):
        known = _ways[producer] = Way(producer, target)
    return known


def _facts_of(task: Any) -> _TaskFacts:
    needs_more = getattr(task, "__v2_compat__", False) or getattr(task, "_dump_pydantic_arguments", None)
    has_own_send = type(task).apply_async is not Task.apply_async
    has_limits = task.soft_time_limit or task.time_limit or task.expires
    return _TaskFacts(
        task=task,
        is_plain=not (needs_more or has_own_send or has_limits),
        check=getattr(task, "__header__", None) if task.typing else None,
        has_shadow=getattr(task.shadow_name, "__func__", None) is not Task.shadow_name,
        options=extract_exec_options(task),
    )


def message_options(run: Run) -> dict[str, Any]:
    """Return the keyword arguments of ``apply_async`` for a run, with a fresh headers dictionary (Celery writes into it)."""
    options: dict[str, Any] = dict(run.options)
    expires = options.get("expires")
    if isinstance(expires, str):
        options["expires"] = datetime.fromisoformat(expires)
    if run.queue:
        options["queue"] = run.queue
    options["headers"] = {
        **run.headers,
        "periodic_task_name": run.schedule_name,
        "schedulerui": {
            "run": str(run.uuid),
            "schedule": run.schedule_name,
            "nominal": run.nominal_at.isoformat() if run.nominal_at else None,
            "version": run.schedule_version,
            **_also(run),
        },
    }
    options.setdefault("retry", True)
    options.setdefault("retry_policy", dict(RETRY_POLICY))
    return options


def _also(run: Run) -> dict[str, str]:
    """Return what only some headers say, so that the others stay short."""
    also: dict[str, str] = {}
    if run.previous_nominal_at is not None:
        also["previous_nominal"] = run.previous_nominal_at.isoformat()
    if run.delivery_mode != "at_least_once":
        also["delivery"] = run.delivery_mode
    return also
