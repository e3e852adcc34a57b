"""What may stand in a schedule's ``options``: names and values that a message can be sent with, and nothing that is ours.

A person may set what is known to be harmless. Entries of the code keep what their broker understands and we do not know;
only what would take the sending out of our hands is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.utils.translation import gettext as _

COUNTDOWN_MAX = 31_536_000
"""Longest countdown, seconds: a year."""
SHADOW_MAX = 200
RETRIES_MAX = 100
"""Most tries of one publish; beat waits for them."""
RETRY_INTERVAL_MAX = 60
"""Longest wait between two of them, seconds."""

SERIALIZERS = ("json", "pickle", "yaml", "msgpack")
COMPRESSIONS = ("zlib", "gzip", "bzip2", "lzma", "brotli", "zstd")
DELIVERY_MODES = (1, 2, "transient", "persistent")

OF_THE_FORM = frozenset(
    {
        "queue", "exchange", "routing_key", "priority", "expires", "headers", "args", "kwargs", "soft_time_limit", "time_limit",
        "ignore_result",
    }
)  # fmt: skip
"""Names that have a field of their own."""
NEVER = frozenset({"task_id", "producer", "connection", "args", "kwargs", "headers"})
"""Names that no entry of the code may carry either: dispatch sets them itself."""


def problems_of(options: Mapping[str, object], *, is_code: bool) -> list[str]:
    """Return what is wrong with the options, in sentences; ``is_code``: they come from an entry of the code."""
    if is_code:
        return _problems_of_code(options)
    return [sentence for name, value in options.items() if (sentence := _problem(str(name), value))]


def _problem(name: str, value: object) -> str:
    if name in OF_THE_FORM:
        return _("“%(name)s” has a field of its own.") % {"name": name}
    known = _KNOWN.get(name)
    if known is None:
        words = _("“%(name)s” cannot be set here. Known are: %(known)s.")
        return words % {"name": name[:60], "known": ", ".join(sorted(_KNOWN))}
    is_valid, wanted = known
    if is_valid(value):
        return ""
    return _("“%(name)s” must be %(wanted)s.") % {"name": name, "wanted": wanted()}


def _problems_of_code(options: Mapping[str, object]) -> list[str]:
    words = _("“%(name)s” cannot be among the options: it is set for each message.")
    found = [words % {"name": name} for name in sorted(NEVER) if options.get(name) is not None]
    if not _is_bounded(options.get("retry_policy")):
        words = _("“retry_policy” must end: at most %(most)d tries, with at most %(seconds)d s between them.")
        found.append(words % {"most": RETRIES_MAX, "seconds": RETRY_INTERVAL_MAX})
    return found


def _is_bounded(policy: object) -> bool:
    """Return whether a policy ends within reason; what it leaves out is Celery's default, which does."""
    if policy is None:
        return True
    if not isinstance(policy, Mapping):
        return False
    tries = policy.get("max_retries", 0)
    intervals = [value for name, value in policy.items() if str(name).startswith("interval_")]
    is_counted = isinstance(tries, int) and _is_within(tries, RETRIES_MAX)
    return is_counted and all(_is_within(value, RETRY_INTERVAL_MAX) for value in intervals)


def _is_within(value: object, most: float) -> bool:
    """Return whether it is a number from 0 to ``most``; infinity and what is no number are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def _one_of(*names: object) -> tuple[Callable[[object], bool], Callable[[], str]]:
    def is_valid(value: object) -> bool:
        return not isinstance(value, bool | list | dict) and value in names

    return is_valid, lambda: _("one of %(names)s") % {"names": ", ".join(str(name) for name in names)}


_KNOWN: dict[str, tuple[Callable[[object], bool], Callable[[], str]]] = {
    "countdown": (
        lambda value: _is_within(value, COUNTDOWN_MAX),
        lambda: _("a number of seconds from 0 to %(most)d") % {"most": COUNTDOWN_MAX},
    ),
    "serializer": _one_of(*SERIALIZERS),
    "compression": _one_of(*COMPRESSIONS),
    "delivery_mode": _one_of(*DELIVERY_MODES),
    "mandatory": (lambda value: isinstance(value, bool), lambda: _("true or false")),
    "shadow": (
        lambda value: isinstance(value, str) and 0 < len(value) <= SHADOW_MAX,
        lambda: _("a name of at most %(most)d characters") % {"most": SHADOW_MAX},
    ),
}
"""What a person may set: whether a value will do, and what it must be."""
