"""What a registered task takes, read from its function: nothing is imported by a person's text, nothing is called."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

from schedulerui import dispatch
from schedulerui.conf import settings

MOST = 20
"""Most parameters that are told."""
LONGEST = 40
"""Most characters of a default or an annotation."""
LARGEST = 128
"""Most bits of a number that is told: Python refuses to write out very long ones."""
ELSE = "…"


def parameters_of(task: str) -> str | None:
    """Return "(city, *, days: int = 3)"; None for a task that this process does not know or whose function tells nothing.

    A default is told only where it is a plain value and its name is not that of a secret.
    """
    found = _signature(task)
    if found is None:
        return None
    told = list(found.parameters.values())
    texts = [_text(each) for each in told[:MOST]]
    if len(told) > MOST:
        texts.append(ELSE)
    return f"({', '.join(_with_marks(told[:MOST], texts))})"


def misfit(task: str, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """Return why a task that this process knows does not take these values, in Python's words; empty if it does, or may."""
    found = _signature(task)
    if found is None:
        return ""
    try:
        found.bind(*args, **kwargs)
    except TypeError as error:
        return " ".join(str(error).split())[:200]
    return ""


def _signature(task: str) -> inspect.Signature | None:
    try:
        registered = dispatch.registered_task(task)
        return None if registered is None else inspect.signature(registered)
    except dispatch.NoCeleryApp:
        return None
    except Exception:  # noqa: BLE001 - a function may lie about itself in any way; a hint is worth no error page
        return None


def _text(parameter: inspect.Parameter) -> str:
    name = parameter.name
    if parameter.kind is parameter.VAR_POSITIONAL:
        return f"*{name}"
    if parameter.kind is parameter.VAR_KEYWORD:
        return f"**{name}"
    kind = _annotation(parameter.annotation)
    text = f"{name}: {kind}" if kind else name
    if parameter.default is parameter.empty:
        return text
    return (
        f"{text} = {_default(name, parameter.default)}"
        if kind
        else f"{text}={_default(name, parameter.default)}"
    )


def _annotation(annotation: object) -> str:
    """Return a class's name or the text that stands there; nothing of what would have to be asked for its words."""
    text = annotation.__name__ if type(annotation) is type else annotation
    if annotation is inspect.Parameter.empty or type(text) is not str:
        return ""
    return text if len(text) <= LONGEST else ""


def _default(name: str, value: object) -> str:
    is_secret = any(part.lower() in name.lower() for part in settings().REDACT)
    if is_secret or type(value) not in {bool, int, float, str, type(None)}:
        return ELSE
    if isinstance(value, int) and value.bit_length() > LARGEST:
        return ELSE
    text = repr(value)
    return text if len(text) <= LONGEST else ELSE


def _with_marks(parameters: Sequence[inspect.Parameter], texts: list[str]) -> list[str]:
    """Return the texts with the star after which only names count."""
    kinds = [parameter.kind for parameter in parameters]
    only = inspect.Parameter.KEYWORD_ONLY
    if only in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
        place = kinds.index(only)
        return [*texts[:place], "*", *texts[place:]]
    return texts
