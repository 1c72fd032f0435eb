"""The public's pages and files: GET only, without signing in, and cheap to cache."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from starlette.responses import Response

from coordinator.api.door import acts, doors
from coordinator.api.publishing import ZIP, PublicDep, data, encode, page_number, reply, show, table
from coordinator.store.uses import UseFilter
from coordinator.transparency.log import month_of
from coordinator.transparency.promise import Numbers
from coordinator.transparency.public import Public
from coordinator.transparency.uses import OUTCOMES
from coordinator.web.pages import percent
from trustquery.errors import TrustQueryError
from trustquery.web import Fields, Link

__all__ = ["router"]

PROJECTS = 50
"""Of the register, on one page."""
USES = 20
"""Of one question, on its page; all of them stand in the page as data."""
_FILTERS = ("project", "trust", "month", "outcome")


router = doors(prefix="/public")


def _sentence(numbers: Numbers) -> str:
    """The promise in one sentence: of the person whom it protects least."""
    worst = numbers.lines[-1]
    many = "one trust has" if worst.trusts == 1 else f"{worst.trusts} trusts have"
    return (
        f"If {many} your records, everything that was ever answered, and all that may still be answered under the "
        f"permits in force, lets a guess of whether you are in the data be right at most "
        f"{percent(worst.guess)} of the time (epsilon {worst.epsilon} at a delta of {worst.document()['delta']})."
    )


# -- pages ---------------------------------------------------------------------------------------------


@router.get("/")
@acts("public.read")
async def home(request: Request, public: PublicDep) -> Response:
    """What this is, the promise in a sentence, the latest uses."""

    def make() -> dict[str, Any]:
        return {
            "sentence": _sentence(public.numbers()),
            "projects": len(public.entries()),
            "total": public.total(),
            "latest": public.latest(10),
        }

    return await show(request, public, "public/home.html", make)


@router.get("/about")
@acts("public.read")
async def about(request: Request, public: PublicDep) -> Response:
    """What this is, who runs it, and how a question is answered."""
    trusts = public.base.rosters.current
    return await show(request, public, "public/about.html", lambda: {"trusts": trusts().nodes})


@router.get("/protection")
@acts("public.read")
async def protection(request: Request, public: PublicDep) -> Response:
    """How privacy is protected, and where that ends."""
    return await show(request, public, "public/protection.html", lambda: {"sentence": _sentence(public.numbers())})


@router.get("/opt-out")
@acts("public.read")
async def opt_out(request: Request, public: PublicDep) -> Response:
    """How to choose that one's records are not used."""
    return await show(request, public, "public/opt_out.html", dict)


@router.get("/help")
@acts("public.read")
async def help_page(request: Request, public: PublicDep) -> Response:
    """Who runs this, how to opt out, whom to ask."""
    return await show(request, public, "public/help.html", dict)


@router.get("/register")
@acts("public.read")
async def register(request: Request, public: PublicDep) -> Response:
    """Every project."""
    twins = {"json": lambda: encode(public.register()), "csv": lambda: public.register_csv().encode()}

    def make() -> dict[str, Any]:
        entries = public.entries()
        pages = max(1, -(-len(entries) // PROJECTS))
        number = page_number(request) or 1
        if number > pages:
            raise TrustQueryError("usage-not-here")

        def link(words: str, at: int) -> Link | None:
            return Link(words, f"/public/register?page={at}") if 1 <= at <= pages else None

        return {
            "entries": entries[(number - 1) * PROJECTS : number * PROJECTS],
            "total": len(entries),
            "number": number,
            "pages_in_all": pages,
            "newer": link("Earlier in the alphabet", number - 1),
            "older": link("Later in the alphabet", number + 1),
        }

    return await show(request, public, "public/register.html", make, twins)


@router.get("/projects/{name}")
@acts("public.read")
async def project(name: str, request: Request, public: PublicDep) -> Response:
    """One project."""
    twins = {"json": lambda: encode(public.entry(name).document())}
    return await show(request, public, "public/project.html", lambda: {"entry": public.entry(name)}, twins)


@router.get("/promise")
@acts("public.read")
async def promise(request: Request, public: PublicDep) -> Response:
    """The promise in numbers."""

    def make() -> dict[str, Any]:
        numbers = public.numbers()
        return {"numbers": numbers, "sentence": _sentence(numbers)}

    twins = {"json": lambda: encode(public.numbers().document())}
    return await show(request, public, "public/promise.html", make, twins)


@router.get("/inputs")
@acts("public.read")
async def inputs(request: Request, public: PublicDep) -> Response:
    """Every approved codelist and look-up, and those that were withdrawn."""
    twins = {"json": lambda: encode(public.inputs_data()), "csv": lambda: public.inputs_csv().encode()}
    return await show(request, public, "public/inputs.html", lambda: {"entries": public.inputs()}, twins)


def _wanted(request: Request) -> tuple[UseFilter, dict[str, str]]:
    """The filter that stands in the URL, and its text.

    Raises:
        TrustQueryError: ``usage-invalid``.
    """
    given = {name: request.query_params.get(name, "")[:64] for name in _FILTERS}
    since, until = month_of(given["month"])
    if given["outcome"] not in ("", *OUTCOMES):
        raise TrustQueryError("usage-invalid", place="outcome", problem=f"an outcome is one of {', '.join(OUTCOMES)}")
    return UseFilter(given["project"], given["trust"], since, until, given["outcome"]), given


@router.get("/queries")
@acts("public.read")
async def queries(request: Request, public: PublicDep) -> Response:
    """The log, a page at a time."""

    def make() -> dict[str, Any]:
        chosen, given = _wanted(request)
        page = public.page(chosen, page_number(request))
        query = urlencode({name: text for name, text in given.items() if text})

        def link(words: str, number: int) -> Link | None:
            there = 1 <= number <= page.pages
            return Link(words, f"/public/queries?{query}&page={number}".replace("?&", "?")) if there else None

        return {
            "page": page,
            "fields": Fields(given),
            "outcomes": [("", "All"), *OUTCOMES.items()],
            "query": query,
            "newer": link("Newer uses", page.number + 1),
            "older": link("Older uses", page.number - 1),
        }

    twins = {
        "json": lambda: encode(public.log(_uses(request, public))),
        "csv": lambda: public.log_csv(_uses(request, public)).encode(),
    }
    return await show(request, public, "public/queries.html", make, twins)


# -- files ---------------------------------------------------------------------------------------------


@router.get("/register/data.json")
@acts("public.read")
async def register_json(request: Request, public: PublicDep) -> Response:
    """The register with the signatures that it rests on."""
    return await data(request, public.register, name="register.json")


@router.get("/register/data.csv")
@acts("public.read")
async def register_csv(request: Request, public: PublicDep) -> Response:
    """The register as a table."""
    return await table(request, public.register_csv, name="register.csv")


@router.get("/register/crate.zip")
@acts("public.read")
async def register_crate(request: Request, public: PublicDep) -> Response:
    """The register, the log and the numbers as a research object."""
    body = await asyncio.to_thread(public.register_crate, encode)
    return reply(request, body, ZIP, name="register.zip")


@router.get("/projects/{name}/data.json")
@acts("public.read")
async def project_json(name: str, request: Request, public: PublicDep) -> Response:
    """One entry with its signatures."""
    return await data(request, lambda: public.entry(name).document())


@router.get("/promise/data.json")
@acts("public.read")
async def promise_json(request: Request, public: PublicDep) -> Response:
    """The numbers."""
    return await data(request, lambda: public.numbers().document())


@router.get("/inputs/data.json")
@acts("public.read")
async def inputs_json(request: Request, public: PublicDep) -> Response:
    """The inputs with the signed decisions on them."""
    return await data(request, public.inputs_data, name="inputs.json")


@router.get("/inputs/data.csv")
@acts("public.read")
async def inputs_csv(request: Request, public: PublicDep) -> Response:
    """The inputs as a table."""
    return await table(request, public.inputs_csv, name="inputs.csv")


@router.get("/queries/data.json")
@acts("public.read")
async def queries_json(request: Request, public: PublicDep) -> Response:
    """The log, all pages unless one is named."""
    return await data(request, lambda: public.log(_uses(request, public)), name="log.json")


@router.get("/queries/data.csv")
@acts("public.read")
async def queries_csv(request: Request, public: PublicDep) -> Response:
    """The log as a table, all pages unless one is named."""
    return await table(request, lambda: public.log_csv(_uses(request, public)), name="log.csv")


def _uses(request: Request, public: Public) -> list[Any]:
    wanted, number = _wanted(request)[0], page_number(request)
    return public.all_uses(wanted) if number is None else list(reversed(public.page(wanted, number).uses))


@router.get("/queries/{hash_}")
@acts("public.read")
async def query(hash_: str, request: Request, public: PublicDep) -> Response:
    """One question, and every time that it was asked."""
    twins = {"json": lambda: encode(public.question_document(hash_))}

    def make() -> dict[str, Any]:
        uses = public.question(hash_, newest=USES + 1)
        return {"uses": uses[-USES:], "more": len(uses) > USES, "sentences": public.in_words(uses)}

    return await show(request, public, "public/query.html", make, twins)


@router.get("/queries/{hash_}/data.json")
@acts("public.read")
async def query_json(hash_: str, request: Request, public: PublicDep) -> Response:
    """One question as data: what it takes to ask it again."""
    return await data(request, lambda: public.question_document(hash_))


@router.get("/releases/{release}/crate.zip")
@acts("public.read")
async def use_crate(release: str, request: Request, public: PublicDep) -> Response:
    """One use as a Five Safes RO-Crate."""
    body = await asyncio.to_thread(public.use_crate, release)
    return reply(request, body, ZIP, name=f"use-{release[:12]}.zip")


@router.get("/{rest:path}")
@acts("public.read")
async def nothing(rest: str, request: Request, public: PublicDep) -> Response:
    """What there is not."""

    def make() -> dict[str, Any]:
        raise TrustQueryError("usage-not-here")

    return await show(request, public, "public/help.html", make)
