"""Goes to pages that hold hostile text, and keeps what was wrong with each."""

from __future__ import annotations

from tests.browser.chromium import sayings_of

LOOK = """() => {
  const wrong = [], isOurs = document.querySelector("main.main");
  if (window.pwned !== undefined) wrong.push("a script ran");
  const root = document.documentElement, scripts = [...document.scripts].filter(s => !s.src || s.text.trim());
  if (scripts.length) wrong.push("a script of the text: " + scripts[0].outerHTML.slice(0, 80));
  if (isOurs && root.scrollWidth > window.innerWidth) wrong.push(`the page is ${root.scrollWidth} wide: ` + [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && e.getBoundingClientRect().right > window.innerWidth + 1).slice(-3).map(e => e.outerHTML.slice(0, 90)));
  if (!document.querySelector("h1")) wrong.push("no heading");
  for (const element of document.querySelectorAll("iframe, object, embed, base, marquee, math, video, plaintext, xmp, style, main ~ meta, main link"))
    wrong.push("markup: " + element.outerHTML.slice(0, 80));
  const scrolls = e => { for (let p = e; p && p !== root; p = p.parentElement) if (getComputedStyle(p).overflowX !== "visible") return true; return false; };
  for (const element of document.querySelectorAll("body *")) {
    for (const {name, value} of element.attributes) {
      if (/^on|pwned|^hx-on|^style$/i.test(name)) wrong.push(`attribute ${name}`);
      if (/^(href|src|action|formaction|hx-(get|post)|data-hx-.*|data)$/.test(name) && /^\\s*(javascript|data|vbscript|file|\\/\\/|https?:\\/\\/(?!localhost|127))/i.test(value) && !value.includes("docs"))
        wrong.push(`${name}=${value.slice(0, 60)}`);
    }
    const box = isOurs && element.checkVisibility() ? element.getBoundingClientRect() : {};
    if (box.width && box.height && (box.right > window.innerWidth + 1 || box.left < -1) && !scrolls(element.parentElement) && getComputedStyle(element).position !== "absolute")
      wrong.push(`outside: <${element.tagName} class=${element.className}> ${box.left | 0}..${box.right | 0}`);
  }
  if (isOurs) for (const cell of document.querySelectorAll("td, th, dd, dt, li")) {
    if (cell.scrollWidth > cell.clientWidth + 12 && cell.checkVisibility() && cell.clientWidth && getComputedStyle(cell).overflowX === "visible" && getComputedStyle(cell).display !== "inline")
      wrong.push(`leaves its cell: <${cell.tagName} class=${cell.className}> ${cell.scrollWidth} in ${cell.clientWidth}: ${cell.textContent.trim().slice(0, 60)}`);
  }
  return wrong.slice(0, 4);
}"""


class Looker:
    """Goes to pages and keeps what was wrong with each."""

    def __init__(self, page, go) -> None:
        self.page, self.go = page, go
        self.wrong: list[str] = []
        self.n_pages = 0
        page.on("dialog", self._on_dialog)
        page.on("request", self._on_request)

    def _on_dialog(self, dialog) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request) -> None:
        if "pwned.test" in request.url.partition("?")[0]:
            self.wrong.append(f"request: {request.url[:120]}")

    def look(self, path: str, *, status: int = 200) -> None:
        self.n_pages += 1
        try:
            response = self.go(path)
        except Exception as error:  # noqa: BLE001 - whatever a page does to the browser is its fault
            self.wrong.append(f"{path[:80]}: {error}")
            return
        if response.status != status:
            self.wrong.append(f"{path[:120]}: {response.status}")
        self.look_here(path[:80])

    def look_here(self, what: str) -> None:
        """Look at the page as it stands now."""
        self.wrong += [f"{what}: {line}" for line in self.page.evaluate(LOOK)]

    def allow(self, words: str) -> None:
        """Forget lines of the console with these words; those of the fixture that ends the test too."""
        said = sayings_of(self.page)
        said.console[:] = [line for line in said.console if words not in line]
        said.complaints[:] = [line for line in said.complaints if words not in line]

    def check(self) -> None:
        assert not self.wrong, "\n".join(dict.fromkeys(self.wrong))
        # A date field left empty because its value is no date: the browser says so, and nothing else happened.
        said = [line for line in sayings_of(self.page).console if "The specified value" not in line]
        assert said == []
