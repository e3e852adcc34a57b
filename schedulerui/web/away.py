"""What a page shows while the database is away: a sentence that needs no database itself."""

from __future__ import annotations

import logging

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

logger = logging.getLogger(__name__)

AWAY: tuple[type[DatabaseError] | type[InterfaceError], ...] = (OperationalError, InterfaceError)
"""No connection, a broken one, a lock that was not given in time; also tables that no migration has made yet."""
BEHIND = ("no such table", "no such column", "unknown column")
"""What SQLite and MariaDB say of tables that are not of this version."""
RETRY_AFTER = 5
"""Seconds after which it is worth asking again."""


def database_away(request: HttpRequest, error: Exception, *, is_fragment: bool) -> HttpResponse:
    """Return 503 with what to do; the reason goes to the log only, since it may name servers and users."""
    logger.error("The database did not answer %s: %s", request.path, error)
    if connection.settings_dict.get("ATOMIC_REQUESTS") and connection.in_atomic_block:
        transaction.set_rollback(True)  # nothing of a request that failed half way is kept
    is_look = request.method in {"GET", "HEAD"}
    is_behind = any(words in str(error).lower() for words in BEHIND)
    context = {
        "status": 503,
        "is_behind": is_behind,
        "sentence": _("The tables of the database are not those of this version: migrations are to be run.")
        if is_behind
        else _("The database does not answer, or is too busy to answer in time."),
        "advice": _("Nothing is lost: the page comes back as soon as the database does.")
        if is_look
        else _("Look how things stand before you do it again: it may or may not have been done."),
        "again": request.get_full_path() if is_look else reverse("schedulerui:overview"),
    }
    template = "schedulerui/errors/_away.html" if is_fragment else "schedulerui/errors/away.html"
    # Without the request: a host's context processors may ask the database too.
    text = render_to_string(template, context)
    return HttpResponse(text, status=503, headers={"Retry-After": str(RETRY_AFTER)})
