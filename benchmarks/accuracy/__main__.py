"""``python -m benchmarks.accuracy``: a dozen questions, each asked three ways at equal epsilon."""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from benchmarks.accuracy import data
from benchmarks.accuracy.arms import FIXED, Federation, foreseen, lighter
from benchmarks.accuracy.metric import error, mean_error
from benchmarks.accuracy.peer import PeerAnswer, ask_peer
from benchmarks.accuracy.questions import QUESTIONS, Question
from benchmarks.accuracy.report import Finding, Run, page, result, table
from trustquery.catalogue import Catalogue, load
from trustquery.forecast.choose import choose_terms
from trustquery.privacy.budget import delta_for

ROOT = Path(__file__).resolve().parents[2]
EPISODES = 1_000_000


def measure(arguments: argparse.Namespace, folder: Path) -> Run:
    """Make the data in ``folder``, ask everything, and return what was found."""
    catalogue = load(data.CATALOGUE)
    trusts = [f"RX{number}" for number in range(1, arguments.trusts + 1)]
    questions = [question for question in QUESTIONS if question.id in (arguments.only or [question.id])]
    tables = sorted({table for question in questions for table in question.tables})
    delta = delta_for(catalogue.unit.declared_people)
    _say(f"making {arguments.episodes:,} admissions")
    data.make(folder, episodes=arguments.episodes, trusts=trusts, seed=arguments.seed)
    _say("preparing them")
    federation = Federation(catalogue, data.stores(folder, folder, trusts, tables))
    with data.raw(folder, trusts, catalogue) as raw:
        version, answers = "", dict[str, PeerAnswer]()
        if arguments.peer is not None:
            _say("asking SmartNoise SQL")
            version, answers = ask_peer(
                arguments.peer,
                raw,
                questions,
                folder,
                epsilon=float(arguments.epsilon),
                delta=float(delta),
                draws=arguments.peer_draws,
                max_ids=FIXED,
            )
        findings = []
        for question in questions:
            _say(question.words)
            findings.append(find(question, federation, catalogue, raw, arguments, answers.get(question.id)))
        skew = tuple(raw.skew(table) for table in tables)
    return Run(
        arguments.episodes,
        arguments.trusts,
        arguments.seed,
        arguments.epsilon,
        delta,
        arguments.draws,
        arguments.peer_draws,
        version,
        skew,
        tuple(findings),
    )


def find(
    question: Question,
    federation: Federation,
    catalogue: Catalogue,
    raw: data.Raw,
    arguments: argparse.Namespace,
    answer: PeerAnswer | None,
) -> Finding:
    """One question, three ways."""
    fixed = federation.fixed(question, arguments.epsilon)
    declared = federation.declared(question, fixed)
    truth = {cell: value for cell, value in raw.truth(question).items() if cell in declared}
    charge = federation.profile_charge(question.tables)
    chosen, forecasts = [], []
    for _ in range(arguments.profiles):
        profiles = federation.profiles(question.tables)
        choice = choose_terms(lighter(fixed, charge), catalogue, profiles, trusts=arguments.trusts)
        chosen.append(federation.answer(question, choice.query, truth, math.ceil(arguments.draws / arguments.profiles)))
        forecasts.append(foreseen(choice.forecast))
    refused = answer.refused if answer is not None else ""
    peer = mean_error([error(cells, truth) for cells in answer.draws]) if answer is not None and answer.draws else None
    return Finding(
        question,
        len(truth),
        federation.answer(question, fixed, truth, arguments.draws),
        tuple(chosen),
        statistics.fmean(forecasts),
        charge / fixed.rho_nano,
        peer,
        refused,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; the last line of stdout is ``RESULT`` and JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--episodes", type=int, default=EPISODES, help="admissions over all trusts")
    parser.add_argument("--trusts", type=int, default=1, help="trusts that share them out")
    parser.add_argument("--seed", type=int, default=7, help="of the data; noise has none")
    parser.add_argument("--epsilon", type=Decimal, default=Decimal(1), help="for one question, its profiles included")
    parser.add_argument("--draws", type=int, default=21, help="of noise, of each of our arms")
    parser.add_argument("--profiles", type=int, default=3, help="times that profiles are drawn and terms chosen")
    parser.add_argument("--peer", type=Path, help="Python of the virtual environment that has SmartNoise SQL")
    parser.add_argument("--peer-draws", type=int, default=5, help="times that SmartNoise SQL is asked each question")
    known = [question.id for question in QUESTIONS]
    parser.add_argument("--only", action="append", choices=known, help="ask this question; repeat for more")
    parser.add_argument("--page", type=Path, help="page of the manual to write")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="bench-accuracy-") as folder:
        run = measure(arguments, Path(folder))
    for line in table(run):
        print(line)
    if arguments.page is not None:
        arguments.page.write_text(page(run), encoding="utf-8")
    print(result(run))
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
