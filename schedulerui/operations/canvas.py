"""Reading a canvas that a person or code gives: checked, with the place of what is wrong, and in our own plain form.

Celery's own dictionaries (``signature.__json__()``) are taken too and turned into ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from schedulerui import dispatch, dispatch_canvas
from schedulerui.canvas import Node, join, leaves, needs_backend
from schedulerui.operations import send_options

DEPTH_MAX = 8
TASKS_MAX = 100
NAME_MAX = 200
SECONDS_MAX = 2_147_483_647
SHAPES = ("task", "chain", "group", "chord")
CELERY_OWN = frozenset({"task_id", "parent_id", "root_id", "group_id", "group_index", "reply_to", "chord"})
"""Options that Celery writes into a signature when it is sent; they are made anew for each run."""
KEYS = {
    "task": {"type", "task", "args", "kwargs", "options", "immutable"},
    "chain": {"type", "steps"},
    "group": {"type", "steps"},
    "chord": {"type", "header", "body"},
}


class CanvasError(ValueError):
    """A canvas that cannot be stored: ``path`` says where (empty: the whole), the message what."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(
            _("At %(path)s: %(message)s") % {"path": path, "message": message} if path else message
        )
        self.path = path
        self.message = message


def read(value: object) -> dict[str, Any]:
    """Return a canvas in our form; the empty object stays empty: a plain task. Raises CanvasError."""
    if value == {}:
        return {}
    found = _node(value, "", depth=1)
    if found["type"] == "task":
        raise CanvasError("", _("A single task needs no canvas: name it as the task."))
    if len(leaves(found)) > TASKS_MAX:
        raise CanvasError("", _("It holds more than %(most)d tasks.") % {"most": TASKS_MAX})
    return found


def task_names(canvas: Node) -> list[str]:
    """Return the names of the tasks, each once, in the order of the canvas; nothing for a plain task."""
    return list(dict.fromkeys(leaf.task for leaf in leaves(canvas))) if canvas else []


def backend_problem(canvas: Node) -> str:
    """Return in a sentence that the app's result backend cannot run this canvas; empty when it can, or nobody can tell."""
    if not canvas or not needs_backend(canvas):
        return ""
    try:
        is_able = dispatch_canvas.can_join(dispatch.app())
    except dispatch.NoCeleryApp:
        return ""
    if is_able:
        return ""
    return _(
        "A chord, or a group with a step after it, needs a result backend, and the Celery app has none that can join tasks."
    )


def _node(value: object, path: str, *, depth: int) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise CanvasError(path, _('This must be an object, like {"type": "task", "task": "name"}.'))
    if depth > DEPTH_MAX:
        raise CanvasError(path, _("Nested deeper than %(most)d levels.") % {"most": DEPTH_MAX})
    given = value if "type" in value else _of_celery(value, path)
    shape = given["type"]
    if not isinstance(shape, str) or shape not in SHAPES:
        words = _("“type” must be one of %(names)s.")
        raise CanvasError(path, words % {"names": ", ".join(SHAPES)})
    unknown = sorted(str(key)[:60] for key in given.keys() - KEYS[shape])
    if unknown:
        raise CanvasError(path, _("A %(shape)s has no “%(name)s”.") % {"shape": shape, "name": unknown[0]})
    if shape == "task":
        return _task(given, path)
    if shape == "chord":
        header = _several(given.get("header"), join(path, "header"), path, depth=depth)
        body = _node(given.get("body"), join(path, "body"), depth=depth + 1)
        return {"type": "chord", "header": header, "body": body}
    return {"type": shape, "steps": _several(given.get("steps"), join(path, "steps"), path, depth=depth)}


def _several(value: object, place: str, path: str, *, depth: int) -> list[dict[str, Any]]:
    if not isinstance(value, list | tuple) or not value:
        raise CanvasError(place, _("This must be a list with at least one step."))
    if len(value) > TASKS_MAX:
        raise CanvasError(place, _("It holds more than %(most)d tasks.") % {"most": TASKS_MAX})
    return [_node(part, join(path, str(number)), depth=depth + 1) for number, part in enumerate(value)]


def _task(given: Mapping[str, Any], path: str) -> dict[str, Any]:
    name = given.get("task")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= NAME_MAX:
        words = _("“task” must be a task's name of at most %(most)d characters.")
        raise CanvasError(path, words % {"most": NAME_MAX})
    args, kwargs, options = (
        given.get(key) or kind() for key, kind in (("args", list), ("kwargs", dict), ("options", dict))
    )
    if not isinstance(args, list | tuple):
        raise CanvasError(path, _("“args” must be a list, like [1, 2]."))
    if not isinstance(kwargs, Mapping) or not isinstance(options, Mapping):
        raise CanvasError(path, _('“kwargs” and “options” must be objects, like {"key": "value"}.'))
    immutable = given.get("immutable", False)
    if not isinstance(immutable, bool):
        raise CanvasError(path, _("“immutable” must be true or false."))
    return {
        "type": "task",
        "task": name.strip(),
        "args": list(args),
        "kwargs": dict(kwargs),
        "options": _options(options, path),
        "immutable": immutable,
    }


def _options(given: Mapping[str, Any], path: str) -> dict[str, Any]:
    for name, value in given.items():
        known = _OPTIONS.get(str(name))
        problem = "" if known and known(value) else _problem(str(name), value, is_ours=known is not None)
        if problem:
            raise CanvasError(path, problem)
    return dict(given)


def _problem(name: str, value: object, *, is_ours: bool) -> str:
    if name in {"link", "link_error"}:
        return _("“%(name)s” is not kept: write what comes after as a chain.") % {"name": name}
    if is_ours:
        return _("“%(name)s” has a value that cannot be sent.") % {"name": name}
    return "".join(send_options.problems_of({name: value}, is_code=False))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= NAME_MAX


def _is_whole(most: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


_OPTIONS: dict[str, Callable[[object], bool]] = {
    "queue": _is_name,
    "exchange": _is_name,
    "routing_key": _is_name,
    "priority": _is_whole(255),
    "soft_time_limit": _is_whole(SECONDS_MAX),
    "time_limit": _is_whole(SECONDS_MAX),
}
"""Options of a part beside those that ``send_options`` knows."""


def _of_celery(value: Mapping[Any, Any], path: str) -> dict[str, Any]:
    """Turn Celery's dictionary of a signature into ours, one level of it."""
    shape, kwargs = value.get("subtask_type"), value.get("kwargs") or {}
    if shape is None and "task" in value:
        known = {key: value[key] for key in ("task", "args", "kwargs", "immutable") if key in value}
        return {"type": "task", **known, "options": _without_own(value.get("options"))}
    if not isinstance(kwargs, Mapping) or shape not in {"chain", "group", "chord"}:
        words = _("“type” must be one of %(names)s.")
        raise CanvasError(path, words % {"names": ", ".join(SHAPES)})
    if shape == "chord":
        header = kwargs.get("header")
        if isinstance(header, Mapping):
            inner = header.get("kwargs")
            header = inner.get("tasks") if isinstance(inner, Mapping) else None
        return {"type": "chord", "header": header, "body": kwargs.get("body")}
    return {"type": shape, "steps": kwargs.get("tasks")}


def _without_own(options: object) -> object:
    if not isinstance(options, Mapping):
        return options
    return {name: value for name, value in options.items() if name not in CELERY_OWN}
