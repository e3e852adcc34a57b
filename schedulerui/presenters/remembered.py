"""What pages show that is too dear to compute for each look at them, and changes slowly: remembered in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

T = TypeVar("T")
FRESH_FOR = timedelta(minutes=1)
N_CHEAP = 2_000
"""Schedules up to which an answer about all of them may be computed again whenever one changes."""
MOST = 128
"""Most answers that are kept: with an access filter, each person has some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    value: Any
    stamp: object
    at: datetime


_kept: dict[tuple[str, str], _Kept] = {}
_lock = threading.Lock()


def forget() -> None:
    """Forget all of it; tests do, for their rows come and go."""
    with _lock:
        _kept.clear()


class Look:
    """One look at a page at ``now`` by somebody of a scope: at most one answer that has grown old is computed for it."""

    def __init__(self, *, now: datetime, scope: str) -> None:
        self.now, self.scope = now, scope
        self._has_turned = False

    def take_turn(self) -> bool:
        """Return whether nothing old was computed for it yet, and note that something is."""
        is_first, self._has_turned = not self._has_turned, True
        return is_first


class Remembered(Generic[T]):
    """One answer for each scope, computed anew when a minute has passed; and when ``stamp`` moves, where that is cheap."""

    def __init__(self, name: str, *, is_cheap: Callable[[T], bool] = lambda _value: False) -> None:
        self._name, self._is_cheap = name, is_cheap

    def get(self, compute: Callable[[], T], look: Look, *, stamp: object = None) -> T:
        """Return the answer. An old one is good enough where this look has had its turn, or another computes it now."""
        key = (self._name, look.scope)
        with _lock:
            known = _kept.get(key)
            if known is not None:
                if not self._is_due(known, stamp, look):
                    return known.value  # type: ignore[no-any-return] # it is what this name's compute returned
                _kept[key] = replace(known, at=look.now)
        value = compute()
        with _lock:
            _kept[key] = _Kept(value=value, stamp=stamp, at=look.now)
            while len(_kept) > MOST:
                del _kept[next(iter(_kept))]
        return value

    def _is_due(self, known: _Kept, stamp: object, look: Look) -> bool:
        if known.stamp != stamp and self._is_cheap(known.value):
            return True
        return not timedelta() <= look.now - known.at < FRESH_FOR and look.take_turn()
