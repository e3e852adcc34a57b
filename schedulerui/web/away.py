"""What a page shows while the database is away: a sentence that needs no database itself."""

from __future__ import annotations

import logging
import re

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from schedulerui.presenters.trouble import trouble_of

logger = logging.getLogger(__name__)

MISSING = re.compile(r"\bschedulerui_[a-z]+(?:\.[a-z_]+)?\b")
RETRY_AFTER = 5
"""Seconds after which it is worth asking again."""


def database_away(request: HttpRequest, error: Exception, *, is_fragment: bool) -> HttpResponse:
    """Return 503 with what to do; the reason goes to the log, since it may name servers and users: the page names our own tables only.

    Raises the error itself where a statement was wrong and the database is not behind.
    """
    behind, sentence = trouble_of(error)
    logger.error("The database did not answer %s: %s", request.path, error)
    if connection.settings_dict.get("ATOMIC_REQUESTS") and connection.in_atomic_block:
        transaction.set_rollback(True)  # nothing of a request that failed half way is kept
    is_look = request.method in {"GET", "HEAD"}
    missing = MISSING.search(str(error)) if behind else None
    context = {
        "status": 503,
        "is_behind": behind,
        "missing": missing[0] if missing else "",
        "sentence": sentence,
        "advice": _("Nothing is lost: the page comes back as soon as the database does.")
        if is_look and not behind
        else _("Nothing is lost: the page comes back as soon as they are.")
        if is_look
        else _("Look how things stand before you do it again: it may or may not have been done."),
        "again": request.get_full_path() if is_look else reverse("schedulerui:overview"),
    }
    template = "schedulerui/errors/_away.html" if is_fragment else "schedulerui/errors/away.html"
    # Without the request: a host's context processors may ask the database too.
    text = render_to_string(template, context)
    return HttpResponse(text, status=503, headers={"Retry-After": str(RETRY_AFTER)})
