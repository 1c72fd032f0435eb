"""Released profiles of a dataset, each verified here, and the questions that ask for those still missing."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from trustquery.catalogue import Catalogue
from trustquery.codelists import shipped
from trustquery.errors import Problem, TrustQueryError
from trustquery.forecast.distribution import Distribution
from trustquery.forecast.profiles import Profiles, read_profile
from trustquery.forecast.questions import (
    PROFILE_EPSILON,
    About,
    ProfileQuestion,
    profile_query,
    profile_questions,
)
from trustquery.identity import Answer, Roster
from trustquery.planning import Plan, compile_plan
from trustquery.protocol.answers import add_vectors, check_answer, check_vector

if TYPE_CHECKING:
    from trustquery.client.project import Project
    from trustquery.client.query import Query

__all__ = [
    "FetchedProfiles",
    "ProfileIgnoredWarning",
    "ReleasedProfile",
    "ask_profile",
    "fetch_profiles",
    "read_released",
    "warn",
]

KNOWN_DIGITS = 16


class ProfileIgnoredWarning(UserWarning):
    """A released profile does not verify and is left out; bounds are then chosen without it.

    Attributes:
        question: what it would have answered.
        problem: what is wrong with it.
    """

    def __init__(self, question: ProfileQuestion, problem: Problem) -> None:
        super().__init__(f'the profile "{question.words}" is left out: {problem.reason}')
        self.question = question
        self.problem = problem


@dataclass(frozen=True)
class ReleasedProfile:
    """One profile, verified.

    Attributes:
        query: the release that it came from, whoever asked.
        closed: when that closed, as the coordinator says, seconds since 1970.
        trusts: the trusts in the sum, by name.
        data_versions: version of each trust's data, in the same order, as it signed.
        merged: the released integers, one a bin.
        distribution: what they tell, at one trust on average.
    """

    question: ProfileQuestion
    query: str
    closed: int
    trusts: tuple[str, ...]
    data_versions: tuple[int, ...]
    merged: tuple[int, ...]
    distribution: Distribution


@dataclass(frozen=True)
class FetchedProfiles:
    """What the coordinator had of one dataset: what verified, and what is wrong with the rest."""

    dataset: str
    released: Mapping[ProfileQuestion, ReleasedProfile]
    ignored: Mapping[ProfileQuestion, Problem]

    @property
    def profiles(self) -> Profiles:
        """The same as distributions."""
        return Profiles({question: found.distribution for question, found in self.released.items()})


@dataclass(frozen=True)
class _Asked:
    """What is known of a query of somebody else's: that its answers must be to this very model and plan."""

    federation: str
    release_id: str
    query_hash: str
    plan_hash: str
    rho_nano: int
    mode: str = "local"


def fetch_profiles(project: Project, dataset: str) -> FetchedProfiles:
    """Fetch the newest result of each profile question of a dataset, and verify each.

    Results are kept under the home folder by release id, so that only new ones travel again; kept ones are verified
    like any other.

    Raises:
        TrustQueryError: ``project-…``, ``query-unknown-dataset``.
    """
    connection = project.connection
    catalogue = connection.dataset(dataset)
    kept = _Kept(connection.home.profiles / catalogue.sha256[:KNOWN_DIGITS], connection.home.replace_private)
    have = sorted(name[:KNOWN_DIGITS] for name in kept.names())
    items = connection.http.get(f"/v1/projects/{project.name}/profiles", dataset=dataset, have=have)["profiles"]
    asked = set(profile_questions(catalogue))
    released: dict[ProfileQuestion, ReleasedProfile] = {}
    ignored: dict[ProfileQuestion, Problem] = {}
    for item in items:
        question = ProfileQuestion(str(item["table"]), cast(About, item["about"]), str(item["column"]))
        if question not in asked or item["query"] is None:
            continue
        name, closed, result = str(item["query"]), item["closed"], item["result"]
        try:
            result = kept.read(name) if result is None else result
            found = read_released(
                question,
                name,
                closed if isinstance(closed, int) else 0,
                result,
                catalogue,
                project.roster,
                project.permit.min_trusts,
            )
        except TrustQueryError as error:
            ignored[question] = error.problem
            kept.drop(name)
        else:
            released[question] = found
            kept.write(name, result)
    kept.only({found.query for found in released.values()})
    return FetchedProfiles(dataset, released, ignored)


class _Kept:
    """Results in a folder, one file a release."""

    def __init__(self, folder: Path, write: Callable[[Path, bytes], None]) -> None:
        self._folder = folder
        self._write = write

    def names(self) -> list[str]:
        return [path.stem for path in self._folder.glob("*.json")]

    def _path(self, name: str) -> Path:
        if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
            raise _wrong("its release is not named as one")
        return self._folder / f"{name}.json"

    def read(self, name: str) -> Any:
        try:
            return json.loads(self._path(name).read_bytes())
        except (OSError, ValueError) as error:
            raise _wrong("its result was not sent") from error

    def write(self, name: str, result: Any) -> None:
        path = self._path(name)
        if not path.exists():
            # What cannot be kept is fetched again.
            with contextlib.suppress(OSError):
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._write(path, json.dumps(result).encode())

    def drop(self, name: str) -> None:
        with contextlib.suppress(OSError, TrustQueryError):
            self._path(name).unlink(missing_ok=True)

    def only(self, wanted: set[str]) -> None:
        """Forget the others: a newer result has taken their place."""
        for name in self.names():
            if name not in wanted:
                self.drop(name)


def _wrong(problem: str) -> TrustQueryError:
    return TrustQueryError("auth-document", place="profile", document="profile", problem=problem)


def read_released(
    question: ProfileQuestion,
    query: str,
    closed: int,
    result: Any,
    catalogue: Catalogue,
    roster: Roster,
    min_trusts: int,
) -> ReleasedProfile:
    """Believe a profile as far as the trusts signed it.

    Each answer must be signed by a node on the roster, for this very question's model and plan and for one release;
    the sum is repeated from the vectors that they signed.

    Args:
        query: the release id.
        result: ``vector`` and ``trusts`` as the coordinator keeps them.
        min_trusts: fewer trusts than this are not enough.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    _, model = profile_query(question, catalogue)
    plan = compile_plan(model, catalogue)
    asked = _Asked(roster.federation, query, model.sha256, plan.sha256, plan.rho_nano)
    try:
        pairs = [_answer(item, asked, plan, roster) for item in result["trusts"]]
        merged = [int(number) for number in result["vector"]]
    except (KeyError, TypeError, ValueError) as error:
        raise _wrong("it is not written as a result") from error
    names = tuple(answer.node for answer, _ in pairs)
    if len(set(names)) != len(names) or len(names) < max(1, min_trusts):
        raise _wrong("it does not have the answers of enough trusts")
    if add_vectors([vector for _, vector in pairs], plan.length) != merged:
        raise _wrong("it is not the sum of what the trusts signed")
    versions = tuple(answer.data_version for answer, _ in pairs)
    told = read_profile(question, catalogue, merged, len(names))
    return ReleasedProfile(question, query, closed, names, versions, tuple(merged), told)


def _answer(item: Mapping[str, Any], asked: _Asked, plan: Plan, roster: Roster) -> tuple[Answer, bytes]:
    entry = roster.node(str(item["node"]))
    if entry is None:
        raise _wrong("one of its trusts is not on the roster")
    vector = base64.b64decode(item["vector"], validate=True)
    answer = check_answer(str(item["envelope"]).encode(), node=entry, intent=asked, vector_length=plan.length)
    if answer.status != "answer":
        raise _wrong("it counts a trust that gave no answer")
    check_vector(answer, vector)
    return answer, vector


def ask_profile(project: Project, question: ProfileQuestion, dataset: str) -> Query:
    """A profile question as a query: compiled, on the very terms that make it a profile. Nothing is sent.

    Raises:
        TrustQueryError: ``query-…``, ``usage-invalid``: the dataset has no such question.
    """
    from trustquery.client.query import Query
    from trustquery.question.compiled import Question, named
    from trustquery.question.wish import Limits, Wish

    catalogue = project.connection.dataset(dataset)
    if question not in profile_questions(catalogue, question.table):
        raise TrustQueryError("usage-invalid", question.table, problem=f"{dataset} has no profile question like it")
    sql, model = profile_query(question, catalogue)
    wish = Wish(PROFILE_EPSILON, limits=Limits(groups=1, rows=1))
    asked = Question.compile(sql, catalogue, wish, trusts=named(project.roster), public=shipped(), parameters={})
    choice = dataclasses.replace(asked.choice, query=model)
    asked = dataclasses.replace(asked, model=model, plan=compile_plan(model, catalogue), choice=choice)
    return Query(project, asked, fresh=False)


def warn(found: FetchedProfiles) -> None:
    """Say in Python's own way which profiles were left out."""
    for question, problem in found.ignored.items():
        warnings.warn(ProfileIgnoredWarning(question, problem), stacklevel=3)
