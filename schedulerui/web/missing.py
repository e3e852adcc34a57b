"""A site's answer to an address that it does not have, for its `handler404`."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.defaults import page_not_found

from schedulerui.web.decorators import gate


def missing(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404: in the frame of the dashboard for people who are logged in, plainly for everybody else."""
    if not request.user.is_authenticated:
        return page_not_found(request, exception)
    return _in_the_frame(request)


@gate("view")
def _in_the_frame(request: HttpRequest) -> HttpResponse:
    raise Http404
