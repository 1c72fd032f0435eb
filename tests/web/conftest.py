"""One site with things in it, and one browser, for all tests of pages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from coordinator.api.pages.door import SESSION_COOKIE
from tests.lib.pages_in_browser import Watched, launched, watched
from tests.lib.public_site import PublicSite, serving


@dataclass
class WebSite:
    """The site, and a browser that trusts it."""

    made: PublicSite
    browser: Browser

    @property
    def home(self) -> str:
        """Where it is."""
        return f"https://{self.made.public}"

    def context(self, name: str = "") -> BrowserContext:
        """A fresh browser profile, of somebody who is signed in, or of nobody."""
        context = self.browser.new_context(
            ignore_https_errors=True, viewport={"width": 1280, "height": 800}, reduced_motion="reduce"
        )
        context.set_default_timeout(20_000)
        if name:
            context.add_cookies(
                [
                    {
                        "name": SESSION_COOKIE,
                        "value": self.made.session(name),
                        "domain": "localhost",
                        "path": "/",
                        "secure": True,
                        "httpOnly": True,
                        "sameSite": "Lax",
                    }
                ]
            )
        return context

    def tab(self, name: str = "") -> Watched:
        """A watched tab of such a profile."""
        return watched(self.context(name), self.made.public)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    folder: Path = tmp_path_factory.mktemp("web")
    with serving(folder, with_local=True) as (made, _):
        permit = made.project(words={"RX1": "accepted-with-conditions", "RX2": "declined"})
        made.project(project="closed.one", state="closed", words={"RX1": "accepted"})
        now = int(time.time())
        made.use(permit, "ab" * 32, closed=now - 60)
        made.use(permit, "cd" * 32, state="cancelled", says={"RX1": "late", "RX2": "silent"}, closed=now - 50)
        playwright, browser = launched()
        yield WebSite(made, browser)
        browser.close()
        playwright.stop()
