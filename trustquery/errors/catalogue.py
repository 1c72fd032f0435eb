"""Every code: who can fix it, what people read, what to do, and how each interface shows it.

Text that leaves a node uses only query text, schema names, parameters and rule ids (style guide 4.5):
never row values, counts, timings or another library's message. A test keeps this list, the reference page
and the codes raised in the source equal. Codes are stable and never reused.
"""

from __future__ import annotations

import enum
import string
from dataclasses import dataclass
from typing import Literal

__all__ = ["CATALOGUE", "Audience", "Entry", "Exit"]

Audience = Literal["analyst", "it", "governance", "operator", "everyone"]


class Exit(enum.IntEnum):
    """Exit statuses of every command (all at most 125)."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    CHECK_FOUND_PROBLEMS = 3
    QUERY = 10
    DATA = 11
    POLICY = 12
    EXPECTATION = 13
    TIMEOUT = 14
    BUDGET = 20
    CONFIG = 30
    AUTH = 31
    CONNECTION = 32
    LEDGER = 40


@dataclass(frozen=True)
class Entry:
    """One row of the catalogue.

    Attributes:
        text: what is wrong; ``{field}`` places are filled from the error's fields.
        hint: the fix: the next command, the legal form, or the person to ask.
        retry: whether the same request may succeed later unchanged.
        fields: the only fields an error of this code may carry.
    """

    code: str
    audience: Audience
    text: str
    hint: str
    exit: Exit
    http: int
    grpc: str
    retry: bool
    fields: frozenset[str]


_FAMILIES: dict[str, tuple[Audience, Exit, int, str]] = {
    "query": ("analyst", Exit.QUERY, 422, "INVALID_ARGUMENT"),
    "policy": ("governance", Exit.POLICY, 403, "PERMISSION_DENIED"),
    "budget": ("governance", Exit.BUDGET, 403, "RESOURCE_EXHAUSTED"),
    "data": ("it", Exit.DATA, 409, "FAILED_PRECONDITION"),
    "node": ("it", Exit.CONNECTION, 503, "UNAVAILABLE"),
    "config": ("it", Exit.CONFIG, 500, "FAILED_PRECONDITION"),
    "auth": ("everyone", Exit.AUTH, 401, "UNAUTHENTICATED"),
    "ledger": ("it", Exit.LEDGER, 503, "DATA_LOSS"),
    "internal": ("operator", Exit.INTERNAL, 500, "INTERNAL"),
    "project": ("analyst", Exit.POLICY, 403, "PERMISSION_DENIED"),
    "usage": ("everyone", Exit.USAGE, 400, "INVALID_ARGUMENT"),
    "optout": ("it", Exit.DATA, 409, "FAILED_PRECONDITION"),
    "expectation": ("analyst", Exit.EXPECTATION, 409, "FAILED_PRECONDITION"),
    "witness": ("operator", Exit.LEDGER, 503, "FAILED_PRECONDITION"),
    "log": ("everyone", Exit.CHECK_FOUND_PROBLEMS, 503, "DATA_LOSS"),
}


def _entry(
    code: str,
    text: str,
    hint: str,
    *,
    audience: Audience | None = None,
    exit: Exit | None = None,
    http: int | None = None,
    retry: bool = False,
) -> Entry:
    family = _FAMILIES[code.split("-", 1)[0]]
    named = [name for source in (text, hint) for _, name, _, _ in string.Formatter().parse(source) if name]
    return Entry(
        code,
        audience or family[0],
        text,
        hint,
        exit or family[1],
        http or family[2],
        family[3],
        retry,
        frozenset(named),
    )


# One row, one line: a table.
# fmt: off
_ROWS: tuple[Entry, ...] = (
    # -- the query's text ------------------------------------------------------------------------------------
    _entry("query-empty", "the query is empty", "write one SELECT statement"),
    _entry("query-too-long", "the query is longer than {limit}", "shorten it; long code sets belong in a codelist"),
    _entry("query-too-deep", "the query is nested more than {limit} levels deep", "flatten it with fewer nested expressions"),
    _entry("query-syntax", "the text is not SQL that can be read here", "check the spelling near this place; one SELECT statement is expected"),
    _entry("query-text-after-statement", "there is text after the end of the statement", "send one statement at a time; remove everything after the semicolon"),
    _entry("query-statement-unsupported", "only SELECT statements are answered, not {statement}", "write a SELECT with aggregates over a catalogue table"),
    _entry("query-form-unsupported", "{form} is not part of the query language", "{instead}"),
    _entry("query-name-illegal", "a name is not plain ASCII: a letter, then at most 62 letters, digits or _", "use the names that `tq dataset show` prints"),
    _entry("query-unknown-table", "there is no table {table} in {catalogue}", "did you mean {nearest}? `tq dataset show {catalogue}` lists the tables"),
    _entry("query-unknown-dataset", "there is no dataset {dataset}", "`tq dataset list` shows the datasets", http=404),
    _entry("query-unknown-column", "there is no column {column} in {table}", "did you mean {nearest}? `tq dataset show` lists the columns"),
    _entry("query-ambiguous-column", "column {column} is in more than one table of the query", "write it with its table: {example}"),
    _entry("query-unknown-function", "there is no function {function}", "did you mean {nearest}? the reference manual lists the functions"),
    _entry("query-arguments", "{function} takes {expected}", "write {example}"),
    _entry("query-type", "{what} has type {found} where {needed} is needed", "{instead}"),
    _entry("query-column-forbidden", "column {column} may not be used here: its role is {role}", "leave it out, or use a coded column instead"),
    _entry("query-join-not-on-person", "tables about people can only be joined on the person key", "write JOIN … ON {example}"),
    _entry("query-no-aggregate", "raw rows are never answered: the SELECT has no aggregate", "use count(*), count(DISTINCT {key}), sum or avg"),
    _entry("query-not-grouped", "{expression} is neither a GROUP BY key nor an aggregate", "add it to GROUP BY, or aggregate it"),
    _entry("query-identifier-in-output", "{column} identifies a person and cannot be an output or a key", "count people with count(DISTINCT {key})"),
    _entry("query-subquery-crosses-persons", "{form} here would mix the rows of different people", "{instead}"),
    _entry("query-subquery-columns", "the branches of UNION ALL differ: {reason}", "select the same columns, of the same types, in the same order"),
    _entry("query-public-first", "a public table cannot decide which people's rows are kept: {form}", "put the table about people first, or use JOIN"),
    _entry("query-only-public", "the query reads no table about people", "public tables are open: read them at their source"),
    _entry("query-input-invalid", "a public table cannot be used: {reason}", "correct it and give it a new version"),
    _entry("query-input-unknown", "there is no public table {table} at hand", "closest at hand: {nearest}; `tq dataset list --inputs` shows those that ship; others come with `--input FILE`, and a trust installs the same file with `tq-node source input FILE`"),
    _entry("query-input-differs", "the public table {table} is not the version that the query pins: version {version} is wanted, {found} is here", "use the same versions of public tables everywhere, then compile the query again"),
    _entry("query-input-unapproved", "nobody but its author has approved the public table {table}, version {version}", "upload it with `tq codelist upload` and ask a member of the data access committee to approve it; an approved one is used by name: --input {name}@VERSION"),
    _entry("query-input-withdrawn", "the public table {table}, version {version}, was approved once and is withdrawn", "`tq codelist show {table}@{version}` says why; `tq codelist list` shows the versions that queries may pin"),
    _entry("query-input-absent", "there is no input {table} that you may read", "`tq codelist list` shows those that queries may pin, and your own", http=404),
    _entry("query-input-version", "version {version} of {table} cannot be uploaded: the next one is {next}", "upload it as version {next}; a version is never used twice", http=409),
    _entry("query-input-taken", "the name {table} belongs to another project's input", "give another name", http=409),
    _entry("query-input-move", "{action} is not possible while {table} is {state}", "possible now: {possible}", http=409),
    _entry("query-key-no-domain", "the key {expression} has no public list of values", "use a column with a declared domain, CASE with literal results, band(…) or date_trunc over a literal date range; codes of a vocabulary can be found in the data with --unknown-keys, where policy allows"),
    _entry("query-key-no-vocabulary", "the key {expression} has no public list of values and holds no codes of a vocabulary, so its values are never released", "use a column that the catalogue gives a vocabulary, or left(column, 3) of it"),
    _entry("query-unknown-keys", "keys found in the data are released {what}", "{instead}"),
    _entry("query-key-range-missing", "date_trunc needs a literal date range on {column} to know its months", "add WHERE {column} >= DATE '2018-01-01' AND {column} < DATE '2019-01-01'"),
    _entry("query-too-many-cells", "the keys make {cells} cells; at most {limit} are possible", "use coarser keys"),
    _entry("query-trusts-differ", "the trusts that the key lists are not those that the intent asks", "compile the query again for the trusts that you ask; nothing was spent", audience="operator"),
    _entry("query-bounds-missing", "{expression} has no bounds, so one person could change the sum without limit", "write {function}(clamp({expression}, 0, 100)) with the smallest and largest value that make sense"),
    _entry("query-bounds-invalid", "the bounds {lo} to {hi} are not usable", "give two numbers, the smaller first, within ±2^40"),
    _entry("query-literal", "the literal {literal} cannot be used here", "{instead}"),
    _entry("query-parameter-missing", "${name} has no value", "give it one with --param {name}=VALUE; in Python, with parameters="),
    _entry("query-parameter-unused", "a value is given for ${name}, which the query does not name", "did you mean {nearest}? else leave it out"),
    _entry("query-parameter-invalid", "the value of ${name} cannot be used: {reason}", "{instead}"),
    _entry("query-parameter-place", "${name} stands where no value can", "a parameter is a literal in an expression; write names of tables, columns and units out, and dates as $x instead of DATE $x"),
    _entry("query-contribution-bound", "{name} must be a whole number from 1 to {limit}", "leave it out to use the catalogue's"),
    _entry("query-epsilon", "epsilon must be a decimal number above 0 and at most {limit}", "write for example --epsilon 0.5"),
    _entry("query-epsilon-too-small", "the privacy loss asked for is too small to answer with any useful accuracy", "raise epsilon or ask for fewer statistics"),
    _entry("query-accuracy", "{given} is not an accuracy", "write for example --accuracy ±2%, from above 0 to 100 %"),
    _entry("query-accuracy-unreachable", "an accuracy of ±{wanted} is out of reach: at epsilon {epsilon} about ±{reached} is expected", "ask for fewer or larger cells, or set wider contribution bounds; `tq query cost` shows noise and cut-off apart"),
    _entry("query-sensitivity-too-large", "the query's sensitivity is too large for exact integers", "use tighter clamp bounds or contribution bounds"),
    _entry("query-model-invalid", "the query model is not one that this version can read", "upgrade the client, or compile the query again", audience="operator"),
    _entry("query-plan-mismatch", "the plan hash signed differs from this machine's own compilation", "use the same version of TrustQuery as the federation; nothing was spent", audience="operator"),
    _entry("query-catalogue-mismatch", "the query was written for another version of the catalogue {catalogue}", "fetch the catalogue again and recompile", audience="operator"),
    _entry("query-not-confirmed", "the query was not confirmed, so nothing was asked or spent", "answer yes, or give --yes --max-epsilon {epsilon}", exit=Exit.USAGE),
    _entry("query-max-epsilon", "the query costs epsilon {epsilon}, more than --max-epsilon {limit}", "raise --max-epsilon or ask for less", exit=Exit.BUDGET),
    _entry("query-unknown", "there is no query {query} that you may see", "`tq query history` lists yours", http=404),
    _entry("query-no-answer", "no trust answered in time", "ask again later; `tq query status {query}` says what each trust reported", exit=Exit.TIMEOUT, http=504, retry=True),
    _entry("query-too-few-trusts", "{answered} of {named} trusts answered; the project needs {needed}, so there is no result", "ask again later; each trust's reason is listed", exit=Exit.TIMEOUT, http=504, retry=True),
    _entry("query-too-few-accept", "{accepting} of {named} trusts would answer; the project needs {needed}, so nothing was asked or spent", "change the query as the trusts' reasons say, or ask again when more trusts are connected", exit=Exit.CONNECTION, http=503, retry=True),
    _entry("query-refused-everywhere", "no trust accepted the query", "each trust's reason is listed; `tq query cost` shows them before asking", exit=Exit.POLICY, http=403),
    # -- project ----------------------------------------------------------------------------------------------
    _entry("query-not-released", "query {query} has no result that could be published or withdrawn", "`tq query status {query}` says how it ended", http=409),
    _entry("query-result-erased", "the result of query {query} was erased on {date}, when the time for keeping it was over", "ask it again: `tq query run --from {hash} --project P`; a release that was published stays in the public log: `tq query show {hash}`", http=410),
    _entry("query-in-review", "two output checkers look at the merged result of query {query} first: it is shown at {until} UTC, or not at all", "`tq query result {query}` from then on; nobody sees a figure before", exit=Exit.TIMEOUT, http=409, retry=True),
    _entry("query-returned", "query {query} has no result, because two output checkers did not both approve it: {why}", "read docs/how-to/check-outputs.md for what each reason means, and talk to the federation; the charge stays", exit=Exit.POLICY, http=409),
    _entry("query-review-unset", "what comes of this question is to be reviewed, and the federation sets no time for that, so it is not asked", "ask the federation's operator to set review.seconds in coordinator.toml", audience="operator", exit=Exit.CONFIG, http=409),
    _entry("query-published", "the result of query {query} is published already", "`tq release withdraw {query}` takes it back, with a reason", http=409),
    _entry("query-withdrawn", "the release of query {query} was withdrawn", "a withdrawal is for good: ask again, and publish that", http=409),
    _entry("query-not-public", "the public log has no query {query}", "`tq register export` and the log's page list every query that has ended", audience="everyone", http=404),
    _entry("project-unknown", "there is no project {project} that you may use", "`tq project list` shows your projects", http=404),
    _entry("project-ended", "project {project} has ended or its permit has expired", "ask the project lead to renew the permit"),
    _entry("project-not-a-member", "this key is not a member of project {project}", "ask the project lead to add you to the permit"),
    _entry("project-training-expired", "your training on the permit of {project} has expired", "renew it and ask for an amended permit"),
    _entry("project-dataset-not-permitted", "project {project} has no permission for dataset {dataset}", "apply for an amendment that names the dataset"),
    _entry("project-question", "the application has no question {question}", "did you mean {nearest}? `tq project questions` shows them all", audience="analyst", http=422),
    _entry("project-answer", "the answer cannot be used: {problem}", "{question} `tq project questions` shows how to answer", http=422),
    _entry("project-file", "the file of answers cannot be used: {problem}", "write TOML: QUESTION = \"ANSWER\", dates in quotes too; `tq project questions` lists them"),
    _entry("project-incomplete", "{count} questions are not answered yet: {questions}", "`tq project apply {project}` asks them", http=422),
    _entry("project-name-taken", "the name {project} is in use, or was", "choose another: names are never used twice", http=409),
    _entry("project-move", "{action} is not possible while {project} is {state}", "possible now: {possible}", http=409),
    _entry("project-dates", "project {project} runs from {starts} to {ends}, and today is not within it", "amend its dates", http=409),
    _entry("project-purpose", "the permit's purpose is not health or the promotion of health, whoever has signed it", "the data access committee approves a project for one of the purposes that docs/reference/documents.md lists", audience="governance"),
    _entry("project-lawful-basis", "the permit names no lawful basis that exists: it needs an Article 6 basis, an Article 9 condition and the common law duty of confidentiality", "the data access committee corrects the application and signs a new permit", audience="governance"),
    # -- policy of a trust ------------------------------------------------------------------------------------
    _entry("policy-absent", "this trust has no policy in force, so nothing is answered", "two governance people sign a policy: tq policy sign"),
    _entry("policy-invalid", "the policy cannot be used: {problem}", "correct it and run `tq policy check`", exit=Exit.CONFIG),
    _entry("policy-unknown-key", "the policy key {key} does not exist", "did you mean {nearest}?", exit=Exit.CONFIG),
    _entry("policy-request-invalid", "the request cannot be judged: {problem}", "give every field, in its one spelling; docs/reference/policy.md lists them", exit=Exit.CONFIG, audience="governance"),
    _entry("policy-request-unknown-key", "a request has no field {key}", "did you mean {nearest}?", exit=Exit.CONFIG, audience="governance"),
    _entry("policy-case-invalid", "the cases cannot be run: {problem}", "docs/how-to/write-and-sign-a-policy.md shows a file of cases", exit=Exit.CONFIG, audience="governance"),
    _entry("policy-case-unknown-key", "a file of cases has no key {key}", "did you mean {nearest}?", exit=Exit.CONFIG, audience="governance"),
    _entry("policy-refused", "the policy of {trust} refuses this: rule {rule}", "{change}", audience="analyst"),
    _entry("policy-rule-error", "a rule of the policy of {trust} could not be evaluated, so the query is refused: rule {rule}", "tell the trust's governance officer", audience="governance"),
    _entry("policy-mode-unavailable", "release mode {mode} is not available", "use mode local"),
    _entry("policy-witness-unavailable", "the policy of {trust} asks for witnesses and too few of them can be had: rule witnesses", "ask again when they can be reached; governance names witnesses that make a quorum, or signs bootstrap = true", retry=True),
    _entry("policy-bootstrap", "the trust runs without witnesses, so a restored backup of its ledger would not be noticed", "its governance names witnesses; docs/how-to/run-a-node.md"),
    _entry("policy-profile-unknown", "there is no disclosure profile {profile}, so nothing may be shown under it", "use one of: {known}; docs/reference/disclosure-profiles.md"),
    _entry("policy-disclosure-floor", "the trust asks that tables with its figures are shown at least as {profile} shows them", "nothing to do: the strictest profile of the trusts that answered was used"),
    _entry("policy-optout-unavailable", "the lists of opt-outs that the trust's policy asks for are not all in force there", "the trust's IT looks at `tq-node optout status`; its governance says in the policy which lists there must be and how old they may be", retry=True),
    _entry("policy-optout-stale", "the {list} list of opt-outs at this trust is older than its policy allows", "the trust's IT runs `tq-node optout refresh`, or hands in a newer list", retry=True),
    # -- lists of opt-outs: for the trust alone; nothing of a list is in any of them ---------------------------
    _entry("optout-not-configured", "node.toml has no {part}, so nobody's NHS number is known", "write it as docs/how-to/apply-opt-outs.md shows"),
    _entry("optout-numbers", "the NHS numbers of {dataset} cannot be read: {problem}", "correct [[nhs_numbers]] in node.toml, or the file"),
    _entry("optout-list-invalid", "the {list} list of opt-outs is refused whole: {problem}", "ask whoever made the list for another; the one in force stays, with its age"),
    _entry("optout-list-damaged", "what is kept of the {list} list cannot be used: it was changed, or the key is another", "hand the list in again; until then questions that need it are refused"),
    _entry("optout-reply-refused", "a reply about national data opt-outs is refused whole: {problem}", "the list in force stays, with its age; send the numbers again: `tq-node optout request FILE`"),
    _entry("optout-mesh", "MESH did not take or give a message: {problem}", "check [mesh] in node.toml and the connection; the node tries again by itself", retry=True),
    _entry("optout-busy", "another process is working on the lists of opt-outs", "wait until it has ended", retry=True),
    _entry("policy-stopped", "the trust has stopped answering", "its governance officer resumes with `tq-node resume`", retry=True),
    _entry("policy-analyst-suspended", "this trust has suspended you after three unanswered queries in 30 days", "wait, or ask the trust's governance officer"),
    _entry("policy-not-accepted", "the trust has not accepted project {project}", "its governance officers run `tq-node project accept`"),
    _entry("policy-signature", "the {document} is not validly signed: {problem}", "ask for a document signed by the listed keys", audience="governance"),
    _entry("policy-revocations-absent", "no revocation statement of the federation is in force at this trust", "the federation's delegate issues one every day (`tq federation statement`), and the coordinator passes it on: ask the federation's operator", audience="operator", retry=True),
    _entry("policy-document-stale", "the {document} is older than one already seen, expired or not yet valid", "fetch the current one", audience="governance", retry=True),
    _entry("policy-two-people", "this takes the signatures of {needed} listed governance people, and the {document} has {found}: it loosens something, or nothing was in force before", "another person signs the same file: `tq policy sign FILE --key KEY`; a change that only tightens takes one", audience="governance"),
    _entry("policy-replay-differs", "{different} recorded decisions are not what the policies of their time decide", "keep the ledger and the policy history as they are, and tell the trust's governance and the federation operator", audience="governance", exit=Exit.CHECK_FOUND_PROBLEMS),
    _entry("policy-not-waiting", "no change {change} is waiting", "see what waits: `tq-node policy pending`", audience="governance"),
    # -- review before release ----------------------------------------------------------------------------------
    _entry("policy-review-held", "people of this trust look at the answer first: it leaves {minutes} minutes after it is asked, or not at all", "give the query more time than that: `tq query run --wait SECONDS`", audience="analyst"),
    _entry("policy-review-withheld", "the answer was made and charged, and does not leave: {why}", "read docs/how-to/review-a-release.md for what each reason means, and talk to the trust; the charge stays", audience="analyst"),
    _entry("policy-review-unknown", "no release {release} is held for review", "`release list` of `tq-node`, or of `tq` for a project's, shows those that are", http=404),
    _entry("policy-review-person", "{person} cannot review this release: {problem}", "another person of the trust's list reviews it"),
    _entry("policy-review-given", "{person} has already given a verdict on this release, and it stands", "wait for the other reviewer; where the two differ, both give a second verdict"),
    _entry("policy-review-closed", "no further verdict counts for this release: {problem}", "`release list` of `tq-node`, or of `tq` for a project's, shows what is open"),
    _entry("policy-review-differs", "the verdict is about something else than what is held: {problem}", "look again with `release show` and sign what you see"),
    # -- budget -----------------------------------------------------------------------------------------------
    _entry("budget-exhausted", "the {scope} budget at this trust cannot pay for this query", "ask for less, wait for the 12-month window (90 days for profiles), or ask governance to raise the {scope} cap", audience="analyst"),
    _entry("budget-answer-erased", "this question was answered here from the same data, and its stored answer was erased on {date}: it is not drawn anew unless you ask for that", "`--fresh` draws and charges again; or ask when the trust's data have a new version", audience="analyst"),
    _entry("budget-charge-mismatch", "the charge computed differs from the signed figure", "recompile the query; nothing was spent", audience="operator"),
    # -- data and sources -------------------------------------------------------------------------------------
    _entry("data-source-missing", "the source {source} cannot be read", "check the path in node.toml and run `tq-node source check`"),
    _entry("data-source-column", "the source table {table} lacks column {column}", "map it in node.toml, or leave the table out"),
    _entry("data-source-heavy", "reading {table} ended before it was done: it took more memory, disk or time than it may, or broke what reads it", "look at the file; where it is sound, raise prepare_mb in [engine] of node.toml. The earlier version stays in use"),
    _entry("data-not-prepared", "the data have not been prepared", "run `tq-node source refresh`"),
    _entry("data-table-unavailable", "this trust does not hold table {table} of {dataset}", "leave the table out, or ask without this trust"),
    _entry("data-prepare-failed", "preparing {table} failed", "run `tq-node source check`; the earlier version stays in use"),
    # -- node and link ----------------------------------------------------------------------------------------
    _entry("node-mark-unwritable", "the mark cannot be written at {path}, so nothing has stopped yet", "end the process with SIGTERM, or move the folder away: a node that cannot look at its marks answers nothing"),
    _entry("node-silent", "the running node did not take the request in time, so nothing has changed", "look at `tq-node status` and the node's log, then try again", retry=True),
    _entry("node-no-answer", "no answer", "the trust did not answer; the query stays charged there if it had started", audience="analyst", retry=True),
    _entry("node-unreachable", "the coordinator cannot be reached at {address}", "check the address, outbound port and certificate", retry=True),
    _entry("node-proxy-unreachable", "the proxy {proxy} cannot be reached, or does not speak HTTP", "check [proxy] of node.toml, or HTTPS_PROXY, and that this machine may connect to it", retry=True),
    _entry("node-proxy-auth", "the proxy {proxy} asks for a name and a password, and did not take what it was given (407)", "set user and password_file in [proxy] of node.toml, then: tq-node preflight"),
    _entry("node-proxy-refused", "the proxy {proxy} opens no tunnel to {address}", "ask whoever runs the proxy to allow CONNECT to this host and port, without inspection"),
    _entry("node-inspected", "somebody between answers in place of {address}: the certificate is not the federation's", "tq-node preflight CODE says whose it is; exempt the host name from TLS inspection, or set https_ca_file for enrolment"),
    _entry("node-rate", "too many requests", "wait and ask again", http=429, retry=True, audience="analyst"),
    _entry("node-message-invalid", "a message could not be read", "use matching versions of node and coordinator", audience="operator"),
    _entry("node-protocol-version", "this side speaks version {ours} of the protocol, and the other side {theirs}", "upgrade whichever is older: see docs/how-to/upgrade-and-roll-back.md", audience="operator"),
    _entry("node-release-conflict", "this release id was already used for another query", "compile and sign again; a retry is a new release id", audience="analyst"),
    _entry("node-offer-repeated", "a query was offered again after the coordinator had said that it holds its answer", "ask the federation whether its coordinator was restored from an older copy; if not, somebody replays what they captured", audience="operator"),
    _entry("node-deadline", "the intent has expired", "sign a new intent", audience="analyst", retry=True),
    _entry("node-code-invalid", "the enrolment code is wrong, used or expired", "ask the federation for a new one: tq-coordinator node invite {ods}", exit=Exit.AUTH, http=403),
    _entry("node-fingerprint", "the federation root's fingerprint is not the one you gave", "stop: ask for the fingerprint by telephone, from a number you already know", exit=Exit.AUTH),
    _entry("node-not-approved", "the enrolment of {ods} waits for approval", "compare the 12 words by telephone, then: tq-coordinator node approve {ods}", exit=Exit.AUTH, http=409, retry=True),
    _entry("node-one-person", "{person} has approved {node} already, and one person counts once", "a second person approves with their own key: tq-coordinator node approve {node} --as PERSON --key FILE", exit=Exit.AUTH, http=409),
    _entry("node-clone-suspected", "two copies of {node} have been seen, and both are cut off", "find the second copy; then two people: tq-coordinator node resolve-clone {node}. See docs/how-to/resolve-a-suspected-clone.md", audience="operator", exit=Exit.AUTH, http=403),
    _entry("node-unknown", "there is no node {node}", "tq-coordinator node list", http=404),
    _entry("node-engine-isolation", "the engine cannot be isolated on this machine: {problem}", "see the how-to page on running a node", exit=Exit.CONFIG),
    # -- configuration ----------------------------------------------------------------------------------------
    _entry("config-missing", "there is no configuration at {path}", "{instead}"),
    _entry("config-invalid", "{problem}", "correct the file and run `config check`"),
    _entry("config-unknown-key", "the key {key} does not exist", "did you mean {nearest}?"),
    _entry("config-catalogue-invalid", "the catalogue {catalogue} cannot be used: {problem}", "correct the file"),
    _entry("config-key-file", "the key file {path} is not safe: {problem}", "chmod 600 it, owned by the user who runs this"),
    _entry("config-exists", "{path} already exists", "remove it or choose another folder"),
    _entry("config-store-older", "the coordinator's database has schema {found}, and this version needs {needed}", "make a backup, then: tq-coordinator store upgrade"),
    _entry("config-store-newer", "the coordinator's database has schema {found}, which this version does not know; it knows {needed}", "run the version that made it, or restore the backup that was made before the upgrade; docs/how-to/upgrade-and-roll-back.md"),
    _entry("config-store-unknown", "the coordinator's database is not one of this program's: {problem}", "give it a database of its own, or restore a backup; nothing was changed"),
    _entry("config-backup-unreadable", "the backup cannot be used: {problem}", "use another backup, or fetch this one again; nothing was changed"),
    _entry("config-backup-not-empty", "a backup goes into an empty database, and the table {table} of this one holds something", "give it a new database, or a new home folder; nothing was changed"),
    _entry("config-store-unreachable", "the coordinator's database cannot be reached or written", "check database.url, that the server runs and lets this user in, and that its disk is not full", audience="operator", http=503, retry=True),
    _entry("config-sqlite-version", "SQLite {found} has a known corruption bug; {needed} or later is needed", "install the locked requirements"),
    # -- people and keys --------------------------------------------------------------------------------------
    _entry("auth-required", "you are not signed in", "run `tq login`"),
    _entry("auth-failed", "sign-in failed", "check the user name and key; ask the federation operator if it persists"),
    _entry("auth-document", "the {document} cannot be verified: {problem}", "use the document as it was signed"),
    _entry("auth-not-allowed", "you may not {action}", "ask the federation operator", http=403),
    _entry("auth-not-permitted", "you may not do {action}: {why}", "`docs/reference/roles.md` says which roles may; ask the federation operator for one", http=403),
    _entry("auth-certificate", "the certificate is not the one on the roster", "enrol again, or ask the federation operator"),
    _entry("auth-revoked", "the federation has revoked {what}", "get a new one through the federation's operator: what has been revoked never counts again", http=403),
    _entry("auth-passphrase", "the key {path} needs its passphrase, and {problem}", "type it when you are asked; a lost passphrase is a lost key: see `tq-node keys lost`", audience="governance"),
    _entry("auth-strong", "{action} needs a strong sign-in of the last {minutes} minutes", "run `tq login --strong`, then the same command again", http=403),
    _entry("auth-way-off", "signing in with {way} is switched off at this coordinator", "run `tq login`, and sign in with your browser", http=403),
    _entry("auth-no-provider", "there is no sign-in provider {provider} here", "choose one of: {known}", http=404),
    _entry("auth-provider", "{provider} did not sign you in: {problem}", "try again; tell the federation operator if it persists", http=403),
    _entry("auth-not-linked", "{provider} knows you as {subject}, and that belongs to no account here", "tell the federation operator, who runs: tq-coordinator user link NAME --provider {provider} --subject {subject}", http=403),
    _entry("auth-browser", "the browser did not come back: {problem}", "run `tq login` again; with --no-browser, open the address in a browser on this machine"),
    _entry("auth-form", "this form was not taken: {problem}", "open the page again, and send the form from there", http=403),
    _entry("auth-other-account", "you signed in as {found}, and this home belongs to {wanted}", "sign in as {wanted}, or give --connect with your own name and a home of your own (TQ_HOME)"),
    _entry("auth-key-kind", "the permit lists your key as one kept in: {listed}; here it is kept in: {found}", "sign from where the key was listed, or ask your project's lead to amend the permit", audience="analyst"),
    _entry("auth-keyring", "the key {name} cannot be had from this machine's keyring: {problem}", "unlock or install a keyring, or keep the key in a file: tq key new FILE --passphrase"),
    # -- ledger -----------------------------------------------------------------------------------------------
    _entry("ledger-corrupt", "the ledger does not verify at entry {seq}", "stop the node and follow the how-to page on ledger repair"),
    _entry("ledger-newer", "the ledger has version {found}, made by a newer program; this one knows {needed}", "run the newer version: there is no way back, because this one would not see all that was spent"),
    _entry("ledger-unwritable", "the ledger cannot be written, so nothing is answered", "free disk space or repair the disk, then restart the node"),
    _entry("ledger-unsafe", "the ledger's {setting} is {found}, where a power cut could lose what was spent", "it must be {needed}: put the node's home on a local disk and install the locked requirements"),
    _entry("ledger-locked", "another process is using the ledger", "stop the other `tq-node run` first; one node has one process"),
    _entry("ledger-state", "the release cannot go from {found} to {wanted}", "report this: it should not happen"),
    _entry("ledger-frozen", "witnesses have cosigned another life of this trust's ledger, so nothing leaves", "the trust's IT follows docs/how-to/repair-a-ledger.md: the ledger was put back from an old copy, or a second copy of the node runs", audience="it"),
    _entry("ledger-not-frozen", "there is nothing to repair: no witness has cosigned another life of this ledger", "a ledger that does not verify is another matter: docs/how-to/repair-a-ledger.md", audience="it"),
    _entry("ledger-repair-refused", "this copy of the ledger cannot take the place of the frozen one: {problem}", "find the copy that holds the head which witnesses have cosigned; where there is none, `tq-node ledger repair --exhaust`", audience="it"),
    # -- witnesses --------------------------------------------------------------------------------------------
    _entry("witness-quorum-invalid", "these witnesses cannot give a quorum: {problem}", "name at least four witnesses with keys of their own for each one that may be faulty; a stand-alone tq-witness is one more"),
    _entry("witness-quorum", "{found} of the {needed} witnesses that are needed have signed the head of {origin}", "wait until the witnesses can be reached again; the quorum never shrinks by itself", retry=True),
    _entry("witness-unknown-log", "nobody has introduced the log {origin} to this witness", "the log must stand on the roster, or in the witness's configuration", http=404),
    _entry("witness-signature", "the head is not signed by the key of the log {origin}", "send the head as the log signed it", http=403),
    _entry("witness-request", "the request to the witness has another form: {problem}", "send what C2SP tlog-witness describes", http=400),
    _entry("witness-conflict", "the witness has signed another head since: its size is {size}", "send a proof from size {size}; a log that is shorter than that has been restored from an old copy", http=409, retry=True),
    _entry("witness-fork", "the log {origin} shows two histories: two signed heads of one size differ", "stop relying on this log; the witness keeps both heads as proof: `tq-witness status` shows them", http=409),
    _entry("witness-inconsistent", "the head of {origin} is not proved to extend the one that was signed before", "send the consistency proof between the two; without one the log has been rewritten", http=422),
    _entry("witness-store", "what the witness remembers cannot be used: {problem}", "stop it and put back the newest copy; a witness that has forgotten what it signed gets a new key and a new name"),
    _entry("witness-line", "what came as the cosignature of {witness} is not its signature under this head", "somebody between the node and the witness changes messages: tell the federation's operator", http=422),
    _entry("witness-kept", "what came as a head that {witness} has kept is not signed by this log", "somebody between the node and the witness changes messages: tell the federation's operator", http=422),
    # -- the coordinator's log --------------------------------------------------------------------------------
    _entry("log-damaged", "the log does not verify at {path}: {problem}", "keep what was downloaded and show it to the witnesses; fetch it again to tell a broken copy from a changed log"),
    _entry("log-rewound", "the log no longer holds what it held: {seen} entries were seen and {found} are shown, with another history", "keep the head that was seen and the one that is shown: both are signed, and together they are proof"),
    _entry("log-key", "that is not a verifier key", "write it as it was published, on one line: NAME+HASH+BASE64", exit=Exit.USAGE, http=400),
    _entry("log-unreachable", "{path} of the log cannot be had", "check the address; it ends in /public/log", exit=Exit.CONNECTION, retry=True),
    _entry("log-behind", "witnesses have signed {seen} entries of this log, and of them it holds no more than some: {found} are here, as after a restored backup", "run `tq-coordinator log repair` and follow docs/how-to/back-up-and-restore.md: nothing is signed until two people have decided", audience="operator", exit=Exit.LEDGER),
    _entry("log-repair-refused", "the log stays as it is: {problem}", "see docs/how-to/back-up-and-restore.md", audience="operator", exit=Exit.LEDGER, http=403),
    _entry("log-unwritable", "the log cannot be written, so nothing is done", "free disk space or repair the coordinator's database", audience="operator", exit=Exit.LEDGER),
    # -- general ----------------------------------------------------------------------------------------------
    _entry("usage-not-here", "there is nothing at this address", "start at /public/", http=404),
    _entry("usage-invalid", "{problem}", "see --help"),
    _entry("usage-too-large", "the request is longer than {limit} bytes", "send less at once", http=413),
    _entry("internal-fault", "something went wrong here (incident {incident})", "report the incident id to the federation operator"),
)

# fmt: on
CATALOGUE: dict[str, Entry] = {entry.code: entry for entry in _ROWS}
if len(CATALOGUE) != len(_ROWS):
    raise AssertionError("duplicate error code")
