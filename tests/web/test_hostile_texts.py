"""WEB-03: nothing that somebody wrote, or put into an address, runs in a reader's browser.

The browser is told to pass over the content security policy, so that what is tried is the pages' own writing and not
their second line of defence.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Dialog, Page

from coordinator.api.app import routed
from coordinator.api.door import endpoints
from tests.lib.hostile_texts import XSS, hostile_projects
from tests.lib.pages_in_browser import launched
from tests.lib.public_site import PublicSite, serving
from tests.web.conftest import WebSite

CONTROL = "<!doctype html><title>x</title><img src=x onerror=alert(1)>"


class Reader:
    """A tab that notes whatever runs."""

    def __init__(self, context: BrowserContext) -> None:
        self.ran: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("dialog", self._noted)

    def _noted(self, dialog: Dialog) -> None:
        self.ran.append(f"{self.page.url}: {dialog.message}")
        dialog.dismiss()

    def open(self, address: str) -> int:
        """Open a page, let it settle, and press what would be pressed."""
        answer = self.page.goto(address)
        self.page.wait_for_load_state("load")
        return answer.status if answer is not None else 0


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    with serving(folder, with_local=True) as (made, _):
        playwright, browser = launched()
        yield WebSite(made, browser)
        browser.close()
        playwright.stop()


def reader(web: WebSite) -> Reader:
    """A tab without the second line of defence."""
    context = web.browser.new_context(ignore_https_errors=True, bypass_csp=True)
    context.set_default_timeout(20_000)
    return Reader(context)


def test_what_runs_is_noticed(hostile: WebSite) -> None:
    """The control."""
    tab = reader(hostile)
    tab.page.route("**/*", lambda route: route.fulfill(body=CONTROL, content_type="text/html"))
    tab.open(hostile.home + "/public/")
    tab.page.wait_for_timeout(200)
    assert tab.ran


@pytest.mark.acceptance("WEB-03")
def test_nothing_that_was_written_runs(hostile: WebSite) -> None:
    """Every field of applications, and a question's text and values, on every page that shows them."""
    site: PublicSite = hostile.made
    names = [name for name, _, _ in hostile_projects(site)]
    assert len(names) > 3
    permit = site.project(project="code")
    sql = f"SELECT count(DISTINCT person_id) AS people FROM person -- {' '.join(XSS)}"
    row = site.use(permit, "ab" * 32, sql=sql)
    tab = reader(hostile)
    pages = [f"/public/projects/{name}" for name in reversed(names)]
    for path in ["/public/", "/public/register", "/public/queries", f"/public/queries/{row.query_hash}", *pages]:
        assert tab.open(hostile.home + path) == 200, path
    assert "<script>alert(1)</script>" in tab.page.locator("main").inner_text()
    assert tab.ran == []


@pytest.mark.acceptance("WEB-03")
def test_nothing_of_an_address_runs(hostile: WebSite) -> None:
    """Each page's address with each text as a part of its path and as every parameter that any page reads."""
    tab = reader(hostile)
    words = ("project", "trust", "month", "outcome", "page", "next", "done", "chart", "from", "state", "code", "q")
    paths = [
        path for method, path, _ in endpoints(routed()) if method == "GET" and path.startswith(("/public", "/app"))
    ]
    tried = 0
    for place, path in enumerate(sorted(paths)):
        if path.endswith((".zip", ".json", ".csv", ".py", "tlog-proof", "checkpoint", "/key")) or "/tile/" in path:
            continue
        text = quote(XSS[place % len(XSS)], safe="")
        address = path.replace(":path", "")
        while "{" in address:
            head, _, rest = address.partition("{")
            address = head + text + rest.partition("}")[2]
        query = "&".join(f"{word}={text}" for word in words)
        assert tab.open(f"{hostile.home}{address}?{query}") < 500, address
        tried += 1
    assert tried > 15
    assert tab.ran == []
