"""Answers that several views give: notices, redirects, who is asking, back to where one came from."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.encoding import iri_to_uri
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import trigger_client_event

from schedulerui.facts import Actor
from schedulerui.presenters import digest
from schedulerui.presenters.frame import UNDO_TAG
from schedulerui.web.client_address import client_address
from schedulerui.web.decorators import htmx_of, page_of

__all__ = [
    "SeeOther",
    "actor_of",
    "back_from",
    "back_of_page",
    "back_to",
    "digest",
    "remember",
    "see_other",
    "text_file",
    "unchanged",
    "wants_it_beside",
    "with_message",
    "with_notice",
]  # fmt: skip

A_YEAR = 365 * 24 * 3600
"""Seconds."""
Response = TypeVar("Response", bound=HttpResponse)
LEVELS = {"ok": messages.SUCCESS, "warn": messages.WARNING, "fail": messages.ERROR}


def wants_it_beside(request: HttpRequest) -> bool:
    """Return whether a run is asked for even if one of its schedule is active."""
    return request.POST.get("even") == "yes"


class SeeOther(HttpResponseRedirect):
    """303: what was posted is done, look at it there."""

    status_code = 303


def see_other(request: HttpRequest, url: str) -> HttpResponse:
    """Send the browser on after a POST: 303, for htmx ``HX-Redirect``."""
    if htmx_of(request):
        return HttpResponse(headers={"HX-Redirect": iri_to_uri(url)})
    return SeeOther(url)


def remember(request: HttpRequest, cookie: str, chosen: str, *, is_known: bool) -> HttpResponse:
    """Go back where the form came from, and keep what was chosen in a cookie for a year where it is one of the choices."""
    response = see_other(request, back_from(request))
    if is_known:
        response.set_cookie(
            cookie, chosen, max_age=A_YEAR, httponly=True, samesite="Lax", secure=request.is_secure()
        )
    return response


def unchanged() -> HttpResponse:
    """Answer a poll that has nothing new to show: 204, which htmx never swaps."""
    return HttpResponse(status=204)


def actor_of(request: HttpRequest) -> Actor:
    """Return who is asking, for the audit log."""
    user = request.user
    return Actor(
        name=user.get_username()[:150],
        user_id=user.pk,
        via="browser",
        address=client_address(request),
    )


def with_notice(response: Response, text: str, *, kind: str = "ok", **more: str) -> Response:
    """Attach a notice that the page's script shows; ``kind`` is ok, warn or fail.

    Further parts: ``href`` and ``link`` of where to look, ``undo`` as the address that takes it back, with the ``target`` that
    its answer stands in.
    """
    payload = {"text": text, "kind": kind, **more}
    return trigger_client_event(response, "schedulerui:notice", payload)


def with_message(request: HttpRequest, text: str, *, kind: str = "ok", undo: str = "") -> None:
    """Leave a notice for the next full page; ``undo`` is the address that takes it back."""
    tags = f"{UNDO_TAG}{undo}" if undo else ""
    messages.add_message(request, LEVELS[kind], text, extra_tags=tags, fail_silently=True)


def text_file(name: str, text: str) -> HttpResponse:
    """Return a text to be saved and never shown by the browser; ``name`` is ours."""
    return HttpResponse(
        text.encode("utf-8", "backslashreplace"),
        content_type="text/plain; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


def back_of_page(request: HttpRequest) -> str:
    """Return the address of the page that the person sees: for htmx the one that asks."""
    here = page_of(htmx_of(request)) if htmx_of(request) else None
    return here or request.get_full_path()


def back_to(request: HttpRequest) -> str:
    """Return the address that a link to this page was followed from, for a form's ``back`` field; empty when it is not ours."""
    try:
        came = urlsplit(request.headers.get("Referer", ""))
    except ValueError:  # ``http://[::1`` and its like
        return ""
    if came.netloc != request.get_host() or came.path.startswith("//"):  # that would be another host
        return ""
    return f"{came.path}?{came.query}" if came.query else came.path


def back_from(request: HttpRequest, *, anchor: str = "") -> str:
    """Return the address in the form's ``back`` field if it is ours, else the list of schedules."""
    back = request.POST.get("back", "")
    is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts=None) and back.startswith("/")
    address = back.partition("#")[0] if is_ours else reverse("schedulerui:schedules")
    return f"{address}#{anchor}" if anchor else address
