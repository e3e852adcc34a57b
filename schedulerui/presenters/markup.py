"""``format_html`` for lines of long lists: what Django's does, without what it does for values that are neither text nor markup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from django.utils.safestring import SafeString


def format_html(text: str, /, *values: object, **named: object) -> SafeString:
    """Return ``text`` with the values in their places; all that is not marked as safe is escaped."""
    return SafeString(
        text.format(*map(escaped, values), **{name: escaped(value) for name, value in named.items()})
    )


def format_html_join(between: str, text: str, rows: Iterable[Iterable[object]]) -> SafeString:
    """Return ``text`` once for the values of each row."""
    return SafeString(escaped(between).join(text.format(*map(escaped, values)) for values in rows))


def escaped(value: object) -> str:
    """Return a value as text that stands between tags or in an attribute; markup that is marked as safe as it is."""
    return value if isinstance(value, SafeString) else escape(str(value))
