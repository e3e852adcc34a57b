"""The task class that lets a run's body begin once, however often its message comes; imported before Django's apps are loaded."""

from __future__ import annotations

from typing import Any

from celery import Task


class ScheduledTask(Task):  # type: ignore[type-arg]  # Celery's class is generic in its stubs only
    """A base class or a mixin for a host's tasks: ``Celery(task_cls="schedulerui.recorder.guard:ScheduledTask")``.

    Messages that no schedule sent are let through without a look at the database.
    """

    abstract = True
    schedulerui_guards = True
    """Tells the recorder that the body begins only when the guard lets it, so that it waits with telling so."""

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Let the body begin, or raise Ignore: a duplicate, a run that was cancelled, one that must not be started in doubt."""
        # Here and not above: it loads the models, which are not there when a host makes its Celery app.
        from schedulerui.recorder import admission  # noqa: PLC0415 - models are not there before

        admission.admit(self)
        super().before_start(task_id, args, kwargs)
