"""``python -m benchmarks.engine``: private answers beside the plain query, on the same columns, in one run."""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from benchmarks.accuracy.arms import Federation
from benchmarks.engine import data
from benchmarks.engine.link import offer_to_answer
from benchmarks.engine.measure import answer, memory, time_both, time_parts
from benchmarks.engine.peer import peer_seconds
from benchmarks.engine.questions import QUESTIONS, Question
from benchmarks.engine.report import Finding, Run, Ways, page, result, table
from node_agent.config import EngineConfig
from node_agent.engines.routes import Way, routes
from node_agent.engines.task import task_of
from trustquery.forecast.choose import choose_terms
from trustquery.forecast.profiles import Profiles
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.model.scope import Tables
from trustquery.planning import Plan, compile_plan
from trustquery.planning.checker import pinned_tables

WAYS: tuple[Way, Way] = ("by-value", "by-row")
EPISODES, LARGEST = 5_000_000, 20_000_000
SIZES = (500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000)
SCALED = ("filter", "months", "days", "people")


def asked(question: Question, hospital: data.Hospital, profiles: Profiles, epsilon: Decimal) -> Query:
    """The question on the terms that a client picks from profiles; the catalogue's where no profile tells."""
    base = compile_query(
        question.sql, hospital.catalogue, epsilon=epsilon, public=data.public(), unknown_keys=question.unknown_keys
    )
    return choose_terms(base, hospital.catalogue, profiles, trusts=1, public=data.public()).query


def find(
    question: Question, hospital: data.Hospital, query: Query, limits: EngineConfig, arguments: argparse.Namespace
) -> Finding:
    """Everything about one question but the peer."""
    shelf = data.public()
    plan = compile_plan(query, hospital.catalogue, shelf)
    pinned = pinned_tables(query, hospital.catalogue, shelf)
    task = task_of(query, plan, pinned, limits)
    tables = hospital.tables(task)
    seconds = time_both(question.raw, task, tables, runs=arguments.runs, threads=limits.threads)
    parts = time_parts(task, tables, runs=max(3, arguments.runs // 2))
    ways = _ways(query, plan, pinned, limits, hospital)
    touched = sum(table.nbytes for table in tables.values())
    grown = memory(task, hospital.store.folder, hospital.store.seal(hospital.key))
    engine, walls = hospital.engine(limits), []
    for _ in range(3):
        started = time.perf_counter()
        if question.unknown_keys:
            engine.counts(query, plan)
        else:
            engine.vector(query, plan)
        walls.append(time.perf_counter() - started)
    return Finding(question, seconds, parts, touched, grown, statistics.median(walls), ways)


def _ways(query: Query, plan: Plan, tables: Tables, limits: EngineConfig, hospital: data.Hospital) -> Ways | None:
    """Where there are two ways: what each is forecast to cost, and takes."""
    forecasts = routes(query, plan, tables, "by-value").forecasts
    if forecasts is None:
        return None
    seconds = []
    for way in WAYS:
        task = task_of(query, plan, tables, limits, way)
        columns = hospital.tables(task)
        seconds.append(statistics.median([answer(task, columns) for _ in range(4)][1:]))
    return Ways(forecasts, (seconds[0], seconds[1]))


def scale(
    folder: Path, queries: dict[str, Query], limits: EngineConfig, arguments: argparse.Namespace
) -> dict[int, float]:
    """Rows to our seconds, summed over a few questions."""
    hospital = data.make(folder, episodes=arguments.largest, seed=arguments.seed, tables=("person", "admission"))
    shelf, found = data.public(), dict[int, float]()
    for size in [size for size in SIZES if size <= arguments.largest]:
        total = 0.0
        for name in SCALED:
            query = queries[name]
            plan = compile_plan(query, hospital.catalogue, shelf)
            task = task_of(query, plan, pinned_tables(query, hospital.catalogue, shelf), limits)
            tables = hospital.tables(task, size)
            total += statistics.median(answer(task, tables) for _ in range(arguments.runs))
        found[size] = total
        _say(f"{size:,} rows: {total:.3f} s")
    return found


def exponent(times: dict[int, float]) -> float:
    """Slope of log time over log rows, by least squares."""
    points = [(math.log(rows), math.log(seconds)) for rows, seconds in times.items()]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return statistics.linear_regression(xs, ys).slope if len(points) > 1 else 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; the last line of stdout is ``RESULT`` and JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--episodes", type=int, default=EPISODES, help="admissions")
    parser.add_argument("--largest", type=int, default=LARGEST, help="admissions of the largest size; 0 for no scaling")
    parser.add_argument("--seed", type=int, default=7, help="of the data; noise has none")
    parser.add_argument("--epsilon", type=Decimal, default=Decimal(1), help="for one question")
    parser.add_argument("--runs", type=int, default=7, help="of each query, of which the median counts")
    parser.add_argument("--threads", type=int, default=2, help="of the database, for both")
    parser.add_argument("--peer", type=Path, help="Python of the virtual environment that has SmartNoise SQL")
    known = [question.id for question in QUESTIONS]
    parser.add_argument("--only", action="append", choices=known, help="ask this question; repeat for more")
    parser.add_argument("--page", type=Path, help="page of the manual to write")
    arguments = parser.parse_args(argv)
    questions = [question for question in QUESTIONS if question.id in (arguments.only or known)]
    limits = EngineConfig(memory_mb=8_192, cpu_seconds=600, seconds=600, threads=arguments.threads, cache_mb=8_192)
    with tempfile.TemporaryDirectory(prefix="bench-engine-") as name:
        folder = Path(name)
        run = _measure(folder, questions, limits, arguments)
    for line in table(run):
        print(line)
    if arguments.page is not None:
        arguments.page.write_text(page(run), encoding="utf-8")
    print(result(run))
    return 0


def _measure(folder: Path, questions: Sequence[Question], limits: EngineConfig, arguments: argparse.Namespace) -> Run:
    _say(f"making and preparing {arguments.episodes:,} admissions")
    (folder / "main").mkdir()
    hospital = data.make(folder / "main", episodes=arguments.episodes, seed=arguments.seed)
    _say("asking profiles")
    profiles = Federation(hospital.catalogue, [hospital.engine(limits)]).profiles(["admission"])
    queries = {question.id: asked(question, hospital, profiles, arguments.epsilon) for question in QUESTIONS}
    findings = []
    for question in questions:
        found = find(question, hospital, queries[question.id], limits, arguments)
        _say(f"{question.words}: {found.seconds.ours / found.seconds.raw:.2f}x")
        findings.append(found)
    _say("asking a node over its link")
    (folder / "node").mkdir()
    waits = offer_to_answer(folder / "node", hospital, {question.id: queries[question.id] for question in questions})
    _say("writing and reading the store, encrypted and plain")
    (folder / "files").mkdir()
    files = data.files(hospital, folder / "files")
    version, peer = "", dict[str, float]()
    if arguments.peer is not None:
        _say("asking SmartNoise SQL")
        version, peer = peer_seconds(arguments.peer, hospital.raw, questions, folder, threads=arguments.threads)
    times: dict[int, float] = {}
    if arguments.largest:
        _say(f"making and preparing {arguments.largest:,} admissions")
        (folder / "large").mkdir()
        times = scale(folder / "large", queries, limits, arguments)
    hospital.processes.close()
    return Run(arguments.episodes, arguments.seed, arguments.threads, tuple(findings), version, peer, times,
               exponent(times), files, waits)  # fmt: skip


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
