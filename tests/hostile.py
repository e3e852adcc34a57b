"""Text that nobody means well: what every place of a page must show as it stands, and run, follow or obey never.

Each payload that could act says ``pwned``: as a mark on the window, a host, an attribute or a dialog.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import product

from django.db import connection

ACT = "window.pwned=1"
"""What a script would do, seen by the tests."""
PLACES = (
    "</td>",
    "</title>",
    "</textarea>",
    "</script>",
    "</style>",
    "</option></select>",
    "-->",
    "]]>",
    "</time>",
)
ELEMENTS = (
    f"<script>{ACT}</script>",
    f"<img src=x onerror={ACT}>",
    f"<svg onload={ACT}>",
    f"<details open ontoggle={ACT}>",
    f"<iframe srcdoc='<script>parent.{ACT}</script>'>",
)
MARKUP = (
    *(place + element for place, element in product(PLACES, ELEMENTS)),
    f"<ScRiPt>{ACT}</sCrIpT>", f"<script\n>{ACT}</script\t>", f"<<script>{ACT}//<</script>", f"<scr<script>ipt>{ACT}</script>",
    f"<svg><script>{ACT}</script></svg>", f"<math><mtext><script>{ACT}</script>", f"<svg><animate onbegin={ACT} attributeName=x>",
    f"<body onload={ACT}>", f"<video><source onerror={ACT}>", f"<input autofocus onfocus={ACT}>", f"<a href=javascript:{ACT}>x</a>",
    "<base href=https://pwned.test/>", "<meta http-equiv=refresh content='0;url=https://pwned.test/'>", "<meta charset=utf-7>",
    "<link rel=stylesheet href=https://pwned.test/x.css>", "<object data=https://pwned.test/>", "<embed src=https://pwned.test/>",
    "<form action=https://pwned.test/><button>go</button>", "<template><b>x</b></template>", "<plaintext>", "<xmp>", "<noscript>",
    "<!-- never closed", "<![CDATA[", "<?xml version='1.0'?>", "<!doctype html>", "<table><tr><td>", "</tr></tbody></table></main></body></html>",
    "<marquee>x</marquee>", "<dialog open>pwned</dialog>", "<style>*{display:none!important}</style>", "<h1>pwned</h1>",
    f"<script src=data:text/javascript,{ACT}></script>", "<p id=main>", "<div id=dialog-slot>", "<input name=csrfmiddlewaretoken value=pwned>",
)  # fmt: skip
ATTRIBUTES = (
    *(f"{quote}{gap}{handler}={ACT} x={quote}" for quote, gap, handler in product(
        ("'", '"', "`", ""), (" ", "/"), ("onmouseover", "autofocus onfocus", "onanimationstart"))),
    "\" hx-get=https://pwned.test/ hx-trigger=load x=\"", "' hx-get='https://pwned.test/' hx-trigger='load", "hx-get=/pwned hx-trigger=load",
    "\" data-hx-get=https://pwned.test/ data-hx-trigger=load x=\"", f"\" hx-on::load={ACT} x=\"", f"\" hx-vals='js:{ACT}' x=\"",
    "<div hx-get=https://pwned.test/ hx-trigger=load></div>", "<div hx-swap-oob=true id=schedule-rows></div>", "<hx-partial>pwned</hx-partial>",
    "\" style=position:fixed;inset:0;background:red x=\"", "\" class=is-pwned x=\"", "\" data-keys x=\"", "\"><b id=pwned>", "' hidden x='",
    "\" formaction=https://pwned.test/ x=\"", "\" aria-label=pwned x=\"", "\\\" onclick=1", "\\' onclick=1", "=\"'><`", "\"\"\"'''```",
)  # fmt: skip
TEMPLATES = (
    "{{ request }}", "{% load i18n %}", "{{ settings.SECRET_KEY }}", "{% include '/etc/hostname' %}", "{# gone #}", "{% endblock %}{% block x %}",
    "{{ 7|add:7 }}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "{{constructor.constructor('window.pwned=1')()}}", "{{=<% %>=}}", "%(name)s", "%s%d%n", "{0.__class__}",
    "{name!r}", "$(id)", "`id`", "; id", "| id", "&& id", "$nominal", "@import 'pwned'", "\\x3cscript\\x3e", "\\u003cscript\\u003e",
)  # fmt: skip
ADDRESSES = (
    f"javascript:{ACT}", f"JaVaScRiPt:{ACT}", f"java\tscript:{ACT}", f" javascript:{ACT}", f"vbscript:{ACT}", f"data:text/html,<script>{ACT}</script>",
    "//pwned.test/", "\\\\pwned.test\\", "https://pwned.test/?q=1#x", "../../../../etc/passwd", "%2e%2e%2f", "%00", "%0d%0aSet-Cookie:pwned=1",
    "file:///etc/passwd", "?next=https://pwned.test/", "#main", "/logout", "http://[::1", "mailto:a@b", "http://user@pwned.test",
)  # fmt: skip
STYLES = (
    "expression(window.pwned=1)", "url(https://pwned.test/)", "}body{display:none}", "red;background:url(//pwned.test)", "/*", "*/", "var(--ink)", "!important",
)  # fmt: skip
ENTITIES = (
    "&lt;script&gt;", "&amp;lt;", "&#60;script&#62;", "&#x3c;b&#x3e;", "&", "&&&&", "&copy", "&nbsp;", "&notit;", "&#0;", "&quot;&apos;", "&NewLine;",
)  # fmt: skip
DATA = (
    "'; drop table schedulerui_run; --", "' or '1'='1", "\" or \"\"=\"", "1; select pg_sleep(9)", "%' escape '!' --", "\\", "\\\\", "\\'", "null", "NaN", "[]",
    "{}", "{\"__proto__\": {\"pwned\": 1}}", "\"],\"pwned\":[\"", "\"}{\"", "true", "undefined", "[object Object]", "None", "0", "-1", "1e999", "9" * 40,
    "name: x\r\nSet-Cookie: pwned=1", "a,b;c|d", "a:b -c \"d", "state:failing", "-", "\"", "q=x&sort=-name", "__all__",
)  # fmt: skip
FORMULAS = (
    "=1+1", "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(1)", "=HYPERLINK(\"https://pwned.test\")", "\t=1+1", "\r=1+1", "\n=1+1", "\uff1d1+1", "=", "@", "+", "|=1",
)  # fmt: skip
SCRIPTS_OF_PEOPLE = (
    "\u202eevil\u202c", "\u202e never closed", "\u2066\u2067 isolates \u2069", "\u200frtl mark\u200e", "مرحبا بالعالم", "שלום 123 abc", "a\u200b\u200c\u200d\u2060b",
    "\ufeffbom", "\u00ad\u00adsoft", "e\u0301" * 20, "Z" + "\u0335\u0321\u034f\u0489" * 15, "\u0e49" * 20, "日本語のスケジュール", "क्षि", "ﷺ" * 5,
    "👩\u200d👩\u200d👧\u200d👦", "🏳\ufe0f\u200d🌈", "🇩🇪", "👍🏽", "𐍈", "\ue000", "\ufffe", "\uffff", "\U0010ffff", "\u2028line\u2029para", "\u0085nel", "\u3000",
    "\u180e\u2800", "ﬀﬁ", "\uff21\uff22\uff23", "İıſ", "ß", "\u0430dmin (with a Cyrillic a)", "\u0600\u06dd1", "𒐫" * 4, "﷽" * 3, "\u034f" * 20, "⸻" * 4,
)  # fmt: skip
CONTROLS = (
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x1b[2J\x1b[H", "\x9b31m", "\b\b\b\b", "a\rb", "a\nb\n\n\nc", "a\tb", "\x01\x02\x03", "\x7f", "\x0b\x0c", "\x1a", "\x00", "a\x00b",
    "\x00<script>window.pwned=1</script>", "<\x00script>window.pwned=1</script>",
)  # fmt: skip
LONG = (
    "W" * 190, "averylongwordwithoutanyplacetobreak" * 5, "a" * 60 + "." * 60 + "b" * 60, "<" * 180, "&" * 180, "💥" * 95, "\u202e" * 100 + "x", "-" * 190,
    "/".join(["dir"] * 45), "tests." * 30 + "task", "\"" * 180, "日" * 180, "<b>" * 60,
)  # fmt: skip
TEXTS = tuple(dict.fromkeys(
    (*MARKUP, *ATTRIBUTES, *TEMPLATES, *ADDRESSES, *STYLES, *ENTITIES, *DATA, *FORMULAS, *SCRIPTS_OF_PEOPLE, *CONTROLS, *LONG)
))  # fmt: skip
VALUES = (
    "\ud800",
    "a\udfffb",
    "\udc00\ud800",
    {"\ud800": "\x00"},
    {"<b>": {"password": "hidden"}},
    [[[[["deep"]]]]],
    "x" * 50_000,
    10**40,
    -0.0,
    True,
    None,
)
"""What only JSON can hold."""


def storable(texts: Iterable[str] = TEXTS) -> list[str]:
    """Return the texts that this database takes: PostgreSQL has no NUL."""
    return [text for text in texts if connection.vendor == "sqlite" or "\x00" not in text]


def storable_values() -> list[object]:
    """Return the values that this database takes into a JSON column."""
    return [value for value in VALUES if connection.vendor == "sqlite" or "\\u" not in json.dumps(value)]


def packs(texts: Iterable[str], *, size: int = 185) -> list[str]:
    """Return the texts, several in one string of at most ``size`` characters: the same text in fewer pages."""
    packed: list[str] = []
    for text in texts:
        if packed and len(packed[-1]) + 1 + len(text) <= size:
            packed[-1] += f" {text}"
        else:
            packed.append(text[:size])
    return packed
