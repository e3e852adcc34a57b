"""Arguments, results and tracebacks as a page may show them: secrets covered, and never more than 64 KB."""

from __future__ import annotations

import ast
import json
import pprint
from collections.abc import Mapping
from dataclasses import dataclass

from schedulerui.models import Run
from schedulerui.operations.masking import masked
from schedulerui.presenters.tracebacks import folded
from schedulerui.presenters.values import printable, redact

SHOWN_LIMIT = 65_536
TIDIED_LIMIT = 20_000
"""Most characters of a result that are read to lay it out; recorders keep fewer by default."""
LINE = 100
"""A result that fits into a line of so many characters is left as it is."""
GIVEN = ("args", "kwargs", "headers", "options")
CAME = ("result", "exception", "traceback", "log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A piece of preformatted text, how many characters of it are not shown, and a traceback without libraries' frames."""

    key: str
    text: str
    n_hidden: int = 0
    folded: str = ""


def block(key: str, text: str) -> Block:
    """Return text cut to what a page shows."""
    return Block(key=key, text=text[:SHOWN_LIMIT], n_hidden=max(0, len(text) - SHOWN_LIMIT))


def traceback_block(text: str) -> Block:
    """Return a traceback as it is, and as ``folded`` has it."""
    cut = block("traceback", text)
    return Block(key=cut.key, text=cut.text, n_hidden=cut.n_hidden, folded=folded(cut.text))


def blocks_of(run: Run) -> list[Block]:
    """Return what was given to a run and what came of it; empty parts are left out."""
    return blocks_of_texts({key: text_of(run, key) for key in (*GIVEN, *CAME)})


def blocks_of_texts(texts: Mapping[str, str]) -> list[Block]:
    """Return a block for each text; empty ones are left out."""
    return [
        traceback_block(text) if key == "traceback" else block(key, text)
        for key, text in texts.items()
        if text
    ]


def texts_of_stored(value: object, traceback: str) -> dict[str, str]:
    """Return what a result backend keeps, whole, laid out and with secrets covered."""
    result = masked(value) if isinstance(value, str) else _as_json(value)
    return {"result": result, "traceback": masked(traceback)}


def text_of(run: Run, key: str) -> str:
    """Return one of a run's values whole, laid out and with secrets covered; empty where there is none. Raises KeyError."""
    if key in GIVEN:
        value = getattr(run, key)
        return _as_json(value) if value else ""
    if key not in CAME:
        raise KeyError(key)
    return told(key, getattr(run, key))


def told(key: str, text: str) -> str:
    """Return what a task returned (``key`` is ``result``), raised or wrote, with secrets covered."""
    return tidied(text) if key == "result" else masked(text)


def tidied(result: str) -> str:
    """Return what a task returned, which is kept as Python writes it, on lines of its own; what is no plain value stays."""
    value = _literal(result)
    if value is None:
        value = _json(result)
    if value is None:
        return masked(result)
    covered = redact(value)
    if covered == value and len(result) <= LINE:
        return result
    return pprint.pformat(covered, width=LINE, compact=True, sort_dicts=False)


def _literal(text: str) -> object:
    """Return the list, tuple or dictionary that a text is written of, None for all else. Nothing is ever executed."""
    if text[:1] not in {"{", "[", "("} or len(text) > TIDIED_LIMIT:
        return None
    try:
        found: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return found if isinstance(found, dict | list | tuple) else None


def _json(text: str) -> object:
    if text[:1] not in {"{", "["} or len(text) > TIDIED_LIMIT:
        return None
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found


def _as_json(value: object) -> str:
    return printable(json.dumps(redact(value), indent=2, ensure_ascii=False, default=str))
