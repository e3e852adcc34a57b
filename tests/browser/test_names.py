"""What a screen reader says of each control: a name, and no name twice on a page for what does different things."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import pytest

from schedulerui import clock
from schedulerui.models import Alert, Run, Worker
from tests.browser.chromium import settled
from tests.browser.test_pages import rows, visit

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CONTROLS = {"button", "checkbox", "combobox", "disclosuretriangle", "link", "radio", "searchbox", "spinbutton", "switch", "textbox"}  # fmt: skip
DOES = """node => {
  const form = node.form && (node.getAttribute("formaction") || node.form.getAttribute("action"));
  return [form, node.name, node.value, node.id].join(" ");
}"""


def problems(page):
    """Controls without a name, and names that stand for different things; a link is also told by what stands around it."""
    talk = page.context.new_cdp_session(page)
    by_name = defaultdict(list)
    for node in talk.send("Accessibility.getFullAXTree")["nodes"]:
        role = node.get("role", {}).get("value", "").lower()
        if role in CONTROLS and not node.get("ignored"):
            by_name[role, node.get("name", {}).get("value", "").strip()].append(node["backendDOMNodeId"])
    assert len(by_name) > 10
    wrong = [key for key in by_name if not key[1]]
    for key, nodes in by_name.items():
        if len(nodes) > 1 and key[0] != "link" and len({does(talk, node) for node in nodes}) > 1:
            wrong.append(key)
    talk.detach()
    return wrong


def does(talk, node):
    there = talk.send("DOM.resolveNode", {"backendNodeId": node})["object"]["objectId"]
    call = {"objectId": there, "functionDeclaration": f"function() {{ return ({DOES})(this) }}"}
    return talk.send("Runtime.callFunctionOn", call)["result"]["value"]


def test_every_control_says_what_it_is_and_no_two_say_the_same(page, rows, visit):
    Alert.objects.create(key="a", kind="schedule", schedule_id=rows["Failing"], state="failing", message="It failed.",
                         since=clock.now())  # fmt: skip
    Run.objects.filter(state="started").update(due_at=clock.now() - timedelta(minutes=3))
    go, wrong = visit(page), {}
    fine = f"/schedules/{rows['Fine']}/"
    for path in (
        "/", "/schedules/", "/schedules/new/", fine, *(fine + part for part in ("pause/", "run/", "upcoming/")), "/runs/",
        f"/runs/{Run.objects.get(state='failed').uuid}/", "/timeline/", "/workers/", f"/workers/{Worker.objects.get().instance}/", "/alerts/", "/audit/",
    ):  # fmt: skip
        go(path)
        settled(page)
        if said := problems(page):
            wrong[path] = said
    assert wrong == {}
