"""The application's questions, one a field: what the form asks, under which of the Five Safes it is read, and which
column of the public register it fills. The form, the pages and the register are made from this table.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["BY_NAME", "QUESTIONS", "Kind", "Question", "Safe"]


class Safe(enum.StrEnum):
    """The Five Safes, in the order in which they are read."""

    PROJECTS = "Safe projects"
    PEOPLE = "Safe people"
    DATA = "Safe data"
    SETTINGS = "Safe settings"
    OUTPUTS = "Safe outputs"


class Kind(enum.StrEnum):
    """How an answer is given. LINES: several lines. NAMES: several plain names. AGREE: yes to the terms."""

    LINE = "line"
    TEXT = "text"
    LINES = "lines"
    NAMES = "names"
    CHOICE = "choice"
    DATE = "date"
    NUMBER = "number"
    TEAM = "team"
    AGREE = "agree"


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        name: the application's field.
        ask: the question, as the form puts it.
        hint: how to answer; shown before the field.
        column: the column of the HDR UK data use register that the answer fills, "" for none.
    """

    name: str
    safe: Safe
    kind: Kind
    label: str
    ask: str
    hint: str
    column: str = ""


_P, _W, _D, _S, _O = Safe.PROJECTS, Safe.PEOPLE, Safe.DATA, Safe.SETTINGS, Safe.OUTPUTS
_K = Kind
# fmt: off
QUESTIONS: tuple[Question, ...] = (
    Question("title", _P, _K.LINE, "Title", "What is the project called?", "One line, in words that a patient understands.", "Project title"),
    Question("purpose", _P, _K.CHOICE, "Purpose", "What is it for?", "A closed list: health and its promotion. Nothing else can be applied for.", ""),
    Question("lay_summary", _P, _K.TEXT, "Lay summary", "What will you do, in plain English?", "For the public. No abbreviations. What, whose data, why.", "Lay summary"),
    Question("public_benefit", _P, _K.TEXT, "Public benefit", "Who is better off because of it, and how?", "Say what may change for patients, and when.", "Public benefit statement"),
    Question("technical_summary", _P, _K.TEXT, "Technical summary", "How will you do it?", "Design, cohort, outcomes, methods: for the committee.", "Technical summary"),
    Question("request_category", _P, _K.CHOICE, "Category", "What kind of work is it?", "The nearest one.", "Request category type"),
    Question("funders", _P, _K.LINES, "Funders", "Who pays for it?", "One a line. Write Not funded where nobody does.", "Funders/ Sponsors"),
    Question("ethics_references", _P, _K.LINES, "Ethics", "What are the ethics references?", "One a line. Write Not needed, with the reason, where none is.", ""),
    Question("other_committees", _P, _K.LINES, "Other committees", "Which other committees approved it?", "One a line, with the reference. Leave empty for none.", "Other approval committees"),
    Question("starts", _P, _K.DATE, "Starts", "On which day does it start?", "Such as 2027-04-01.", "Project start date"),
    Question("ends", _P, _K.DATE, "Ends", "Which is its last day?", "At most five years later. Permits last 90 days and are renewed until then.", "Project end date"),
    Question("organisation", _W, _K.LINE, "Organisation", "Which organisation applies?", "Its full name.", "Organisation name"),
    Question("organisation_id", _W, _K.LINE, "Organisation ID", "What is its identifier?", "ODS code, ROR or company number, with the kind: ROR 02jx3x895.", "Organisation ID"),
    Question("organisation_sector", _W, _K.CHOICE, "Sector", "Which sector is it in?", "One.", "Organisation sector"),
    Question("contact", _W, _K.LINE, "Contact", "Whom may the committee and the public ask?", "A name or an office.", ""),
    Question("contact_email", _W, _K.LINE, "Contact's email", "At which email address?", "It is published.", ""),
    Question("sponsor", _W, _K.LINE, "Sponsor", "Which organisation is its sponsor?", "The one that answers for the research; for a service, the one that runs it.", ""),
    Question("team", _W, _K.TEAM, "Team", "Who will work on it?", "Each person with organisation, role, key, training body and the day the training expires. One leads.", "Applicant name(s)"),
    Question("dea_accredited", _W, _K.CHOICE, "Accredited researchers", "Are they accredited researchers under the Digital Economy Act?", "One.", "DEA accredited researcher?"),
    Question("datasets", _D, _K.NAMES, "Datasets", "Which datasets?", "`tq dataset list` shows them.", "Dataset(s) name"),
    Question("data_sensitivity", _D, _K.CHOICE, "Sensitivity", "How sensitive is what is analysed inside the trusts?", "What leaves them is noised totals in any case.", "Data sensitivity level"),
    Question("article_6", _D, _K.LINE, "Article 6", "On which basis of Article 6 of the UK GDPR?", "Its number, then words: 6(1)(e) public task.", "Legal basis for provision of data under Article 6"),
    Question("article_9", _D, _K.LINE, "Article 9", "On which condition of Article 9?", "Its number, then words: 9(2)(h) management of health systems.", "Lawful conditions for provision of data under Article 9"),
    Question("common_law", _D, _K.TEXT, "Common law duty", "How is the common law duty of confidentiality met?", "Only noised totals leave a trust; say what holds inside it.", "Common Law Duty of Confidentiality"),
    Question("opt_out_treatment", _D, _K.CHOICE, "Opt-outs", "Are people's opt-outs applied?", "applied, unless a legal basis exempts the project; synthetic-data for made-up patients.", "National data opt-out applied?"),
    Question("opt_out_basis", _D, _K.TEXT, "Basis for that", "Why so?", "For an exemption its legal basis with the reference number; else one sentence.", ""),
    Question("linkage", _D, _K.TEXT, "Linkage", "How will data be linked?", "Linkage happens inside a trust only. Write None where there is none.", "For linked datasets, specify how the linkage will take place"),
    Question("confidential_data", _D, _K.TEXT, "Confidential data used", "Which confidential data does the analysis read?", "In words; it stays inside the trusts.", "Description of the confidential data being used"),
    Question("request_frequency", _S, _K.CHOICE, "Frequency", "Once, or again and again?", "One.", "Request frequency"),
    Question("sublicence", _S, _K.LINE, "Sub-licences", "Will anybody else be allowed to use the results under a licence?", "Write None, or say who.", "Sub-licence arrangements (if any)?"),
    Question("terms", _S, _K.AGREE, "Terms", "Does everybody on the team agree to the terms?", "`tq project terms` shows them.", ""),
    Question("rho", _O, _K.LINE, "Privacy loss", "How much privacy loss at each trust, at most, in rho?", "Such as 0.5. `tq query cost` shows what a question takes. Each trust may set less.", ""),
    Question("delta_atto", _O, _K.NUMBER, "Delta", "How much delta at each trust, at most, in 1e-18?", "0, unless keys are to be found in the data: then 1000000000 for each such question.", ""),
    Question("disclosure_profile", _O, _K.LINE, "Disclosure profile", "Which disclosure profile?", "none, nhs-hes, opensafely-7-5, hdruk-10-10 or acro-threshold-10. A trust may ask for a stricter one.", ""),
    Question("min_trusts", _O, _K.NUMBER, "Fewest trusts", "How many trusts must answer before there is a result?", "With fewer, no result is made.", ""),
    Question("output_review", _O, _K.CHOICE, "Output review", "Do two output checkers look at every result before your team does?", "yes or no. With yes a result is shown at a planned deadline, or not at all. The federation may ask for it in any case.", ""),
    Question("privacy_processing", _O, _K.TEXT, "Privacy", "What else protects privacy?", "Beside the noise: who sees results, what is never combined.", "How has data been processed to enhance privacy?"),
    Question("code_sharing", _O, _K.TEXT, "Code", "How is code shared?", "Every released query is published. Say what else is, and where.", ""),
    Question("outputs", _O, _K.LINES, "Outputs", "Where will people find the outputs?", "Links, one a line. Leave empty for none yet; amend later.", "Link to research outputs"),
)
# fmt: on
BY_NAME: dict[str, Question] = {question.name: question for question in QUESTIONS}
