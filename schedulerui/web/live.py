"""Answers to polls: only the parts of a page that look different from what the browser has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from schedulerui.web.responses import unchanged

MOST_CARRIED = 500
"""Parts that one poll may name; more are not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One element of a page: its id, what changes with its looks, and how to draw it anew."""

    id: str
    digest: str
    template: str
    context: Mapping[str, Any]


def carried(request: HttpRequest) -> dict[str, str]:
    """Return what the browser has: id to digest, from ``have=id:digest,id:digest``."""
    pairs = (pair.partition(":") for pair in request.GET.get("have", "").split(",")[:MOST_CARRIED])
    return {name: digest for name, colon, digest in pairs if colon and name}


def answer(request: HttpRequest, parts: Iterable[Part], *, gone: Iterable[str] = ()) -> HttpResponse:
    """Answer the parts that changed, out of band, and remove those ``gone``; 204 when there is nothing to say."""
    have = carried(request)
    changed = [part for part in parts if have.get(part.id) != part.digest]
    leaving = [name for name in gone if name in have]
    if not changed and not leaving:
        return unchanged()
    bodies = [render_to_string(part.template, {**part.context, "oob": True}, request) for part in changed]
    if leaving:
        bodies.append(render_to_string("schedulerui/components/_gone.html", {"ids": leaving}, request))
    return HttpResponse("\n".join(bodies))
