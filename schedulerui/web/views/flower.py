"""Flower behind the dashboard's login: the same pages, under our address, our permissions and our policy."""

from __future__ import annotations

import base64
import hashlib
import logging
from urllib.parse import urlsplit

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from schedulerui.access import may_know_all
from schedulerui.web import flower_proxy
from schedulerui.web.csp import dress
from schedulerui.web.decorators import error_page, refuse
from schedulerui.web.flower_links import linked
from schedulerui.web.flower_proxy import FlowerUnavailable

logger = logging.getLogger(__name__)

READING = frozenset({"GET", "HEAD"})

# Flower's one inline script, on its first page, with and without auto refresh, as Tornado sends it (white space is folded).
_INLINE = tuple(f"\nvar autorefresh = {choice};\n" for choice in (0, 1))
_HASHES = " ".join(
    f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'" for text in _INLINE
)
POLICY = (
    f"default-src 'none'; script-src 'self' {_HASHES}; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
"""What Flower's pages need: their own files, images inside the style sheet, and style attributes (its tables write them)."""


@login_not_required  # for hosts with LoginRequiredMiddleware: _refusal asks for the login itself, as every view's gate does
@csrf_exempt  # Flower's pages cannot carry Django's token: _refusal lets only our own pages change anything
@require_http_methods(["GET", "HEAD", "POST"])
def flower(request: HttpRequest, path: str = "") -> HttpResponseBase:
    """Hand the request on to Flower and its answer back; 503 with a sentence when Flower is not there."""
    refusal = _refusal(request)
    if refusal is not None:
        return dress(refusal)
    if not flower_proxy.is_plain(path):
        return dress(error_page(request, 404, sentence=_("There is nothing at this address.")))
    try:
        upstream = flower_proxy.upstream()
        _refuse_other_mount(upstream.prefix)
        answer = flower_proxy.ask(upstream, _question(request, path))
    except FlowerUnavailable as error:
        return _down(request, error)
    body, headers = linked(request, path, answer)
    response = StreamingHttpResponse(body, status=answer.status, headers=headers)
    return _guarded(response, is_asset=path.startswith("static/"))


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """Return the answer for those who may not do this, or do not ask from one of our pages; None for the others."""
    refusal = refuse(request, "view_values")
    if refusal is not None:
        return refusal
    if not may_know_all(request.user):
        sentence = _("Flower shows the tasks of all schedules, and your account may know of some only.")
        return error_page(request, 403, sentence=sentence)
    if request.method in READING:
        return None
    if not _is_same_origin(request):
        return error_page(request, 403, sentence=_("This request came from another site."))
    return refuse(request, "control_workers")


def _is_same_origin(request: HttpRequest) -> bool:
    """Return whether the browser says that the request comes from our own pages; silence is a no."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    try:
        return urlsplit(request.headers.get("Origin", "")).netloc == request.get_host()
    except ValueError:  # ``http://[::1`` and its like
        return False


def _refuse_other_mount(prefix: str) -> None:
    mount = reverse("schedulerui:flower")
    if prefix != mount:
        raise FlowerUnavailable(
            _("Flower makes its links below %(prefix)s, but is shown below %(mount)s.")
            % {"prefix": prefix, "mount": mount},
            remedy=_("Start Flower with --url_prefix=%(prefix)s and give FLOWER_URL the same path.")
            % {"prefix": mount.strip("/")},
        )


def _question(request: HttpRequest, path: str) -> flower_proxy.Question:
    return flower_proxy.Question(
        method=request.method or "GET",
        path=path,
        query=request.META.get("QUERY_STRING", ""),
        host=request.get_host(),
        headers=request.headers,
        body=b"" if request.method in READING else request.body,
    )


def _down(request: HttpRequest, error: FlowerUnavailable) -> HttpResponse:
    logger.warning("Flower is not available: %s", error.reason, extra={"action": "flower_down"})
    if _wants_page(request):
        context = {"reason": error.reason, "remedy": error.remedy}
        response = render(request, "schedulerui/errors/flower_down.html", context, status=503)
    else:
        response = HttpResponse(f"{error.reason} {error.remedy}\n", status=503, content_type="text/plain")
    response["Retry-After"] = "10"
    return dress(response)


def _wants_page(request: HttpRequest) -> bool:
    """Return whether a person waits for a page, and not a script for data or a page for one of its files."""
    destination = request.headers.get("Sec-Fetch-Dest")
    if destination is not None:
        return destination in {"document", "iframe", "frame"}
    is_script = request.headers.get("X-Requested-With") == "XMLHttpRequest"
    return "text/html" in request.headers.get("Accept", "") and not is_script


def _guarded(response: StreamingHttpResponse, *, is_asset: bool) -> StreamingHttpResponse:
    response["Content-Security-Policy"] = POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["X-Content-Type-Options"] = "nosniff"
    # Files are named by their content (?v=), so they may be kept; pages show values and may not.
    response["Cache-Control"] = "private, max-age=3600" if is_asset else "no-store"
    return response
