"""A draft of the data protection impact assessment, in the ICO's seven steps, filled from how the node is set up.

A draft: what only people can judge is marked, and stays marked until they have written it.
"""

from __future__ import annotations

from node_agent.reports.projects import NO_POLICY, caps, projects, promise
from node_agent.reports.setting import ROLES, Dataset, Setting
from node_agent.reports.words import OPT_OUTS, bullets, day_of, named, plain, rho, table, to_write
from trustquery.policy.schema import Review, nano

__all__ = ["draft"]


def draft(setting: Setting, *, dpo: str = "") -> str:
    """The draft in Markdown.

    Args:
        dpo: name and address of the data protection officer, "" where nobody gave it.
    """
    lines = [
        f"# Data protection impact assessment (draft): {plain(setting.trust)}",
        "",
        (
            f"Drawn from the configuration of the node {plain(setting.node)} on {day_of(setting.now)}. It follows the "
            "seven steps of the Information Commissioner's Office. What the configuration cannot know is marked; the "
            "draft is no assessment until people have written that and signed it."
        ),
        "",
        *_need(setting),
        *_processing(setting),
        *_consultation(),
        *_necessity(setting),
        *_risks(setting),
        *_measures(setting),
        *_sign_off(setting, dpo),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _need(setting: Setting) -> list[str]:
    purposes = sorted({item.permit.purpose for item in setting.accepted})
    about = ", ".join(map(named, purposes)) if purposes else "no project yet"
    return [
        "## Step 1: identify the need",
        "",
        (
            f"{plain(setting.trust)} takes part in the federation {plain(setting.federation)}. Researchers and "
            "planners ask questions of the trust's records without getting the records: the node computes figures "
            f"about many patients, adds random noise, and sends those. Purposes of the projects accepted at present: "
            f"{about}."
        ),
        "",
        (
            "An assessment is needed because the trust processes health data on a large scale (UK GDPR, Article "
            "35(3)(b))."
        ),
        "",
        to_write("what the trust itself wants to achieve, and who proposed to take part."),
        "",
    ]


def _processing(setting: Setting) -> list[str]:
    lines = ["## Step 2: describe the processing", "", "### Nature", ""]
    lines += bullets([
        (f"The node reads {_count(len(setting.config.sources), 'dataset')} from files of the trust and prepares a copy "
        f"of the columns that questions may use. That copy is {_encrypted(setting)}."),
        ("A question is answered only if a signed policy, permit and acceptance allow it. It is computed inside the "
        "trust, each patient's part in it is bounded, and noise is added before anything leaves."),
        (f"Noised figures are sent over one connection, which the node opens itself, to {plain(setting.coordinator)}. "
        "While it runs it makes no other connection, and it accepts none."),
        "National data opt-outs and other opt-outs: " + ("; ".join(map(_treatment, setting.treatments)) or NO_POLICY),
    ])  # fmt: skip
    lines += ["### Scope: the data", ""]
    for item in setting.datasets:
        lines += _dataset(item)
    lines += [
        to_write("how many patients, which years and which area the data cover."),
        "",
        "### Context",
        "",
        to_write("how the trust stands to these patients, what they expect, and whether children or other people who "
                 "need more protection are among them."),
        "",
        "### Purposes",
        "",
        *projects(setting),
        "### Retention",
        "",
        *bullets(retention(setting)),
        "### Processors and recipients",
        "",
        *bullets([
            (f"The coordinator of {plain(setting.federation)} at {plain(setting.coordinator)} receives noised figures, "
            "signed documents and refusals. It receives no record and no exact figure of a patient."),
            "The people named on the permits receive the merged, noised figures.",
            "The public reads the register of projects and the log of questions.",
        ]),
        to_write("who runs the node's machine and the coordinator, under which contract, and in which country."),
        "",
    ]  # fmt: skip
    return lines


def retention(setting: Setting) -> list[str]:
    """How long what is kept; sentences."""
    return [
        "The prepared copy of the data is replaced at each refresh; the copy before it is removed at the one after.",
        (
            "The ledger of privacy loss is kept for as long as the trust keeps the data: without it the promise could "
            "not be kept. It holds noised answers that were released, so that the same question gets the same answer."
        ),
        (
            "The record of decisions holds each question with the name of who asked, and no data of patients. It is "
            "kept with the ledger."
        ),
        f"Local logs hold no data of patients; the oldest is dropped when they reach {setting.log_bytes // 2**20} MiB.",
    ]


def _dataset(item: Dataset) -> list[str]:
    said = "The policy in force answers about it." if item.answered else "The policy in force answers nothing about it."
    lines = [f"#### {plain(item.title)} ({plain(item.id)})", "", f"{plain(item.description)} {said}", ""]
    rows = ([role, words, ", ".join(map(plain, item.named(role)))] for role, words in ROLES.items() if item.named(role))
    return [*lines, *table(("Role", "What it is used for", "Columns"), rows)]


def _consultation() -> list[str]:
    return [
        "## Step 3: consider consultation",
        "",
        to_write("whom you asked (patients and the public, the Caldicott guardian, the SIRO, the data protection "
                 "officer, information security), when, and what they said; or why you did not ask."),
        "",
    ]  # fmt: skip


def _necessity(setting: Setting) -> list[str]:
    lines = ["## Step 4: assess necessity and proportionality", "", "Lawful bases of the accepted projects:", ""]
    lines += table(
        ("Project", "Article 6", "Article 9", "Common law duty of confidentiality"),
        ([plain(item.permit.project), *map(plain, _basis(item.permit.lawful_basis))] for item in setting.accepted),
    )
    lines += bullets(_proportion(setting))
    lines += [
        "Patients' rights are told in the privacy notice (`tq-node report --privacy-notice`).",
        "",
        to_write("why the purposes cannot be reached with less, how the trust keeps the data accurate, and how it "
                 "supports patients' rights."),
        "",
    ]  # fmt: skip
    return lines


def _basis(basis: object) -> tuple[str, ...]:
    return tuple(str(getattr(basis, name)) for name in ("article_6", "article_9", "common_law"))


def _proportion(setting: Setting) -> list[str]:
    policy = setting.policy
    if policy is None:
        return [NO_POLICY]
    queries, who = policy.queries, policy.who
    found = [
        (
            "Function creep: purposes are from a closed list about health; marketing and insurance cannot be written "
            f"in a permit. This trust answers: {', '.join(map(named, who.purposes)) or 'none'}."
        ),
        (
            f"Minimisation: one question may show at most {queries.max_cells:,} cells, dates no finer than a "
            f"{queries.finest_date}, and cost at most rho {rho(nano(queries.max_rho))}."
        ),
        f"Small numbers: answered only where the project's presentation withholds counts below "
        f"{queries.min_released_count:,}."
        if queries.min_released_count
        else "Small numbers: no figure is withheld for being small; noise alone protects it.",
        (
            f"People: at most {who.max_queries_per_hour:,} questions of one person in an hour, with training that is "
            f"valid for at least {who.min_training_days:,} more days."
        ),
    ]
    return [*found, _review(policy.review)]


def _review(review: Review) -> str:
    if review.every_query:
        which = "every question"
    else:
        which = f"questions above rho {rho(nano(review.above_rho))} or {review.above_cells:,} cells"
        which += "".join(f", {named(kind)}" for kind in review.of)
    then = (
        f"two of them have {review.minutes:,} minutes, and without two approvals nothing leaves"
        if review.minutes
        else "no time is set for it, so these are refused"
    )
    return f"Questions that people must look at before release: {which}; {then}."


def _risks(setting: Setting) -> list[str]:
    trusts = max((item.max_trusts for item in setting.datasets), default=1)
    rows = [
        ["A reader of all answers works out something about one patient", "the promise below bounds it"],
        [f"A patient seen at several trusts (up to {trusts} declared) loses privacy at each", "losses add; see below"],
        ["Somebody asks for a purpose that patients would not expect", "permit, acceptance, policy"],
        ["The coordinator is broken into", "it holds no data and can sign nothing that the node believes"],
        ["The node's machine is broken into or copied", f"prepared data are {_encrypted(setting)}"],
        ["The ledger is restored from an old copy and spends twice", _witnesses(setting)],
        ["A patient who opted out is in the figures", "; ".join(map(_treatment, setting.treatments)) or NO_POLICY],
        ["Figures are misread, because noise is not understood", "each figure comes with its interval"],
    ]
    return [
        "## Step 5: identify and assess risks",
        "",
        *table(
            ("Risk to people", "What the system does", "Likelihood", "Severity", "Overall"),
            ([what, measure, "To be written", "To be written", "To be written"] for what, measure in rows),
        ),
        to_write("how likely and how severe each risk is at this trust, and any that is missing here."),
        "",
        "What the caps promise one patient, whatever anybody asks:",
        "",
        *promise(setting),
    ]


def _measures(setting: Setting) -> list[str]:
    lines = ["## Step 6: identify measures to reduce the risks", "", "Caps on privacy loss, in rho:", ""]
    lines += table(("Cap on", "In any 12 months", "For life"), caps(setting)) if setting.policy else [NO_POLICY, ""]
    lines += bullets([
        "A loosening of the policy takes two people and 24 hours; a tightening, a pause and a stop act at once.",
        "Every charge is in a ledger whose entries are chained by hashes; " + _witnesses(setting) + ".",
        "`tq-node report` says each month what left; the public register says what is answered and for whom.",
        f"Governance people who sign: {', '.join(map(plain, setting.people)) or 'none'}.",
    ])  # fmt: skip
    return [
        *lines,
        to_write("which measures the trust adds, what remains of each risk, and who approved each measure."),
        "",
    ]


def _sign_off(setting: Setting, dpo: str) -> list[str]:
    officer = plain(dpo) if dpo.strip() else to_write("name of the data protection officer.")
    rows = [
        ["Measures approved by", to_write("name, role, date.")],
        ["Remaining risks approved by", to_write("name, role, date.")],
        ["Data protection officer", officer],
        ["Advice of the data protection officer", to_write("summary, and whether it was followed.")],
        ["Caldicott guardian", to_write("name, date.")],
        ["Consultation responses reviewed by", to_write("name, date.")],
        ["To be reviewed", to_write("by whom and when; at the latest when policy, projects or data change.")],
    ]
    version = f"policy version {setting.policy.version}" if setting.policy is not None else "no policy in force"
    return ["## Step 7: sign off and record outcomes", "", *table(("Item", "Name, position, date"), rows),
            f"This draft is about {version} and {_count(len(setting.accepted), 'accepted project')}.", ""]  # fmt: skip


def _encrypted(setting: Setting) -> str:
    return "encrypted on the disk" if setting.config.store.encrypt else "not encrypted by the node: the disk must be"


def _witnesses(setting: Setting) -> str:
    if setting.policy is None:
        return NO_POLICY
    if setting.policy.bootstrap:
        return "there are no witnesses yet, so a ledger restored from an old copy would go unnoticed"
    return "nothing leaves before witnesses have countersigned the ledger, and without any nothing is answered"


def _treatment(word: str) -> str:
    return OPT_OUTS.get(word, plain(word))


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
