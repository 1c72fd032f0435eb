"""Research-object crates: one use as a Five Safes RO-Crate 0.4, the register and the log as a plain RO-Crate.

A Five Safes crate is one access to sensitive data: who asked for which project, the code, who approved it by which
agreement, and what came out. That is a use, not a line of a register. Days stand as midnight UTC: the log shows no
times.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from coordinator.transparency.bag import bag
from coordinator.transparency.register import Entry
from coordinator.transparency.uses import OUTCOMES, Use
from trustquery.projects.register import rho_text, said

__all__ = ["CRATE", "LICENCE", "PROFILE", "register_crate", "use_crate"]

CRATE = "https://w3id.org/ro/crate/1.3"
WORKFLOW_CRATE = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/5s-crate/0.4"
WORKFLOW_PROFILE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
LICENCE = "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/"
_SHP = "https://w3id.org/shp#"
_SHA512 = "https://www.iana.org/assignments/named-information#sha-512"
_SQL = "https://www.iso.org/standard/76583.html"
_DONE, _FAILED = "http://schema.org/CompletedActionStatus", "http://schema.org/FailedActionStatus"

Node = dict[str, Any]


def _id(name: str) -> Node:
    return {"@id": name}


def _ids(names: Iterable[str]) -> list[Node]:
    return [_id(name) for name in names]


def _moment(day: str) -> str:
    return f"{day}T00:00:00Z"


def _json(document: Any) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def _metadata(nodes: Iterable[Node], *, crate: str = CRATE, profiles: Iterable[str] = ()) -> bytes:
    descriptor = {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "about": _id("./"),
        "conformsTo": _ids([crate, *profiles]),
    }
    graph = [{name: _compact(value) for name, value in node.items()} for node in (descriptor, *nodes)]
    kept = [{name: value for name, value in node.items() if value != []} for node in graph]
    return _json({"@context": f"{crate}/context", "@graph": kept})


def _compact(value: Any) -> Any:
    """A list of one thing is that thing."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _shared(federation: str, home: str) -> list[Node]:
    """What every crate names."""
    return [
        {
            "@id": LICENCE,
            "@type": "CreativeWork",
            "name": "Open Government Licence v3.0",
            "description": "Free to use with attribution.",
        },
        {"@id": "#federation", "@type": "Organization", "name": f"TrustQuery federation {federation}", "url": home},
    ]


def _file(path: str, content: bytes, name: str, kind: str, **more: Any) -> Node:
    size = {"contentSize": str(len(content)), "description": f"{name}."}
    return {"@id": path, "@type": "File", "name": name, "encodingFormat": kind, **size, **more}


def _workflow(use: Use) -> dict[str, bytes]:
    """The query as a Workflow RO-Crate of its own, in a folder."""
    sql = use.row.sql.encode()
    short = use.row.query_hash[:12]
    readme = f"# Query {short}\n\nAsk it again: `tq query run --from {short} --project PROJECT`\n".encode()
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Query {use.row.query_hash[:12]}",
        "description": "One SELECT in TrustQuery's query language, and nothing else.",
        "datePublished": use.date,
        "license": _id(LICENCE),
        "publisher": _id("#trustquery"),
        "conformsTo": _id(WORKFLOW_PROFILE),
        "hasPart": _ids(["query.sql", "README.md"]),
        "author": _id("#trustquery"),
        "mainEntity": _id("query.sql"),
    }
    query = _file(
        "query.sql",
        sql,
        f"Query {use.row.query_hash[:12]}",
        "application/sql",
        identifier=use.row.query_hash,
        license=_id(LICENCE),
        programmingLanguage=_id("#sql"),
        version=use.row.query_hash[:12],
    )
    query["@type"] = ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
    nodes: list[Node] = [
        root,
        query,
        _file("README.md", readme, "How to ask it again", "text/markdown", about=_id("./")),
        {
            "@id": "#sql",
            "@type": "ComputerLanguage",
            "name": "TrustQuery SQL (DuckDB's flavour)",
            "alternateName": "SQL",
            "identifier": _id(_SQL),
            "url": _id(_SQL),
        },
        {"@id": _SQL, "@type": "WebPage", "name": "ISO/IEC 9075, SQL"},
        {"@id": "#trustquery", "@type": "Organization", "name": "TrustQuery"},
        _shared("", "")[0],
    ]
    metadata = _metadata(nodes, crate=WORKFLOW_CRATE, profiles=[WORKFLOW_PROFILE])
    return {"workflow/query.sql": sql, "workflow/README.md": readme, "workflow/ro-crate-metadata.json": metadata}


def _assess(name: str, kind: str, words: str, day: str, agent: str, *, status: str = _DONE, **more: Any) -> Node:
    return {
        "@id": f"#{name}",
        "@type": "AssessAction",
        "additionalType": _id(_SHP + kind),
        "name": words,
        "endTime": _moment(day),
        "agent": _id(agent),
        "actionStatus": status,
        "object": _ids(["./"]),
    } | more


def _people(use: Use, entry: Entry) -> list[Node]:
    """Project, organisation and the person who asked, who is known by role alone."""
    columns = entry.columns
    project: Node = {
        "@id": "#project",
        "@type": "Project",
        "name": columns["Project title"],
        "description": columns["Lay summary"],
        "identifier": _id("#project-id"),
        "member": _ids(["#organisation"]),
    }
    funders = entry.application.funders if entry.application is not None else ()
    grants: list[Node] = [
        {"@id": f"#funding-{place}", "@type": "Grant", "name": said(funder)} for place, funder in enumerate(funders, 1)
    ]
    if grants:
        project["funding"] = _ids(grant["@id"] for grant in grants)
    return [
        project,
        *grants,
        {"@id": "#project-id", "@type": "PropertyValue", "name": "TrustQuery project", "value": use.row.project},
        {"@id": "#organisation", "@type": "Organization", "name": columns["Organisation name"]},
        {
            "@id": "#asker",
            "@type": "Person",
            "name": f"{use.role} of the project; the log names no one person",
            "affiliation": _id("#organisation"),
            "memberOf": _ids(["#project"]),
        },
    ]


def _parameters(use: Use) -> tuple[list[Node], list[str]]:
    nodes: list[Node] = []
    for place, (name, value) in enumerate(sorted(use.parameters.items()), 1):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        given = {"@id": f"#given-{place}", "@type": "PropertyValue", "name": name, "value": text}
        nodes.append(given | {"exampleOfWork": _id(f"#parameter-{place}")})
        nodes.append({"@id": f"#parameter-{place}", "@type": "FormalParameter", "name": name, "additionalType": "Text"})
    return nodes, [node["@id"] for node in nodes if node["@type"] == "PropertyValue"]


def _reviews(use: Use, approved: str) -> list[Node]:
    """Who looked at it, in the order of the phases."""
    day = use.date
    found = [
        _assess("check", "CheckValue", "Signature of the question and the hashes in it: correct", day, "#coordinator"),
        _assess(
            "validate", "ValidationCheck", "The text is a question that the query language allows: valid", day,
            "#coordinator", instrument=_id("#query-language"),
        ),
        _assess(
            "signoff", "SignOff", "Permit signed by two members of the data access committee: approved", approved,
            "#committee", instrument=_id("permit.json"), object=_ids(["./", "workflow/", "#project"]),
        ),
    ]  # fmt: skip
    for trust in use.trusts:
        words = ", ".join((trust.word, *trust.reasons))
        name = (
            f"Decision of {trust.node} under its own policy and ledger: {words}; charged rho {rho_text(trust.rho_nano)}"
        )
        good = trust.word in ("answered", "late")
        found.append(
            _assess(
                f"trust-{trust.node}", "SignOff", name, day, f"#node-{trust.node}", status=_DONE if good else _FAILED,
                object=_ids(["./", "workflow/", "#project"]),
            )
        )  # fmt: skip
    words = "Noise for differential privacy was added inside each trust that answered, before anything left it: "
    released = use.outcome == "released"
    outcome = "approved" if released else "nothing was released"
    status = _DONE if released else _FAILED
    if use.review is not None:
        looked = f"{use.review_words}. Each looked at the merged table alone first, until a planned deadline"
        found.append(_assess("review", "DisclosureCheck", looked, day, "#output-checkers", status=status))
    found.append(_assess("disclosure", "DisclosureCheck", words + outcome, day, "#coordinator", status=status))
    return found


def use_crate(use: Use, entry: Entry, federation: str, home: str) -> bytes:
    """One use as a Five Safes RO-Crate, in a BagIt bag, in a ZIP archive.

    Args:
        entry: the register's entry of its project.
        home: address of the public record.
    """
    files = _workflow(use) | {"use.json": _json(use.document()), "permit.json": use.row.permit}
    given, objects = _parameters(use)
    outputs: list[Node] = []
    if use.published is not None:
        files["outputs/table.json"] = _json(use.published)
        outputs.append(_file("outputs/table.json", files["outputs/table.json"], "Result table", "application/json"))
        if "criteria" in use.published:
            files["outputs/criteria.json"] = _json(use.published["criteria"])
            words = "Criteria under which it was disclosed"
            outputs.append(_file("outputs/criteria.json", files["outputs/criteria.json"], words, "application/json"))
    reviews = _reviews(use, entry.approved)
    run: Node = {
        "@id": "#use",
        "@type": "CreateAction",
        "name": f"Query {use.row.query_hash[:12]} run inside the trusts: {use.columns['Outcome']}",
        "actionStatus": _DONE if use.outcome == "released" else _FAILED,
        "endTime": _moment(use.date),
        "agent": _id("#asker"),
        "instrument": _id("workflow/"),
        "object": _ids(objects),
        "result": _ids(node["@id"] for node in outputs),
    }
    if use.outcome != "released":
        missing = use.columns["Trusts that did not, with reason"]
        run["error"] = OUTCOMES[use.outcome] if use.outcome == "returned" else missing
    bagged: Node = {
        "@id": "#bagged",
        "@type": "UpdateAction",
        "additionalType": _id(_SHP + "GenerateCheckValue"),
        "name": "BagIt manifests written",
        "startTime": _moment(use.date),
        "object": _ids(["./"]),
        "instrument": _id(_SHA512),
        "agent": _id("#coordinator"),
        "actionStatus": _DONE,
    }
    parts = [
        _file("use.json", files["use.json"], "The use as the public log has it", "application/json"),
        _file("permit.json", files["permit.json"], "The signed permit", "application/json"),
        *outputs,
    ]
    workflow = {
        "@id": "workflow/",
        "@type": "Dataset",
        "name": f"Query {use.row.query_hash[:12]}",
        "description": "The query's text as a Workflow RO-Crate of its own.",
        "conformsTo": _id(WORKFLOW_PROFILE),
        "hasPart": _ids(["workflow/query.sql", "workflow/README.md", "workflow/ro-crate-metadata.json"]),
    }
    root: Node = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Use {use.row.release_id[:12]} of project {use.row.project}",
        "description": "One question asked of data that stayed inside the trusts, from the public log. "
        "Times are given to the day.",
        "identifier": use.row.release_id,
        "datePublished": use.date,
        "license": _id(LICENCE),
        "publisher": _id("#federation"),
        "conformsTo": _id(PROFILE),
        "hasPart": _ids(["workflow/", *(part["@id"] for part in parts)]),
        "mainEntity": _id("workflow/"),
        "mentions": _ids(["#use", *(review["@id"] for review in reviews), "#bagged"]),
        "sourceOrganization": _id("#project"),
    }
    nodes = [
        root,
        {"@id": PROFILE, "@type": ["CreativeWork", "Profile"], "name": "Five Safes RO-Crate profile", "version": "0.4"},
        workflow,
        _file("workflow/query.sql", files["workflow/query.sql"], "The query's text", "application/sql"),
        _file("workflow/README.md", files["workflow/README.md"], "How to ask it again", "text/markdown"),
        _file(
            "workflow/ro-crate-metadata.json",
            files["workflow/ro-crate-metadata.json"],
            "What the workflow consists of",
            "application/ld+json",
        ),
        *parts,
        run,
        *given,
        *_people(use, entry),
        *reviews,
        bagged,
        *_agents(use, federation, home),
        *_shared(federation, home),
    ]
    files["ro-crate-metadata.json"] = _metadata(nodes)
    name = f"use-{use.row.release_id[:12]}"
    return bag(name, files, subject=f"use:{use.row.release_id}", day=use.date, about=root["name"])


def _agents(use: Use, federation: str, home: str) -> list[Node]:
    nodes = [
        {"@id": f"#node-{trust.node}", "@type": "Organization", "name": f"Trust {trust.node}"} for trust in use.trusts
    ]
    name = f"Output checkers of federation {federation}"
    checkers: list[Node] = [{"@id": "#output-checkers", "@type": "Organization", "name": name}] if use.review else []
    return [
        {
            "@id": "#coordinator",
            "@type": "SoftwareApplication",
            "name": "TrustQuery coordinator",
            "url": home,
            "version": "1",
            "provider": _id("#federation"),
        },
        {"@id": "#committee", "@type": "Organization", "name": f"Data access committee of federation {federation}"},
        {"@id": "#query-language", "@type": "CreativeWork", "name": "TrustQuery query language and its checker"},
        {"@id": _SHA512, "@type": "DefinedTerm", "name": "sha-512 algorithm"},
        *checkers,
        *nodes,
    ]


def register_crate(files: Mapping[str, tuple[bytes, str, str]], federation: str, home: str, day: str) -> bytes:
    """The register and the log as a plain RO-Crate, in a BagIt bag, in a ZIP archive.

    Args:
        files: path to content, media type and what it is, in words.
    """
    nodes = [_file(path, content, words, kind) for path, (content, kind, words) in sorted(files.items())]
    root: Node = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Public register and log of uses of federation {federation}, {day}",
        "description": "Every project with a permit, every use, and the promise in numbers.",
        "datePublished": day,
        "license": _id(LICENCE),
        "publisher": _id("#federation"),
        "hasPart": _ids(node["@id"] for node in nodes),
    }
    payload = {path: content for path, (content, _, _) in files.items()}
    payload["ro-crate-metadata.json"] = _metadata([root, *nodes, *_shared(federation, home)])
    return bag(f"register-{day}", payload, subject=f"register:{federation}:{day}", day=day, about=root["name"])
