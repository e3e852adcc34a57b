"""From which address a request came: for the audit log, and for counting wrong passwords."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

NETWORK = 64
"""Bits of an IPv6 address that one subscriber has for all of its own: the rest can be another with each guess."""
WITH_PORT = re.compile(r"^(?P<address>[^:]+|\[.+\]):\d+$")
"""``192.0.2.1:5000`` and ``[2001:db8::1]:5000``."""


def client_address(request: HttpRequest) -> str:
    """Return the address that a request came from, at most 45 characters.

    Behind the TLS proxy every connection comes from the proxy itself; the last entry of X-Forwarded-For is the one that this
    proxy has written. Whatever stands before it was written by the client and could be anything.
    """
    forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR", ""))
    if settings.SECURE_PROXY_SSL_HEADER and forwarded:
        return forwarded.rsplit(",", 1)[-1].strip()[:45]
    return str(request.META.get("REMOTE_ADDR") or "")[:45]


def counted_address(request: HttpRequest) -> str | None:
    """Return the address that a wrong password is counted for, of IPv6 its network's first; None for a connection without one.

    Some proxies write the port beside the address: that is another one with each connection, and not counted.
    """
    told = WITH_PORT.sub(r"\g<address>", client_address(request)).strip("[]")
    try:
        address = ip_address(told.partition("%")[0])
    except ValueError:
        return None
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), NETWORK), strict=False).network_address)
