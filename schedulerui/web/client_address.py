"""From which address a request came: for the audit log, and for counting wrong passwords."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Return the address that a request came from, at most 45 characters.

    Behind the TLS proxy every connection comes from the proxy itself; the last entry of X-Forwarded-For is the one that this
    proxy has written. Whatever stands before it was written by the client and could be anything.
    """
    forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR", ""))
    if settings.SECURE_PROXY_SSL_HEADER and forwarded:
        return forwarded.rsplit(",", 1)[-1].strip()[:45]
    return str(request.META.get("REMOTE_ADDR") or "")[:45]
