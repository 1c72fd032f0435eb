"""What a person meets on a page: axe's rules, the keyboard, a narrow window, and what the browser complains of."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request, sync_playwright

__all__ = ["Watched", "axe_problems", "keyboard_problems", "launched", "reflow_problems", "watched"]

CHROMIUM = "/usr/bin/chromium"
AXE = Path(__file__).parents[1] / "peers/web/node_modules/axe-core/axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]

_RUN_AXE = """async tags => {
  const found = await axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']});
  return found.violations.flatMap(rule => rule.nodes.map(node => rule.id + ': ' + node.html.slice(0, 160)));
}"""
# What can be reached: one stop for each, and one for each group of radio buttons.
_CONTROLS = """() => {
  const seen = element => element.getClientRects().length && getComputedStyle(element).visibility === 'visible';
  const wanted = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
  const groups = new Set();
  let place = 0;
  const names = [];
  for (const element of document.querySelectorAll(wanted)) {
    if (!seen(element) || element.disabled || element.tabIndex < 0) continue;
    if (element.type === 'radio') {
      if (groups.has(element.name)) continue;
      groups.add(element.name);
      names.push('radio ' + element.name);
      continue;
    }
    element.dataset.place = String(place);
    names.push(String(place++) + ' ' + element.outerHTML.slice(0, 100));
  }
  return names;
}"""
_FOCUSED = """() => {
  const element = document.activeElement;
  if (!element || element === document.body || element === document.documentElement) return null;
  const look = of => { const s = getComputedStyle(of); return [s.outlineStyle, s.outlineWidth, s.outlineColor,
    s.boxShadow, s.backgroundColor, s.borderColor].join('|'); };
  let on = element.type === 'radio' ? element.nextElementSibling : element;
  const styleOf = () => element.type === 'radio' ? getComputedStyle(on, '::before').boxShadow +
    getComputedStyle(on, '::before').borderColor + look(on) : look(on);
  const focused = styleOf();
  const box = on.getBoundingClientRect();
  const covered = box.bottom < 0 || box.top > innerHeight;
  element.blur();
  const plain = styleOf();
  element.focus({preventScroll: true});
  return {name: element.type === 'radio' ? 'radio ' + element.name : element.dataset.place,
    shown: focused !== plain, covered, html: element.outerHTML.slice(0, 100)};
}"""
# A box that scrolls by itself may be wide; the page may not.
_WIDTH = """() => {
  const page = document.scrollingElement;
  if (page.scrollWidth <= innerWidth) return [];
  const boxed = element => element.closest('.tq-scroll, .tq-code');
  return [page.scrollWidth + ' wide', ...[...document.querySelectorAll('body *')].filter(element =>
    !boxed(element) && element.getBoundingClientRect().right > innerWidth + 1).slice(0, 4)
    .map(element => element.outerHTML.slice(0, 120))];
}"""


@cache
def _axe() -> str:
    return AXE.read_text(encoding="utf-8")


@dataclass
class Watched:
    """A tab, and what its browser complained of."""

    page: Page
    host: str
    complaints: list[str] = field(default_factory=list)

    def console(self, message: ConsoleMessage) -> None:
        """Note an error or a warning."""
        # A page that says 404 or 403 is meant to: the browser notes the status of what was navigated to.
        if message.type in ("error", "warning") and "status of 4" not in message.text:
            self.complaints.append(f"console: {message.text[:300]}")

    def request(self, request: Request) -> None:
        """Note a request to another host."""
        parts = urlsplit(request.url)
        if parts.scheme != "data" and parts.netloc != self.host:
            self.complaints.append(f"asked another host: {request.url[:200]}")


def watched(context: BrowserContext, host: str) -> Watched:
    """A new tab that is watched."""
    page = context.new_page()
    found = Watched(page, host)
    page.on("console", found.console)
    page.on("pageerror", lambda error: found.complaints.append(f"script: {error}"))
    page.on("request", found.request)
    return found


def launched() -> tuple[Playwright, Browser]:
    """Debian's Chromium, without a window; stop both when done."""
    playwright = sync_playwright().start()
    return playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])


def axe_problems(page: Page) -> list[str]:
    """Violations of WCAG 2.0, 2.1 and 2.2, A and AA, as axe knows them."""
    page.evaluate(_axe())
    found: list[str] = page.evaluate(_RUN_AXE, TAGS)
    return found


def keyboard_problems(page: Page, most: int = 80) -> list[str]:
    """Controls that Tab does not reach or that trap it, and focus that cannot be seen.

    Args:
        most: more controls than this are a page that nobody walks through.
    """
    controls: list[str] = page.evaluate(_CONTROLS)
    if len(controls) > most:
        return [f"{len(controls)} controls"]
    page.evaluate("() => { document.activeElement.blur(); window.getSelection().removeAllRanges(); scrollTo(0, 0); }")
    reached: dict[str, str] = {}
    found: list[str] = []
    left = False
    for _ in range(len(controls) + 2):
        page.keyboard.press("Tab")
        focus = page.evaluate(_FOCUSED)
        if focus is None:
            left = True
            break
        name = str(focus["name"])
        if name in reached:
            # Round once and at the beginning again is no trap; the same again and again is.
            left = name == next(iter(reached))
            break
        reached[name] = focus["html"]
        if not focus["shown"]:
            found.append(f"focus cannot be seen: {focus['html']}")
        if focus["covered"]:
            found.append(f"focus is outside the window: {focus['html']}")
    wanted = {control if control.startswith("radio") else control.partition(" ")[0]: control for control in controls}
    found += [f"not reached by Tab: {control}" for name, control in wanted.items() if name not in reached]
    return found if left or not controls else [*found, "Tab does not leave the page's controls"]


def reflow_problems(page: Page) -> list[str]:
    """What makes the page scroll sideways in a window of 320 CSS pixels: 1,280 at a zoom of 400 %."""
    before = page.viewport_size
    page.set_viewport_size({"width": 320, "height": 640})
    found: list[str] = page.evaluate(_WIDTH)
    if before is not None:
        page.set_viewport_size(before)
    return found
