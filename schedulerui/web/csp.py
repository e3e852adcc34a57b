"""The headers that every answer of the dashboard carries."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.cache import patch_cache_control, patch_vary_headers

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
"""Nothing inline, nothing from elsewhere, no frame but the host's own (a CMS shows pages in an overlay)."""


def dress(response: HttpResponse) -> HttpResponse:
    """Set policy, caching and framing; what a view has set itself stays."""
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers.setdefault("X-Frame-Options", "SAMEORIGIN")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    patch_vary_headers(response, ["HX-Request", "Cookie"])
    if not response.has_header("Cache-Control"):
        # no-store: after a logout the back button must not show arguments and results again.
        patch_cache_control(response, private=True, no_store=True)
    return response
