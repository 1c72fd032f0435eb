"""Every query in the manual compiles, or is refused with the code that stands above it."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, Fence, fences, manual, name
from trustquery.catalogue import available, load
from trustquery.codelists import PublicTables, read_table, shipped
from trustquery.errors import CATALOGUE, TrustQueryError
from trustquery.language import compile_query
from trustquery.language.functions import FUNCTIONS
from trustquery.language.parameters import Parameter
from trustquery.planning import compile_plan

PARAMETERS: dict[str, Parameter] = {"since": datetime.date(2018, 1, 1), "codes": ["444814009", "40055000"]}
PAGE = DOCS / "reference" / "query-language.md"
# Its queries need bounds and public tables of their own: tests/spec/test_questions.py runs them.
QUESTIONS = DOCS / "reference" / "questions-in-sql.md"
HEAD = re.compile(r"-- (?P<catalogue>[a-z0-9.-]+)(?P<unknown>, unknown keys)?(, refused: (?P<code>[a-z-]+))?")

TRUSTS = ("RX1", "RX2")


def found() -> list[tuple[Path, Fence]]:
    pages = [page for page in manual() if page != QUESTIONS]
    return [(page, fence) for page in pages for fence in fences(page) if fence.language == "sql"]


def codelists() -> PublicTables:
    """Those that ship, and the one of the how-to page."""
    page = DOCS / "how-to" / "use-a-codelist.md"
    (text,) = [fence.text for fence in fences(page) if fence.language == "csv"]
    return shipped().with_more([read_table(text.encode(), "sinusitis.csv")])


@pytest.mark.parametrize(("page", "fence"), found(), ids=lambda item: name(item) if isinstance(item, Path) else "")
def test_query_in_the_manual(page: Path, fence: Fence) -> None:
    head = HEAD.fullmatch(fence.text.splitlines()[0])
    assert head, f"{name(page)}:{fence.line}: begin with '-- CATALOGUE' or '-- CATALOGUE, refused: CODE'"
    catalogue = load(head["catalogue"])
    unknown = head["unknown"] is not None
    given = {name: PARAMETERS[name] for name in re.findall(r"\$(\w+)", fence.text)}
    public = codelists()
    if head["code"] is None:
        query = compile_query(
            fence.text,
            catalogue,
            epsilon=Decimal("0.5"),
            public=public,
            parameters=given,
            unknown_keys=unknown,
            trusts=TRUSTS,
        )
        plan = compile_plan(query, catalogue, public)
        assert plan.has_unknown_keys is unknown
        assert plan.cells > 0
    else:
        with pytest.raises(TrustQueryError) as refused:
            compile_query(fence.text, catalogue, epsilon=Decimal("0.5"), unknown_keys=unknown, trusts=TRUSTS)
        assert refused.value.code == head["code"]


def test_the_page_has_examples_of_both_kinds() -> None:
    heads = [HEAD.fullmatch(fence.text.splitlines()[0]) for fence in fences(PAGE) if fence.language == "sql"]
    refused = [head for head in heads if head and head["code"]]
    assert len(refused) >= 10
    assert len(heads) - len(refused) >= 8


def test_codes_and_functions_that_the_page_names_exist() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for code in re.findall(r"`(query-[a-z-]+)`", text):
        assert code in CATALOGUE
    listed = (DOCS / "reference" / "functions.md").read_text(encoding="utf-8")
    assert all(f"| `{function}` |" in listed for function in FUNCTIONS)


def test_every_catalogue_has_its_page() -> None:
    for catalogue in available():
        text = (DOCS / "reference" / f"catalogue-{catalogue}.md").read_text(encoding="utf-8")
        assert all(f"\n## {table.name}\n" in text for table in load(catalogue).tables)
