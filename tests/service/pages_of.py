"""Show the pages of schedules to a person: ``python -m tests.service.pages_of poison`` prints what they say as JSON."""

from __future__ import annotations

import html
import json
import sys

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402 - Django has to be set up first
from django.test import Client  # noqa: E402

from schedulerui import clock  # noqa: E402
from schedulerui.models.damaged import read_schedule  # noqa: E402
from schedulerui.models.schedule import Schedule  # noqa: E402
from schedulerui.presenters.schedules import schedule_row  # noqa: E402


def main() -> None:
    user, _ = User.objects.get_or_create(username="reader", is_superuser=True)
    client = Client()
    client.force_login(user)
    told = {}
    wanted = Schedule.objects.filter(name__startswith=sys.argv[1])
    for pk, name, error in wanted.values_list("pk", "name", "error"):
        answer = client.get(f"/schedules/{pk}/")
        text = " ".join(html.unescape(answer.content.decode()).split())
        problem = schedule_row(read_schedule(pk), now=clock.now()).problem
        is_shown = bool(problem) and " ".join(problem.split())[:60] in text
        told[name] = {"status": answer.status_code, "error": error, "is_shown": is_shown}
    print(json.dumps(told))


main()
