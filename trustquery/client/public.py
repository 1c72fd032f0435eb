"""What anybody may read of a federation: no sign-in, only the connection that ``tq login`` once made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from trustquery.client.config import ClientHome
from trustquery.client.signin import open_http
from trustquery.codelists import PublicTable
from trustquery.errors import TrustQueryError
from trustquery.identity import Root
from trustquery.language.parameters import Parameters, read_parameters
from trustquery.model import Query as Model
from trustquery.planning import compile_plan
from trustquery.privacy.budget import delta_for, epsilon_of

if TYPE_CHECKING:
    from trustquery.client.project import Project
    from trustquery.client.query import Query

__all__ = ["PublicQuery", "ask_again", "differences", "fetch_file", "fetch_query", "read_public_query", "read_root"]


@dataclass(frozen=True)
class PublicQuery:
    """A question as the public log has it; its model was checked against its hash here.

    Attributes:
        document: the whole answer, as data.
        tables: public tables that came with it.
    """

    query_hash: str
    dataset: str
    sql: str
    parameters: Parameters
    model: Model
    tables: tuple[PublicTable, ...]
    document: dict[str, Any]

    def draft(self) -> str:
        """A new draft that says where it comes from."""
        uses = self.document["uses"]
        whence = " ".join(f"of project {uses[-1]['project']}, {uses[-1]['date']}.".split())
        origin = f"-- From query {self.query_hash}\n-- {whence}\n"
        given = json.dumps(self.document["parameters"], ensure_ascii=False, sort_keys=True)
        values = f"-- It was asked with these values: {given}\n" if self.parameters else ""
        return f"{origin}{values}{self.sql.rstrip()}\n"


def read_public_query(document: dict[str, Any]) -> PublicQuery:
    """Check that a question is the one that its hash names.

    Raises:
        TrustQueryError: ``auth-document``, ``query-model-invalid``, ``query-input-invalid``.
    """
    try:
        payload = str(document["model"]).encode()
        named, sql = str(document["query_hash"]), str(document["sql"])
        tables = tuple(PublicTable.from_document(dict(item)) for item in document["inputs"])
        parameters = read_parameters(document["parameters"])
        dataset = str(document["dataset"])
    except (KeyError, TypeError, ValueError) as error:
        raise TrustQueryError("auth-document", document="query", problem="it has another form") from error
    if hashlib.sha256(payload).hexdigest() != named:
        raise TrustQueryError("auth-document", document="query", problem="its model is not the one that its hash names")
    return PublicQuery(named, dataset, sql, parameters, Model.from_payload(payload), tables, document)


def fetch_query(home: ClientHome, hash_: str) -> PublicQuery:
    """A question of the public log.

    Args:
        hash_: of the question or of one use of it; 8 digits or more.

    Raises:
        TrustQueryError: ``query-not-public``, ``auth-document``, ``node-unreachable``.
    """
    with open_http(home, home.settings()) as http:
        found = read_public_query(http.get(f"/public/queries/{hash_}/data.json"))
    releases = {str(use["release"]) for use in found.document["uses"]}
    if not any(name.startswith(hash_) for name in {found.query_hash, *releases}):
        raise TrustQueryError("auth-document", document="query", problem="it is another one than was asked for")
    return found


def ask_again(project: Project, found: PublicQuery, *, dataset: str | None = None, fresh: bool = False) -> Query:
    """A public question as a query of a project: same text, values and terms. Nothing is sent.

    Where the catalogue and the public tables are the same, it has the same hash, and a trust that has answered it on
    the same data gives the same answer again at no cost. ``differences`` says where it has not.

    Raises:
        TrustQueryError: ``query-…``, ``project-dataset-not-permitted``.
    """
    chosen = dataset or found.dataset
    people = project.connection.dataset(chosen).unit.declared_people
    # Rounded up, so that it allows the very rho that was asked for.
    epsilon = epsilon_of(found.model.rho_nano, delta_for(people), places=12)
    query = project.sql(
        found.sql,
        epsilon=epsilon,
        dataset=chosen,
        fresh=fresh,
        parameters=found.parameters,
        inputs=found.tables,
        unknown_keys=found.model.has_unknown_keys,
    )
    if len(query.model.terms) != len(found.model.terms):
        return query
    model = query.model.on(found.model.terms)
    asked = query.question
    plan = compile_plan(model, asked.catalogue, asked.public)
    return replace(query, question=replace(asked, model=model, plan=plan, choice=replace(asked.choice, query=model)))


def differences(query: Query, found: PublicQuery) -> tuple[str, ...]:
    """Why a query is not the public question that it was made from, in words; nothing when it is."""
    if query.model.sha256 == found.query_hash:
        return ()
    told = {
        "the catalogue has changed since": query.model.catalogue_sha256 != found.model.catalogue_sha256,
        "other public tables are pinned": query.model.inputs != found.model.inputs,
        "the bounds or the budget are others": query.model.terms != found.model.terms,
        "the day as of which it is asked is another": query.model.as_of != found.model.as_of,
    }
    return tuple(words for words, so in told.items() if so) or ("the text means something else here",)


def fetch_file(home: ClientHome, path: str) -> bytes:
    """A public page or file.

    Raises:
        TrustQueryError: ``node-unreachable``, or what the coordinator says.
    """
    with open_http(home, home.settings()) as http:
        return http.fetch(path)


def read_root(home: ClientHome) -> Root:
    """The federation's trust anchor as the connection was made.

    Raises:
        TrustQueryError: ``config-missing``, ``auth-document``.
    """
    try:
        return Root.from_payload(home.root.read_bytes())
    except OSError as error:
        raise TrustQueryError("config-missing", path=home.root, instead="give --root FILE") from error
