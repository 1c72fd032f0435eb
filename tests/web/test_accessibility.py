"""WEB-05: every page in every state, for everybody: axe, the keyboard alone, and a window of 320 pixels.

The table is ``tests/web/rows.py``. ``make pictures`` takes a picture of each row with this same test.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Route

from coordinator.api.app import routed
from coordinator.api.door import endpoints
from tests.lib.pages_in_browser import axe_problems, keyboard_problems, reflow_problems
from tests.web.conftest import WebSite
from tests.web.rows import NO_PAGE, ROWS, Row

PAGES = ("/public", "/app", "/signin", "/local", "/static")


def page_routes() -> set[str]:
    """GET routes of pages; what ends in a file's name is a twin."""
    found = {path for method, path, _ in endpoints(routed()) if method == "GET" and path.startswith(PAGES)}
    return {path for path in found if not re.search(r"/data\.(json|csv)$", path)}


@pytest.mark.acceptance("WEB-05")
def test_every_page_has_a_row_and_every_row_a_page() -> None:
    assert page_routes() == {row.route for row in ROWS} | set(NO_PAGE)
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.acceptance("WEB-05")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_everybody_can_use_it(web: WebSite, row: Row, request: pytest.FixtureRequest) -> None:
    """No violation of WCAG 2.2 A or AA, no complaint of the browser, nothing fetched from another host."""
    tab = web.tab(row.who)
    page = tab.page
    address = row.address if row.address != "QUERY" else question(web)
    answer = page.goto(web.home + address)
    assert answer is not None
    assert answer.status == row.status
    row.then(page)
    if folder := request.config.getoption("pictures"):
        page.screenshot(path=str(Path(str(folder)) / f"{row.name}.png"), full_page=True)
    assert re.fullmatch(r".+ – TrustQuery( public record)?", page.title())
    assert axe_problems(page) == []
    assert keyboard_problems(page) == []
    assert reflow_problems(page) == []
    assert tab.complaints == []
    page.context.close()


def question(web: WebSite) -> str:
    """The page of the one question that was asked."""
    rows = web.made.store.uses.named("ab" * 32)
    return f"/public/queries/{rows[0].query_hash}"


FAULTY = """<!doctype html><html><head><title></title></head><body>
<a href="#x" style="outline: none; color: #ccc; background: #fff; text-decoration: none">grey</a>
<input onkeydown="if (event.key === 'Tab') event.preventDefault()"><div style="width: 900px">wide</div>
<button>after</button>
<img src="https://elsewhere.test/x.png"></body></html>"""


@pytest.mark.acceptance("WEB-05")
def test_a_page_with_planted_faults_is_noticed(web: WebSite) -> None:
    """The control: each look finds what it is for."""
    tab = web.tab()
    page = tab.page

    def answer(route: Route) -> None:
        if route.request.is_navigation_request():
            route.fulfill(body=FAULTY, content_type="text/html")
        else:
            route.abort()

    page.route("**/*", answer)
    page.goto(f"{web.home}/app/signed-out")
    rules = {problem.partition(":")[0] for problem in axe_problems(page)}
    assert {"color-contrast", "document-title", "html-has-lang", "image-alt", "label"} <= rules
    keyboard = " ".join(keyboard_problems(page))
    assert "focus cannot be seen" in keyboard
    assert "not reached by Tab" in keyboard
    assert "Tab does not leave" in keyboard
    assert any("wide" in problem for problem in reflow_problems(page))
    assert any("another host" in complaint for complaint in tab.complaints)
    page.context.close()
