"""The way back: a link from each page of Flower to the page here that tells of the same, or to the overview."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from schedulerui.access import visible
from schedulerui.models import Run, Worker
from schedulerui.web.flower_proxy import CHUNK, Answer, Body

MARK = b'<ul class="app-nav navbar-nav">'
"""Where Flower's list of pages begins; in a page without it there is no link."""
LOOKED_AT = 8 * 1024
"""Bytes of a page in which the list begins."""
NAME_MAX = 255


class Linked:
    """The pieces of a page with one link more, as they come; can be read once."""

    def __init__(self, body: Body, link: bytes) -> None:
        self._body, self._link = body, link

    def __iter__(self) -> Iterator[bytes]:
        pieces, head = iter(self._body), b""
        for piece in pieces:
            head += piece
            if MARK in head or len(head) >= LOOKED_AT:
                break
        before, mark, after = head.partition(MARK)
        head = before + mark + (self._link if mark else b"") + after
        for start in range(0, len(head), CHUNK):
            yield head[start : start + CHUNK]
        yield from pieces

    def close(self) -> None:
        self._body.close()


def linked(request: HttpRequest, path: str, answer: Answer) -> tuple[Body | Linked, dict[str, str]]:
    """Return the body and headers of an answer, a page of Flower's with the way back in it."""
    is_page = answer.headers.get("Content-Type", "").startswith("text/html")
    if request.method != "GET" or answer.status != 200 or not is_page:  # noqa: PLR2004 - HTTP's number
        return answer.body, answer.headers
    # The length is that of the page without the link; the tag still tells whether Flower changed its page.
    headers = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
    return Linked(answer.body, _link(request, path).encode()), headers


def _link(request: HttpRequest, path: str) -> str:
    url, words = _way_back(request, path)
    item = '<li class="nav-item"><a class="nav-link" href="{}">{}</a></li>'
    return format_html(item, url, words)


def _way_back(request: HttpRequest, path: str) -> tuple[str, str]:
    kind, _slash, name = path.partition("/")
    if kind == "task" and 0 < len(name) <= NAME_MAX:
        run = visible(request.user, Run.objects.filter(task_id=name)).values_list("uuid", flat=True).first()
        if run is not None:
            return reverse("schedulerui:run", args=[run]), _("This run in Schedules")
    if kind == "worker" and 0 < len(name) <= NAME_MAX:
        newest = Worker.objects.filter(hostname=name).order_by("-started_at")
        instance = newest.values_list("instance", flat=True).first()
        if instance is not None:
            return reverse("schedulerui:worker", args=[instance]), _("This worker in Schedules")
    return reverse("schedulerui:overview"), _("Back to Schedules")
