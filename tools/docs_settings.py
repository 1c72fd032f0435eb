"""Reference pages of what people write, sign and check: settings, policies, documents, the public log."""

import re
from pathlib import Path
from typing import Any

from tools.docs_markdown import above, attributes, code, doc, fence, fields, join, markdown, paragraphs, table

ROOT = Path(__file__).resolve().parent.parent
POLICY_SAMPLE = "policies/examples/standard-acute-trust.toml"
POLICY_CLOSED = "policies/baseline/closed.toml"


def _sections(*models: tuple[str, Any]) -> list[str]:
    parts = []
    for title, model in models:
        parts += [f"### {title}", markdown(doc(model)), fields(model)]
    return parts


def configuration() -> str:
    """Both settings files: the annotated samples, and every key with its limits."""
    from coordinator import config as operator
    from node_agent import config as node

    return join(
        """
        Settings are TOML. An unknown key is an error that names the nearest known one. No setting can weaken
        privacy: what a trust answers is decided by its signed [policy](policy.md). Secrets are never written in
        these files.
        """,
        "## The node: node.toml",
        "`tq-node config init` writes this file below the node's home, and `tq-node config check` reads it.",
        fence((ROOT / "node_agent/node.sample.toml").read_text(encoding="utf-8"), "toml"),
        *_sections(
            ("`[node]`", node.TrustConfig),
            ("`[coordinator]`", node.LinkConfig),
            ("`[proxy]`", node.ProxyConfig),
            ("`[answer]`", node.AnswerConfig),
            ("`[engine]`", node.EngineConfig),
            ("`[[source]]`", node.SourceConfig),
        ),
        "### The node's home",
        paragraphs(doc(node.Home)),
        paragraphs(doc(node.default_home)),
        "## The coordinator: coordinator.toml",
        "`tq-coordinator init` writes this file, and `tq-coordinator config check` reads it. Every key is needed; the "
        "table `[websocket]` may be left out.",
        fence(operator.sample_text(), "toml"),
        *_sections(
            ("`[api]`, `[nodes]` and `[websocket]`", operator.Endpoint),
            ("`[database]`", operator.Database),
            ("`[queries]`", operator.Queries),
            ("`[sessions]`", operator.Sessions),
        ),
        "### The coordinator's home",
        paragraphs(doc(operator.find_home)),
        "## A witness: witness.toml",
        "`tq-witness run --sample` prints this file, and `tq-witness run --check` reads it.",
        fence((ROOT / "witness/witness.sample.toml").read_text(encoding="utf-8"), "toml"),
    )


def preflight() -> str:
    """Every check of `tq-node preflight`, with every outcome and its fix."""
    from node_agent.preflight import CHECKS, Outcome
    from node_agent.preflight.results import ANYWHERE

    def outcomes(found: tuple[Outcome, ...]) -> str:
        return table(["Result", "Found", "Fix"], [(one.kind, one.text, one.fix) for one in found])

    parts = [
        """
        `tq-node preflight` looks at this machine and its network; before enrolment give it the code. It changes
        nothing, opens no session and reads no row, and nothing that it shows depends on the data. Each check has a
        time limit. A check that cannot look is *skipped*, with the reason, and never counts as passed. The exit status
        is 3 when anything failed, else 0. [Join from behind a proxy](../how-to/join-from-behind-a-proxy.md) tells what
        to do in order.
        """,
    ]
    for check in CHECKS:
        parts += [f"## {check.name}", f"{check.asks} At most {check.seconds:g} seconds.", outcomes(check.outcomes)]
    return join(*parts, "## What any check may say", outcomes(ANYWHERE))


def _parts_of_a_policy() -> list[tuple[str, Any]]:
    """Each part of the schema, under the place where it first stands; new parts come by themselves."""
    from trustquery.policy.meaning import every_field, part_of
    from trustquery.policy.schema import Policy

    found: dict[Any, str] = {}
    for place, model, name in every_field(Policy):
        part = part_of(model.model_fields[name].annotation)
        if part is not None:
            found.setdefault(part, place)
    return [(code(place), part) for part, place in found.items()]


def policy() -> str:
    """The annotated sample policy, every key, and the rules."""
    from trustquery.policy import RULES, schema

    rules = (
        [n, code(rule.id), doc(rule.check), ", ".join(code(key) for key in rule.keys) or "-"]
        for n, rule in enumerate(RULES, 1)
    )
    return join(
        paragraphs(doc(schema)),
        f"""
        A policy is TOML that governance writes and two of its people sign. Without a signed policy in force the node
        answers nothing. Deny wins, and a rule that cannot be evaluated refuses. Start from
        [a policy that answers nothing]({above(POLICY_CLOSED)}). There is a
        [JSON Schema]({above("policies/schema/policy.schema.json")}).
        """,
        "## An annotated policy",
        f"From [{POLICY_SAMPLE}]({above(POLICY_SAMPLE)}).",
        fence((ROOT / POLICY_SAMPLE).read_text(encoding="utf-8"), "toml"),
        "## Rules",
        "A query is allowed only when none of these objects. Decisions, logs and refusals name a rule by its id.",
        table(["#", "Rule id", "What it requires", "Keys it reads"], rules),
        "## Keys",
        *_sections(("Top level", schema.Policy), *_parts_of_a_policy()),
    )


def public_log() -> str:
    """The coordinator's log: where its files lie, and what each entry says."""
    from trustquery.log import TEXTS, Entry

    about = _ENTRY_FIELDS | attributes(Entry)
    return join(
        """
        The coordinator writes one entry for each thing that happens: a sign-in, an approval, a question and its end,
        what each trust said and charged. The entry is written in the same transaction as the thing; where it cannot be
        written, the thing is not done. Anybody may read and check the whole log:
        [verify the log](../how-to/verify-the-log.md). Why it is so:
        [decision record 0044](../adr/0044-one-entry-for-each-thing-that-happens.md).
        """,
        "## Where it lies",
        table(
            ["Below `/public/log/`", "What", "Format (C2SP)"],
            [
                [
                    "`checkpoint`",
                    "the signed head, with its witnesses' lines",
                    "checkpoint, signed-note, tlog-cosignature",
                ],
                ["`tile/LEVEL/INDEX`", "256 hashes of RFC 6962, or `.p/WIDTH` of them", "tlog-tiles"],
                ["`tile/entries/INDEX`", "256 entries, each behind its length in two bytes", "tlog-tiles"],
                ["`key`", "the verifier key; the roster says it as well", "signed-note"],
            ],
        ),
        """
        The log's name is the federation's, then `/coordinator`. Its head is signed with the coordinator's key, which
        the roster names, and again by witnesses: nodes, named after the federation, `/node/` and their ODS code, and
        stand-alone ones.
        """,
        "## An entry",
        paragraphs(doc(Entry)),
        table(["Field", "Meaning"], [[f"`{name}`", about[name]] for name in Entry.model_fields]),
        """
        A commitment is HMAC-SHA256 in hexadecimal, under a salt of the entry's own, over `person` or `words`, a zero
        byte and the value. The salts are in no entry. Who is shown one can check what the entry hides
        (`tq-coordinator log open`). Those of a person can be erased (`tq-coordinator log erase`), and then nobody can.
        """,
        "## What each kind says",
        table(["Kind", "Text"], [[f"`{kind}`", TEXTS[kind]] for kind in sorted(TEXTS)]),
        """
        What happens to a draft of an application has no project in its entry: it concerns the team alone. The entry of
        a question names project and release; its text is on the public page of its use once it has ended.
        """,
    )


_ENTRY_FIELDS = {"kind": "one of the table below"}


def documents() -> str:
    """Signed documents: their fields and their schemas."""
    from trustquery.identity import admission, governance
    from trustquery.identity import documents as kinds
    from trustquery.identity import federation as parties
    from trustquery.policy.schemas import schemas
    from trustquery.projects import application, decisions, inputs
    from trustquery.reviews import verdict as reviews

    paths = {Path(path).name.removesuffix(".schema.json"): path for path in schemas()}
    parts = [
        """
        Each document travels in a DSSE envelope. The payload is RFC 8785 canonical JSON without floats, and its type
        is `application/vnd.trustquery.<kind>.v1+json` (v2 for a root, a roster, a revocation statement and a permit).
        The reader verifies the bytes received, then requires that encoding them again gives the same bytes. An unknown
        field is refused.
        [Formats](formats.md#signed-documents) says more.
        """,
        markdown(doc(kinds).partition("\n\n")[2]),
        "The policy is a signed document too, and has [a page of its own](policy.md).",
    ]
    order = (
        parties.Root,
        parties.Roster,
        parties.Revocations,
        admission.Admission,
        application.Application,
        kinds.Permit,
        decisions.Decision,
        kinds.Acceptance,
        decisions.Stance,
        decisions.CloseDown,
        inputs.InputDecision,
        governance.GovernanceList,
        governance.Order,
        kinds.Intent,
        kinds.Answer,
        reviews.Review,
    )
    for model in order:
        link = f"[JSON Schema]({above(paths[model.KIND])})"
        parts += [f"## {model.KIND}", f"{markdown(doc(model))} {link}.", fields(model)]
    shared = (
        parties.NodeEntry,
        parties.Revoked,
        kinds.Person,
        application.TeamMember,
        kinds.Member,
        kinds.LawfulBasis,
        kinds.Input,
    )
    text = join(*parts, "## Parts", *_sections(*((part.__name__, part) for part in shared)))
    names = "|".join(part.__name__ for part in shared)
    return re.sub(rf"(?<=: |\| )({names})(?= \|)", lambda match: f"[{match[0]}](#{match[0].lower()})", text)
