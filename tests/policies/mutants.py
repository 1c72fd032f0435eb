"""Would the cases notice? Break the evaluator and each rule in every small way, and run the cases against each.

A mutant is one change: a condition is dropped, negated or set, a comparison flipped, a boundary moved; a result becomes
nothing; a rule is gone. It is killed when a case or a probe decides otherwise. What survives
is printed: it is a branch that no case pins down.

    python -m tests.policies.mutants
"""

from __future__ import annotations

import ast
import copy
import dataclasses
import inspect
import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from trustquery.policy import (
    Decision,
    Policy,
    PolicyRequest,
    Rule,
    cases,
    data,
    evaluate,
    request,
    rules_query,
    rules_who,
    ruling,
    schema,
)
from trustquery.policy import evaluate as evaluator
from trustquery.policy import rules as rulebook

__all__ = ["CASES", "LEAST", "Report", "Target", "mutants_of", "ready_cases", "run", "targets"]

CASES = Path(__file__).resolve().parents[2] / "policies" / "cases"
LEAST = 0.9
"""The score below which the cases do not hold the rules down."""
EVALUATE = sys.modules["trustquery.policy.evaluate"]
_MODULES: tuple[ModuleType, ...] = (rules_who, rules_query, ruling, EVALUATE, data, schema, request, rulebook)
_FLIPPED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_SWAPPED = {"all": "any", "any": "all", "min": "max", "max": "min"}


@dataclass(frozen=True)
class Target:
    """A function whose mutants are made.

    Attributes:
        owner: the module or class that holds it; None for a rule's check.
        rule: the rule whose check it is, or None.
    """

    name: str
    function: FunctionType
    owner: Any = None
    rule: Rule | None = None


def targets() -> tuple[Target, ...]:
    """The evaluator, every rule, and what rules are made of."""
    checks = [Target(f"rule {rule.id}", _plain(rule.check), rule=rule) for rule in rulebook.RULES]
    parts = [
        (EVALUATE, "evaluate"),
        (ruling, "among"),
        (ruling, "listed"),
        (ruling, "refused"),
        (rules_query, "why_review"),
        (data, "allowed_uses"),
        (data.ColumnRoles, "role"),
        (data.DatasetRule, "table"),
        (data.DatasetRule, "uses"),
        (schema.Policy, "dataset_rule"),
        (request.PolicyRequest, "is_whole"),
    ]
    return (*checks, *(Target(name, _plain(vars(owner)[name]), owner=owner) for owner, name in parts))


def _plain(function: object) -> FunctionType:
    if not isinstance(function, FunctionType):
        raise TypeError("a function is needed")
    return function


def mutants_of(target: Target) -> Iterator[tuple[str, FunctionType]]:
    """Each mutant of a function: what was changed, and the function."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(target.function)))
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef):
        raise TypeError("a plain function is needed")
    definition.decorator_list = []
    first = inspect.getsourcelines(target.function)[1]
    for place, node in enumerate(ast.walk(tree)):
        for words, change in _changes(node):
            mutated = copy.deepcopy(tree)
            twin = next(found for number, found in enumerate(ast.walk(mutated)) if number == place)
            change(twin)
            ast.fix_missing_locations(mutated)
            space = target.function.__globals__
            made: dict[str, Any] = {}
            code = compile(mutated, "<mutant>", "exec", flags=_flags())
            exec(code, space, made)
            line = first + getattr(node, "lineno", 1) - 1
            yield f"{target.name}, line {line}: {words}", _plain(made[definition.name])


def _flags() -> int:
    import __future__

    return __future__.annotations.compiler_flag


Change = Callable[[Any], None]


def _set(name: str, value: Any) -> Change:
    return lambda node: setattr(node, name, value)


def _changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in _FLIPPED.get(type(operator), ()):
                yield f"{type(operator).__name__} becomes {other.__name__}", _operator(place, other)
    if isinstance(node, ast.If | ast.IfExp):
        for value in (True, False):
            yield f"condition becomes {value}", _set("test", ast.Constant(value))
        yield "condition negated", lambda twin: setattr(twin, "test", ast.UnaryOp(ast.Not(), twin.test))
    if isinstance(node, ast.BoolOp):
        for place in range(len(node.values)):
            yield f"operand {place + 1} dropped", _dropped(place)
        other_op = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield f"becomes {other_op.__name__}", _set("op", other_op())
    if isinstance(node, ast.Return) and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield "returns nothing", _set("value", ast.Constant(None))
    if isinstance(node, ast.comprehension):
        for place in range(len(node.ifs)):
            yield f"filter {place + 1} dropped", _unfiltered(place)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SWAPPED:
        yield f"{node.func.id} becomes {_SWAPPED[node.func.id]}", _renamed(_SWAPPED[node.func.id])
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield "number and one more", _set("value", node.value + 1)


def _operator(place: int, other: type[ast.cmpop]) -> Change:
    return lambda twin: twin.ops.__setitem__(place, other())


def _dropped(place: int) -> Change:
    # "x and True" is x, as "x or False" is: an operation needs two operands to be compiled.
    return lambda twin: twin.values.__setitem__(place, ast.Constant(isinstance(twin.op, ast.And)))


def _unfiltered(place: int) -> Change:
    return lambda twin: twin.ifs.pop(place)


def _renamed(name: str) -> Change:
    return lambda twin: setattr(twin.func, "id", name)


# -- running -----------------------------------------------------------------------------------------------------------

Decide = Callable[[Policy, PolicyRequest], Decision]


def ready_cases(folder: Path = CASES) -> tuple[cases.Ready, ...]:
    """Every case of a folder, read and whole."""
    found: list[cases.Ready] = []
    for path in sorted(folder.glob("*.toml")):
        read = cases.Cases.from_toml(path.read_text(encoding="utf-8"), name=path.name)
        policy = path.parent / read.policy
        found += cases.prepare(read, policy.read_text(encoding="utf-8"), name=policy.name)
    return tuple(found)


def _rules_with(target: Target, mutant: FunctionType) -> tuple[Rule, ...]:
    return tuple(dataclasses.replace(rule, check=mutant) if rule is target.rule else rule for rule in rulebook.RULES)


@contextmanager
def _installed(target: Target, mutant: FunctionType) -> Iterator[Decide]:
    """A way to decide with one function replaced, wherever it is used."""
    if target.rule is not None:
        rules = _rules_with(target, mutant)
        yield lambda policy, asked: evaluate(policy, asked, rules)
        return
    if target.owner is EVALUATE:
        yield mutant
        return
    owners = [target.owner] if isinstance(target.owner, type) else list(_MODULES)
    held = [owner for owner in owners if vars(owner).get(target.function.__name__) is target.function]
    for owner in held:
        setattr(owner, target.function.__name__, mutant)
    try:
        yield evaluator
    finally:
        for owner in held:
            setattr(owner, target.function.__name__, target.function)


class _Other(PolicyRequest):
    """A request of another type, with the same fields."""


def _probes(decide: Decide, first: cases.Ready) -> bool:
    """What no file can hold, since it would not be read: malformed requests and policies. True when all are refused."""
    whole = dict(first.request.__dict__)
    # Without a deadline, so that a review is a refusal.
    policy = first.policy.model_copy(update={"review": first.policy.review.model_copy(update={"minutes": 0})})
    broken: list[tuple[Policy, Any]] = [
        (policy, PolicyRequest.model_construct(**{**whole, "cells": True})),
        (policy, PolicyRequest.model_construct(**{**whole, "aggregates": ("count",)})),
        (policy, PolicyRequest.model_construct(**{**whole, "tables": frozenset()})),
        (policy, PolicyRequest.model_construct(**{**whole, "aggregates": frozenset()})),
        (policy, _Other.model_construct(**whole)),
    ]
    for part, name, value in (
        ("queries", "modes", "local"),
        ("who", "roles", "lead, analyst"),
        ("who", "purposes", first.request.purpose),
        ("queries", "per_trust_figures", 1),
        ("deny", "tables", ""),
        ("review", "of", ""),
        ("review", "every_query", 0),
        ("review", "every_query", None),
    ):
        changed = getattr(policy, part).model_copy(update={name: value})
        broken.append((policy.model_copy(update={part: changed}), first.request))
    broken += [(policy.model_copy(update={name: value}), first.request) for name, value in _WRONG]
    return not any(decide(*pair).allowed for pair in broken)


_WRONG: tuple[tuple[str, Any], ...] = (
    ("bootstrap", 1),
    ("format", "tq-policy-1"),
    ("hours", "never"),
    ("hours", None),
    ("dataset", ()),
)


def _killed(decide: Decide, ready: tuple[cases.Ready, ...]) -> bool:
    try:
        return any(cases.run(one, decide).differs for one in ready) or not _probes(decide, ready[0])
    except Exception:
        return True  # an evaluator that fails answers nothing


@dataclass(frozen=True)
class Report:
    """What came of the mutants."""

    mutants: int
    survivors: tuple[str, ...]

    @property
    def score(self) -> float:
        """Share that was killed."""
        return 1 - len(self.survivors) / self.mutants

    def document(self) -> dict[str, Any]:
        """The figures as JSON data."""
        return {"mutants": self.mutants, "killed": self.mutants - len(self.survivors), "score": round(self.score, 4)}


def run() -> Report:
    """Make every mutant and run the cases against each.

    Raises:
        ValueError: the cases fail before anything is broken.
    """
    ready = ready_cases()
    allowed = tuple(one for one in ready if one.case.expect.allowed)
    if not allowed or _killed(evaluator, (allowed[0], *ready)):
        raise ValueError("the cases fail on the rules as they are: run `tq policy test policies/cases`")
    ready = (allowed[0], *ready)
    number, survivors = 0, []
    for target in targets():
        for words, mutant in mutants_of(target):
            number += 1
            with _installed(target, mutant) as decide:
                if not _killed(decide, ready):
                    survivors.append(words)
    for rule in rulebook.RULES:
        number += 1
        rest = tuple(other for other in rulebook.RULES if other is not rule)
        if not _killed(lambda policy, asked, rest=rest: evaluate(policy, asked, rest), ready):  # type: ignore[misc]
            survivors.append(f"rule {rule.id}: gone")
    return Report(number, tuple(survivors))


def main() -> int:
    """Print survivors and the score; 1 when the score is too low."""
    report = run()
    for words in report.survivors:
        print(f"survived: {words}")
    print("RESULT " + json.dumps(report.document()))
    return 0 if report.score >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
