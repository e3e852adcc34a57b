"""What no template may hold, so that a strict CSP, work without JavaScript and one way to show times can be promised."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser

# In the source as written: Django's own language. Each pattern has the sentence that a person reads.
SOURCE_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\|\s*(safe|safeseq)\b"), "|safe trusts text; return SafeString from format_html"),
    (re.compile(r"{%\s*autoescape\s+off"), "autoescape off trusts text"),
    (
        re.compile(r"\|\s*(date|time)\b"),
        "raw |date and |time ignore the schedule's zone; use the moment tags",
    ),
    (re.compile(r"{%\s*now\b"), "{% now %} is a second clock; the view passes the moment"),
)
COMMENTS = re.compile(r"{#.*?#}|{%\s*comment\b.*?%}.*?{%\s*endcomment\s*%}", re.DOTALL)
CSRF = re.compile(r"{%\s*csrf_token\s*%}")
TAGS = re.compile(r"{%.*?%}", re.DOTALL)
VALUES = re.compile(r"{{.*?}}", re.DOTALL)
REMOTE = re.compile(r"\s*(https?:)?//", re.IGNORECASE)
SCRIPT_IN_VALUE = re.compile(r"\s*(js|javascript):", re.IGNORECASE)
HX_WRITES = frozenset({"hx-post", "hx-put", "hx-patch", "hx-delete"})
HX_ASKS = HX_WRITES | {"hx-get"}
HX_INHERITED = frozenset(
    {"hx-confirm", "hx-include", "hx-push-url", "hx-select", "hx-swap", "hx-sync", "hx-target"}
)
"""What htmx 2 also reads on the elements around the one that asks."""
ONE_MAJOR = re.compile(r"\[|from:(closest|find|next|previous)\b")
"""In a trigger: a condition, which is evaluated, and an address of two words, which htmx 2 and 4 write in different ways."""
NAMES_TABLE = frozenset({"aria-label", "aria-labelledby"})
CSRF_FIELD = "csrfmiddlewaretoken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    line: int
    message: str


def findings(source: str) -> list[Finding]:
    """Everything in a template's source that breaks a rule, in order of lines."""
    without_comments = COMMENTS.sub(_blank, source)
    found = [
        Finding(line=without_comments.count("\n", 0, match.start()) + 1, message=message)
        for pattern, message in SOURCE_RULES
        for match in pattern.finditer(without_comments)
        if _is_inside_django(without_comments, match.start())
    ]
    reader = _Reader()
    reader.feed(_as_html(without_comments))
    reader.close()
    return sorted([*found, *reader.found], key=lambda finding: (finding.line, finding.message))


def _blank(match: re.Match[str]) -> str:
    """The same number of lines, with nothing on them."""
    return "\n" * match.group().count("\n")


def _is_inside_django(source: str, position: int) -> bool:
    """Whether the position stands in {{ }} or {% %}: a "|" in plain text or in the text of a page is no filter."""
    opened = max(source.rfind("{{", 0, position + 2), source.rfind("{%", 0, position + 2))
    closed = max(source.rfind("}}", 0, position), source.rfind("%}", 0, position))
    return opened > closed


def _as_html(source: str) -> str:
    """HTML in which a {{ value }} is the word X, tags are nothing, and the token is the field that it renders."""
    source = CSRF.sub(f'<input type="hidden" name="{CSRF_FIELD}">', source)
    source = TAGS.sub(lambda match: " " + _blank(match), source)
    return VALUES.sub(lambda match: "X" + _blank(match), source)


class _Reader(HTMLParser):
    """Walks the elements; an open form is remembered, since what stands inside it works without JavaScript."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Finding] = []
        self.form: dict[str, str] | None = None
        self.form_line = 0
        self.has_token = False
        self.is_in_code = False
        self.table_line = 0
        """Where a table began that has no name yet; 0 where there is none."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.form, self.form_line, self.has_token = attributes, self.getpos()[0], False
        elif tag == "input" and attributes.get("name") == CSRF_FIELD:
            self.has_token = True
        elif tag == "table":
            self.table_line = 0 if attributes.keys() & NAMES_TABLE else self.getpos()[0]
        elif tag == "caption":
            self.table_line = 0
        elif tag == "th" and "scope" not in attributes:
            self._find("a <th> says by scope= what it is the head of")
        elif tag == "style":
            self._find("<style> is blocked by the CSP; use the style sheet")
        self.is_in_code = tag == "script" and "json" not in attributes.get("type", "")
        self._check_attributes(attributes)
        self._check_addresses(tag, attributes)
        self._check_majors(attributes)
        self._check_fallback(tag, attributes)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.is_in_code = False

    def handle_data(self, data: str) -> None:
        if self.is_in_code and data.strip():
            self._find("inline <script> is blocked by the CSP; use the script file")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._check_form()
            self.form = None
        elif tag == "table" and self.table_line:
            self._find("a table needs a <caption>, or aria-labelledby", line=self.table_line)
        self.is_in_code = False

    def close(self) -> None:
        super().close()
        self._check_form()

    def _find(self, message: str, *, line: int | None = None) -> None:
        self.found.append(Finding(line=line or self.getpos()[0], message=message))

    def _check_attributes(self, attributes: dict[str, str]) -> None:
        for name, value in attributes.items():
            plain = name.removeprefix("data-")
            if name == "style":
                self._find("style= is blocked by the CSP; use a class")
            elif re.fullmatch(r"on[a-z]+", name):
                self._find(f"{name}= is blocked by the CSP; use a data- hook and the script file")
            elif plain == "hx-vars" or re.match(r"hx-on\b", plain):
                self._find(f"{name} evaluates text; use a data- hook and the script file")
            elif SCRIPT_IN_VALUE.match(value):
                self._find(f"{name} holds a js: or javascript: value, which is evaluated")

    def _check_addresses(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in {"script", "link", "img"}:
            for name in ("src", "href", "srcset"):
                if REMOTE.match(attributes.get(name, "")):
                    self._find(f"<{tag} {name}> loads from another host; ship the file")

    def _check_majors(self, attributes: dict[str, str]) -> None:
        said = {name for name in attributes if name.startswith("hx-")}
        if said & HX_ASKS and not {"hx-target", "hx-swap"} <= said:
            self._find("say hx-target and hx-swap on the element itself: htmx 4 inherits nothing")
        elif not said & HX_ASKS and said & HX_INHERITED:
            self._find(f"{min(said & HX_INHERITED)} is for other elements here, and htmx 4 inherits nothing")
        if ONE_MAJOR.search(attributes.get("hx-trigger", "")):
            self._find("hx-trigger says what htmx 2 and 4 read differently; name an id")

    def _check_fallback(self, tag: str, attributes: dict[str, str]) -> None:
        if not HX_WRITES & attributes.keys():
            return
        own = "action" if tag == "form" else "formaction"
        is_in_form = tag != "form" and self.form is not None and "action" in self.form
        if own not in attributes and not is_in_form and "form" not in attributes:
            self._find(
                f"<{tag}> changes something by htmx only; give it a form with an action, or a formaction"
            )

    def _check_form(self) -> None:
        if self.form is not None and self.form.get("method", "").lower() == "post" and not self.has_token:
            self._find("a form that posts needs {% csrf_token %}", line=self.form_line)
