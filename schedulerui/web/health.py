"""Whether the process answers at all: open to everybody, and therefore silent about everything else."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@login_not_required
@never_cache
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer 200; asks neither the database nor the broker."""
    return HttpResponse("ok", content_type="text/plain")
