"""Whether each process of the site answers: asked at the start until all of them do."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError

from schedulerui.models import Beat
from schedulerui.site.celery import app
from schedulerui.site.supervision import Child, Site

ANSWER_WITHIN = 2.0
"""Seconds in which one question must be answered."""

CLOCKS_APART = timedelta(minutes=5)
"""How far the database's clock may be from this machine's; only a row left under the same process id is older."""


def waiting_for(site: Site, children: Mapping[str, Child], *, ready: set[str], since: datetime) -> set[str]:
    """Return the names of the processes that do not answer yet; those in ``ready`` are not asked again."""
    questions: dict[str, Callable[[], bool]] = {
        "broker": lambda: _listens(site),
        "web": lambda: _is_ok(f"{site.web_url}healthz", host=_allowed_host(site)),
        "flower": lambda: _is_ok(f"{site.flower_url}healthcheck"),
        "beat": lambda: _has_ticked(children["beat"].pid, since=since),
        "worker": lambda: _is_pinged(site),
        "monitor": lambda: children["monitor"].state == "RUNNING",
    }
    return {name for name in children if name not in ready and not questions[name]()}


def _listens(site: Site) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_WITHIN)
        try:
            connection.connect(str(site.home.broker_socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")  # "-LOADING" while it reads its log
        except OSError:
            return False


def _allowed_host(site: Site) -> str:
    """Return a host name that the site answers to, for a question that comes by address."""
    allowed = [host.removeprefix(".") for host in settings.ALLOWED_HOSTS]
    return site.web_host if "*" in allowed or site.web_host in allowed or not allowed else allowed[0]


def _is_ok(url: str, *, host: str = "") -> bool:
    parts = urlsplit(url)
    link = HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_WITHIN)
    try:
        link.request("GET", parts.path, headers={"Host": host} if host else {})
        return link.getresponse().status == 200  # noqa: PLR2004 - HTTP's number
    except (OSError, HTTPException):
        return False
    finally:
        link.close()


def _has_ticked(pid: int, *, since: datetime) -> bool:
    """Return whether this beat process has written its row: it has then seen the database."""
    try:
        return pid > 0 and Beat.objects.filter(pid=pid, seen_at__gte=since - CLOCKS_APART).exists()
    except DatabaseError:
        return False


def _is_pinged(site: Site) -> bool:
    try:
        return bool(app.control.ping(destination=[site.worker_node], timeout=ANSWER_WITHIN, limit=1))
    except Exception:  # noqa: BLE001 - each transport has exceptions of its own; all of them mean "not yet"
        return False
