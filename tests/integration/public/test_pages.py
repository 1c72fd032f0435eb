"""The public's pages: every one of them, every link, every header; hostile texts come out as texts."""

from __future__ import annotations

import html.parser
import urllib.parse

import pytest

from coordinator.web.headers import HEADERS
from tests.factories.documents import NOW
from tests.lib.hostile_texts import hostile_projects
from tests.lib.public_site import PublicSite
from trustquery.projects.register import said

VOID = {"meta", "link", "input", "br"}


class Page(html.parser.HTMLParser):
    """A page as a browser's parser meets it; refuses what no page of ours has."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.ids: list[str] = []
        self.headings: list[int] = []
        self.words: list[str] = []
        self.cells: list[str] = []
        self._open: list[str] = []
        self.tables = self.captions = 0
        self.feed(text)
        self.close()
        assert self._open == [], self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert tag not in {"script", "iframe", "img", "object", "embed", "style", "svg", "base"}, tag
        assert not any(name.startswith("on") or name == "style" for name in given), given
        for name in ("href", "src", "action"):
            if given.get(name) is not None:
                self.links.append(str(given[name]))
        self.ids += [str(given["id"])] if "id" in given else []
        self.tables += tag == "table"
        self.captions += tag == "caption"
        if tag == "th":
            assert given.get("scope") in ("col", "row")
        if tag in ("td", "th"):
            self.cells.append("")
        if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.cells and {"td", "th"} & set(self._open):
            self.cells[-1] += data


def check(site: PublicSite, path: str) -> Page:
    """Read a page, and hold it to what every page keeps."""
    response = site.get(path)
    assert response.status_code == 200, (path, response.text[:300])
    for name, value in HEADERS.items():
        assert response.headers[name] == value
    assert response.headers["Vary"] == "Accept"
    assert "script-src" not in HEADERS["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "public, max-age=60"
    assert "set-cookie" not in response.headers
    page = Page(response.text)
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(page.headings, page.headings[1:], strict=False)), path
    assert page.tables == page.captions
    assert all(cell.strip() for cell in page.cells), path
    assert len(set(page.ids)) == len(page.ids)
    assert response.text.startswith('<!doctype html>\n<html lang="en-GB">')
    assert 'class="nhsuk-skip-link" href="#content"' in response.text
    return page


def crawl(site: PublicSite) -> dict[str, Page]:
    """Every page that can be reached from the first one; files are fetched too."""
    found: dict[str, Page] = {}
    waiting, seen = ["/public/"], set()
    while waiting:
        path = waiting.pop()
        bare = path.partition("#")[0]
        if bare in seen or not bare:
            continue
        seen.add(bare)
        # The lines of the log are all alike.
        if "/log/entries/" in bare and sum("/log/entries/" in path for path in seen) > 20:
            continue
        ends = (".json", ".csv", ".zip", ".css", ".py", ".tlog-proof", "format=csv", "format=json")
        if bare.endswith(ends) or "data.json?" in bare or "data.csv?" in bare:
            response = site.get(bare)
            assert response.status_code == 200, bare
            assert all(response.headers[name] == value for name, value in HEADERS.items())
            continue
        found[bare] = check(site, bare)
        for link in found[bare].links:
            whole = urllib.parse.urljoin(bare, link)
            if whole.startswith("https://"):
                assert whole.startswith(("https://www.nationalarchives.gov.uk/", "https://www.nhs.uk/"))
                continue
            if whole.startswith(("/static/", "/app/sign-in")):
                assert site.get(whole).status_code == 200
                continue
            assert whole.startswith("/public"), whole
            waiting.append(whole)
    return found


def test_every_page_and_every_link(site: PublicSite) -> None:
    """Headers, links, headings, tables. Pages may be kept for a minute: they are the same for everybody."""
    assert set(crawl(site)) >= {"/public/", "/public/register", "/public/queries", "/public/promise"}
    permit = site.project(words={"RX1": "accepted-with-conditions", "RX2": "declined"})
    site.project(project="closed.one", state="closed", words={"RX1": "accepted"})
    for place in range(52):
        site.use(permit, f"{place:064x}", closed=NOW - 100 + place)
    site.use(permit, "ab" * 32, state="expired", says={"RX1": "refused", "RX2": "refused", "RX3": "refused"})
    site.use(permit, "cd" * 32, state="cancelled", says={"RX1": "late", "RX2": "silent"})
    found = crawl(site)
    assert {"/public/projects/stays", "/public/projects/closed.one"} <= set(found)
    assert any("page=1" in path for path in found)
    text = " ".join(found["/public/projects/stays"].words)
    assert "21 September 2026" in text
    assert "Our board has not met yet." in text


def test_what_is_not_there_is_a_page_with_the_same_headers(site: PublicSite) -> None:
    for path, status in (
        ("/public/nowhere", 404), ("/public/projects/none", 404), ("/public/queries/" + "0" * 64, 404),
        ("/public/queries/%27%22%3Cscript%3E", 404), ("/public/queries?page=9", 400), ("/public/queries?page=x", 400),
        ("/public/queries?month=1", 400), ("/public/queries?outcome=%3Cscript%3E", 400), ("/public/%2e%2e/etc", 404),
    ):  # fmt: skip
        response = site.get(path)
        assert response.status_code == status, path
        assert all(response.headers[name] == value for name, value in HEADERS.items())
        assert "<script" not in Page(response.text).words
    assert all(site.call("POST", "/public/register").headers[name] == value for name, value in HEADERS.items())


def test_hostile_texts_are_shown_as_texts(site: PublicSite) -> None:
    """In every field of an application, in what trusts say, in a query's text."""
    for name, line, texts in hostile_projects(site):
        shown = "".join(check(site, f"/public/projects/{name}").words)
        assert said(line) in shown
        assert all(said(text) in shown for text in texts if "\n" not in text)
    crawl(site)


def test_hostile_code_is_shown_as_code(site: PublicSite) -> None:
    permit = site.project()
    sql = "SELECT count(DISTINCT person_id) AS people FROM person -- <script>alert(1)</script>\u202e</code>"
    row = site.use(permit, "ab" * 32, sql=sql)
    assert "<script>alert(1)</script>" in "".join(check(site, f"/public/queries/{row.query_hash}").words)


@pytest.mark.parametrize("path", ["/public/", "/public/register", "/public/register/data.json"])
def test_a_page_is_not_sent_again_to_who_has_it(site: PublicSite, path: str) -> None:
    site.project()
    first = site.get(path)
    again = site.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    site.project(project="another")
    assert site.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200
