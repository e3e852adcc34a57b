"""The gate before every view: login, permission, method, and the headers of every answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings as django_settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_protect
from django_htmx.middleware import HtmxDetails

from schedulerui.access import PERMISSIONS, may
from schedulerui.presenters.frame import ZONE_COOKIE
from schedulerui.presenters.moments import shown_in, zone_chosen
from schedulerui.presenters.trouble import AWAY
from schedulerui.web.away import database_away
from schedulerui.web.csp import dress
from schedulerui.web.found import Refused

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

SENTENCES = {
    "view": _("Your account may not see schedules."),
    "operate": _("Your account may not enable, pause or run schedules."),
    "add": _("Your account may not create schedules."),
    "change": _("Your account may not edit schedules."),
    "delete": _("Your account may not delete schedules."),
    "run_custom": _("Your account may not run schedules with other arguments."),
    "view_values": _("Your account may not see arguments and results."),
    "control_workers": _("Your account may not control workers."),
    "view_audit": _("Your account may not see the audit log."),
    "view_metrics": _("Your account may not see totals over all schedules."),
}


def gate(verb: str, *, methods: Sequence[str] = ()) -> Callable[[View[P]], View[P]]:
    """Let only those through who are logged in and may ``verb``; ``methods``: the only ones allowed (empty: the view decides).

    Nobody logged in: the login page, for htmx as 401 with ``HX-Redirect``. No permission: 403 with a sentence. A row that
    does not exist: our 404. The database is away, also in the middle: 503. Every answer gets the policy and cache headers.
    """
    if verb not in PERMISSIONS:
        message = f"there is no permission for {verb!r}"
        raise KeyError(message)

    def decorate(view: View[P]) -> View[P]:
        guarded: View[P] = csrf_protect(view)

        @wraps(view)
        def wrapper(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            htmx_of(request)
            if methods and request.method not in methods:
                return dress(HttpResponseNotAllowed(methods))
            with shown_in(zone_chosen(request.COOKIES.get(ZONE_COOKIE, ""))):
                try:
                    return dress(refuse(request, verb) or _said(guarded, request, *args, **kwargs))
                except AWAY as error:
                    return dress(database_away(request, error, is_fragment=bool(htmx_of(request))))

        # A host with LoginRequiredMiddleware: the gate asks for the login itself, and htmx gets an answer it understands.
        wrapper.login_required = False  # type: ignore[attr-defined] # how Django marks views that look after it themselves
        return wrapper

    return decorate


def _said(view: View[P], request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
    """Return the view's answer, or in a sentence why there is none."""
    try:
        return view(request, *args, **kwargs)
    except Http404 as missing:
        return not_found(request, missing)
    except Refused as refused:
        return error_page(request, 403, sentence=SENTENCES[refused.verb])


def htmx_of(request: HttpRequest) -> HtmxDetails:
    """Return what htmx told of itself; works in hosts without its middleware."""
    details: HtmxDetails | None = getattr(request, "htmx", None)
    if details is None:
        details = HtmxDetails(request)
        request.htmx = details  # type: ignore[attr-defined] # as HtmxMiddleware does
    return details


def refuse(request: HttpRequest, verb: str) -> HttpResponse | None:
    """Return the answer for somebody who may not ``verb``; None for those who may."""
    if not request.user.is_authenticated:
        return _to_login(request)
    if may(request.user, verb):
        return None
    return error_page(request, 403, sentence=SENTENCES[verb])


def not_found(request: HttpRequest, missing: Http404) -> HttpResponse:
    """Return our 404, which says what to do next."""
    return error_page(
        request,
        404,
        sentence=_("There is nothing at this address. It may have been deleted."),
        reason=str(missing),
    )


def error_page(
    request: HttpRequest, status: int, *, sentence: object, reason: str = "", back: str = ""
) -> HttpResponse:
    """Return an error as a page, for htmx as a fragment; ``back`` is the address of the list that one came from."""
    template = "schedulerui/errors/_error.html" if htmx_of(request) else "schedulerui/errors/error.html"
    context = {"status": status, "sentence": sentence, "reason": reason, "back": back}
    return render(request, template, context, status=status)


def _to_login(request: HttpRequest) -> HttpResponse:
    htmx = htmx_of(request)
    here = page_of(htmx) if htmx else request.get_full_path()
    if not here or (request.method not in ("GET", "HEAD") and not htmx):
        here = reverse("schedulerui:overview")
    redirect = redirect_to_login(here, resolve_url(django_settings.LOGIN_URL))
    if not htmx:
        return redirect
    return HttpResponse(status=401, headers={"HX-Redirect": redirect.url})


def page_of(htmx: HtmxDetails) -> str | None:
    """Return the address of the page that htmx asks from; None when it is none of ours, or no address at all."""
    try:
        path = htmx.current_url_abs_path
    except ValueError:  # ``http://[::1`` and its like
        return None
    return None if path and path.startswith("//") else path  # two slashes lead to another host
