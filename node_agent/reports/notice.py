"""A privacy notice in plain English: what Articles 13 and 14 of the UK GDPR ask a controller to tell people."""

from __future__ import annotations

from node_agent.reports.dpia import retention
from node_agent.reports.projects import projects, promise
from node_agent.reports.setting import Setting
from node_agent.reports.words import OPT_OUTS, bullets, day_of, named, plain, to_write

__all__ = ["notice"]


def notice(setting: Setting, *, contact: str = "", dpo: str = "") -> str:
    """The notice in Markdown.

    Args:
        contact: whom patients write to; marked where it is absent. ``dpo`` is the data protection officer, likewise.
    """
    lines = [
        f"# How {plain(setting.trust)} uses your records to answer questions about health",
        "",
        f"This notice was drawn up on {day_of(setting.now)} from what our system is set up to do.",
        "",
        *_who(setting, contact, dpo),
        *_what(setting),
        *_why(setting),
        *_leaves(setting),
        "## How long we keep it",
        "",
        *bullets(retention(setting)),
        to_write("how long the trust keeps the records themselves."),
        "",
        *_rights(setting),
        *_opting_out(setting),
        *_complaints(),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _who(setting: Setting, contact: str, dpo: str) -> list[str]:
    write = plain(contact) if contact.strip() else to_write("address for questions of patients (`--contact`).")
    officer = plain(dpo) if dpo.strip() else to_write("data protection officer and how to reach them (`--dpo`).")
    return [
        "## Who we are",
        "",
        (
            f"{plain(setting.trust)} (organisation code {plain(setting.config.node.ods)}) decides how your records are "
            "used. In the words of the law we are the controller."
        ),
        "",
        *bullets([f"Questions about this notice: {write}", f"Data protection officer: {officer}"]),
    ]


def _what(setting: Setting) -> list[str]:
    lines = ["## Which records", "", "The records that we hold about your care. They come from our own systems:", ""]
    answered = [item for item in setting.datasets if item.answered]
    lines += bullets(f"{plain(item.title)}: {plain(item.description)}" for item in answered)
    if not answered:
        lines[-1:] = ["None at present.", ""]
    return lines


def _why(setting: Setting) -> list[str]:
    lines = [
        "## Why, and what allows it",
        "",
        (
            f"We take part in {plain(setting.federation)}. Approved people ask questions about the health of many "
            "patients together, for example how many people stay in hospital and for how long."
        ),
        "",
    ]
    if setting.policy is not None:
        purposes = ", ".join(map(named, setting.policy.who.purposes))
        lines += [f"We answer for these purposes and no others: {purposes or 'none at present'}.", ""]
    lines += ["Your records are never used for marketing or insurance. These projects are answered now:", ""]
    return [*lines, *projects(setting)]


def _leaves(setting: Setting) -> list[str]:
    return [
        "## What leaves the trust",
        "",
        (
            "Your record never leaves, nor your name, NHS number, address or dates. Only figures about patients leave, "
            "such as a count. We add random noise to each of them first, which limits what all of them together can "
            "tell about whether any one person is among our patients. These are the limits, and our system keeps them:"
        ),
        "",
        *promise(setting),
        (
            f"The figures go to the coordinator of {plain(setting.federation)} ({plain(setting.coordinator)}) and to "
            "the people named above. What they ask and what it cost is public."
        ),
        "",
        to_write("whether any of this is outside the United Kingdom, and the safeguards if so."),
        "",
        "No decision about you is made by a machine, and none is made from these figures about you alone.",
        "",
    ]


def _rights(setting: Setting) -> list[str]:
    bases = [item.permit.lawful_basis for item in setting.accepted]
    rights = [
        "to be told how your records are used: this notice",
        "to see your record and have a copy",
        "to have mistakes put right",
        "to ask us to limit how we use it",
        "to ask us to erase it, in some cases",
    ]
    if any(basis.article_6.startswith(("6(1)(e)", "6(1)(f)")) for basis in bases):
        rights.append("to object to this use, because it rests on Article 6(1)(e) or (f)")
    if any(basis.article_6.startswith("6(1)(a)") or basis.article_9.startswith("9(2)(a)") for basis in bases):
        rights.append("to withdraw your consent at any time, where a project above rests on consent")
    if any(basis.article_6.startswith(("6(1)(a)", "6(1)(b)")) for basis in bases):
        rights.append("to take your data with you, where a project above rests on consent or a contract")
    return [
        "## Your rights",
        "",
        "You have the right:",
        "",
        *bullets(rights),
        "Figures that have left cannot be taken back: they hold nobody's record, so nobody's can be found in them.",
        "",
    ]


def _opting_out(setting: Setting) -> list[str]:
    said = [f"{OPT_OUTS.get(word, plain(word))}." for word in setting.treatments]
    return [
        "## Opting out",
        "",
        (
            "You may opt out of your confidential patient information being used for research and planning: "
            "[your NHS data matters](https://www.nhs.uk/your-nhs-data-matters/). In the projects above:"
        ),
        "",
        *bullets(said or ["nothing is answered at present."]),
    ]


def _complaints() -> list[str]:
    return [
        "## Complaints",
        "",
        (
            "Tell us first, if you can. You may always complain to the Information Commissioner's Office: "
            "[make a complaint](https://ico.org.uk/make-a-complaint/)."
        ),
    ]
