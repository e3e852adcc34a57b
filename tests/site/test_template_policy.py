"""Every template keeps the policy, and every rule of the policy finds what it forbids."""

from __future__ import annotations

import pytest

from tests.site.source_rules import REPOSITORY
from tests.site.template_policy import findings

WHERE = 'hx-target="this" hx-swap="none"'
TEMPLATES = sorted((REPOSITORY / "templates").rglob("*.html"))


@pytest.mark.parametrize(
    "path", TEMPLATES, ids=lambda path: path.relative_to(REPOSITORY / "templates").as_posix()
)
def test_the_template_keeps_the_policy(path):
    broken = [
        f"{path.relative_to(REPOSITORY)}:{found.line} {found.message}" for found in findings(path.read_text())
    ]
    assert broken == []


def test_there_are_templates_to_look_at():
    assert TEMPLATES


@pytest.mark.parametrize(
    ("snippet", "said"),
    [
        ('<p style="color: red">x</p>', "style= is blocked"),
        ('<svg><path style="{{ css }}"/></svg>', "style= is blocked"),
        ("<style>p { color: red }</style>", "<style> is blocked"),
        ("<script>go()</script>", "inline <script>"),
        ('<script src="{% static "a.js" %}">go()</script>', "inline <script>"),
        ('<button onclick="go()">x</button>', "onclick= is blocked"),
        ('<body {% if a %}onload="{{ b }}"{% endif %}>', "onload= is blocked"),
        ('<b hx-on:click="go()">x</b>', "hx-on:click evaluates"),
        ('<b hx-on="click: go()">x</b>', "hx-on evaluates"),
        ('<b data-hx-on::after-swap="go()">x</b>', "data-hx-on::after-swap evaluates"),
        ('<b hx-vars="a:go()">x</b>', "hx-vars evaluates"),
        ("<b hx-vals='js:{a: go()}'>x</b>", "hx-vals holds a js:"),
        ('<a href="javascript:go()">x</a>', "href holds a js:"),
        ("{{ text|safe }}", "|safe trusts"),
        ("{{ text | safe }}", "|safe trusts"),
        ("{% with a=text|safe %}{{ a }}{% endwith %}", "|safe trusts"),
        ("{% autoescape off %}{{ text }}{% endautoescape %}", "autoescape off"),
        ('{{ run.sent_at|date:"H:i" }}', "raw |date"),
        ("{{ run.sent_at|time }}", "raw |date and |time"),
        ('{% now "Y" %}', "second clock"),
        ('<form method="post" action="/x"><button>x</button></form>', "csrf_token"),
        ('<form method="POST" action="/x"><button>x</button>', "csrf_token"),
        ('<form method="post" action="/x">{# {% csrf_token %} #}<button>x</button></form>', "csrf_token"),
        (f'<button hx-post="/x" {WHERE}>x</button>', "by htmx only"),
        (f'<form><button hx-delete="/x" {WHERE}>x</button></form>', "by htmx only"),
        (f'<form hx-post="/x" {WHERE}>{{% csrf_token %}}</form>', "by htmx only"),
        (f'<form action="/x"></form><button hx-post="/x" {WHERE}>x</button>', "by htmx only"),
        ('<div hx-get="/x" hx-swap="innerHTML"></div>', "hx-target and hx-swap"),
        ('<div hx-get="/x" hx-target="this"></div>', "hx-target and hx-swap"),
        ('<div hx-target="this"></div>', "inherits nothing"),
        (f'<div hx-get="/x" hx-trigger="change from:closest form" {WHERE}></div>', "read differently"),
        (f'<div hx-get="/x" hx-trigger="keyup[ctrlKey]" {WHERE}></div>', "read differently"),
        ('<script src="https://cdn.test/a.js"></script>', "another host"),
        ('<link rel="stylesheet" href="//cdn.test/a.css">', "another host"),
        ('<img src="http://cdn.test/a.png" alt="">', "another host"),
        ("<table><tbody><tr><td>x</td></tr></tbody></table>", "needs a <caption>"),
        ('<table aria-label="x"><tr><th>x</th></tr></table>', "scope="),
    ],
)
def test_it_finds_the_breach_when_a_template_breaks_a_rule(snippet, said):
    found = findings(f"<p>\nbefore\n</p>\n{snippet}\n")
    assert [finding.line for finding in found] == [4]
    assert said in found[0].message


@pytest.mark.parametrize(
    "snippet",
    [
        f'<form method="post" action="{{% url "x" %}}">{{% csrf_token %}}<button hx-post="/x" {WHERE}>x</button></form>',
        f'<form method="post" action="/x" hx-post="/x" {WHERE}>{{% csrf_token %}}<button>x</button></form>',
        f'<button form="row-form" formaction="/x" hx-post="/x" {WHERE}>x</button>',
        '<form method="get" action="/x"><input name="q"></form>',
        '<script src="{% static "schedulerui/js/app.js" %}" defer></script>',
        '<script type="application/json">{"a": 1}</script>',
        '<link rel="icon" href="{% static "schedulerui/img/favicon.svg" %}">',
        '<a href="https://docs.test/" rel="noopener">the docs | safe and in time</a>',
        '<p class="{% if once %}on{% endif %}" data-only="1">once {{ words|default:"date" }}</p>',
        "{# |safe style= onclick= are forbidden #}{% comment %}{{ a|safe }}{% endcomment %}",
        f'<div hx-get="/x" hx-trigger="every 5s" {WHERE} hx-confirm="Only now: sure?"></div>',
        '<tr hx-swap-oob="true"></tr>',
        '<table><caption>x</caption><tr><th scope="col">x</th></tr></table>',
        '<table aria-labelledby="title"><tr><td>x</td></tr></table>',
    ],
)
def test_it_finds_nothing_when_the_template_is_sound(snippet):
    assert findings(snippet) == []
