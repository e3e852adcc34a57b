"""Ask every page of a database without our tables, then of one with the first migration's: prints what they say as JSON."""

from __future__ import annotations

import json

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402 - Django has to be set up first
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402

KEY = "11111111-1111-1111-1111-111111111111"
ADDRESSES = (
    "/", "/schedules/", "/schedules/?q=night", "/schedules/1/", "/schedules/1/edit/", "/schedules/new/", "/runs/", f"/runs/{KEY}/",
    "/timeline/", "/timeline/?span=7d", "/workers/", "/audit/", "/alerts/", "/about/", "/live/schedules/?have=schedule-1:0",
    "/complete/?of=schedules&q=task:",
)  # fmt: skip
"""Pages and fragments that read tables."""
FOR_MACHINES = ("/readyz", "/metrics", "/health.json")


def asked(client: Client) -> dict[str, tuple[int, str]]:
    answers = {address: client.get(address) for address in (*ADDRESSES, *FOR_MACHINES)}
    return {address: (answer.status_code, answer.content.decode()) for address, answer in answers.items()}


def main() -> None:
    for app in ("auth", "sessions"):
        call_command("migrate", app, verbosity=0)
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("owner"))
    told = {"without": asked(client)}
    call_command("migrate", "schedulerui", "0001", verbosity=0)
    told["behind"] = asked(client)
    print(json.dumps(told))


main()
