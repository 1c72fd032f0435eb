"""INP-03, INP-04: a harmful text in any field of any configuration, policy or signed document is refused or inert.

Every leaf of every document is replaced by every naughty text, and the document is read by the code that reads it in
production. A typed refusal is right, and so is a document that holds the text letter by letter; nothing is opened,
made, run or asked for meanwhile.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coordinator.config import Home as CoordinatorHome
from coordinator.config import database_url, parse_settings, sample_text
from node_agent.config import Home, SourceConfig, parse_config
from node_agent.sources.prepare import check_sources
from tests.factories import documents
from tests.factories.trust import key, policy_text, question
from tests.lib.refusals import code_of, refusal
from tests.security.spy import watched
from trustquery import catalogue
from trustquery.identity import Intent, Permit, canonical
from trustquery.model import Query
from trustquery.policy import Policy

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NAUGHTY: dict[str, list[str]] = {
    kind: found["texts"]
    for kind, found in tomllib.loads((HERE / "naughty_strings.toml").read_text(encoding="utf-8")).items()
}
TEXTS = [text for texts in NAUGHTY.values() for text in texts] + ["x" * 100_000, "9" * 5_000, "[" * 2_000, "é" * 300]


def toml(data: dict[str, Any]) -> str:
    """The data as TOML, every table on one line."""

    def value(item: Any) -> str:
        if isinstance(item, dict):
            return "{" + ", ".join(f"{json.dumps(name)} = {value(inner)}" for name, inner in item.items()) + "}"
        if isinstance(item, list):
            return "[" + ", ".join(map(value, item)) + "]"
        return json.dumps(item, ensure_ascii=True) if not isinstance(item, str) else text(item)

    def text(item: str) -> str:
        shown = json.dumps(item, ensure_ascii=False).replace("\x7f", "\\u007f")
        return shown

    return "\n".join(f"{json.dumps(name)} = {value(item)}" for name, item in data.items())


def as_toml(read: Callable[[str], object]) -> Callable[[dict[str, Any]], object]:
    return lambda data: read(toml(data))


def as_payload(read: Callable[[bytes], object]) -> Callable[[dict[str, Any]], object]:
    return lambda data: read(canonical.encode(data))


SAMPLES: dict[str, tuple[Callable[[dict[str, Any]], object], dict[str, Any]]] = {
    "node.toml": (as_toml(parse_config), tomllib.loads((ROOT / "node_agent/node.sample.toml").read_text())),
    "coordinator.toml": (as_toml(parse_settings), tomllib.loads(sample_text())),
    "policy": (as_toml(Policy.from_toml), tomllib.loads(policy_text())),
    "permit": (as_payload(Permit.from_payload), json.loads(documents.permit(key("ada")).payload())),
    "intent": (as_payload(Intent.from_payload), json.loads(documents.intent(key("ada")).payload())),
    "query model": (as_payload(Query.from_payload), json.loads(question().payload())),
}


def leaves(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value that is neither table nor list; of alike rows of a list, the first two."""
    if isinstance(data, dict):
        for name, item in data.items():
            yield from leaves(item, (*path, name))
    elif isinstance(data, list):
        for number, item in enumerate(data[:2]):
            yield from leaves(item, (*path, number))
    else:
        yield path


def changed(data: dict[str, Any], path: tuple[str | int, ...], text: str) -> dict[str, Any]:
    """A copy with one leaf replaced."""
    copied = copy.deepcopy(data)
    place: Any = copied
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = text
    return copied


@pytest.mark.acceptance("INP-03", "INP-04")
@pytest.mark.parametrize("name", SAMPLES)
def test_a_naughty_text_in_any_field_is_refused_or_kept_as_it_is(name: str) -> None:
    read, sample = SAMPLES[name]
    read(sample)  # the sample itself is good, and what is loaded once is loaded
    kept = refused = 0
    with watched() as spy:
        for path in leaves(sample):
            for text in TEXTS:
                data = changed(sample, path, text)
                found: list[object] = []
                error = refusal(lambda data=data, found=found: found.append(read(data)))
                if error is not None:
                    refused += 1
                    assert all(len(problem.reason) < 5_000 for problem in error.problems)
                else:
                    kept += 1
                    assert text in _texts(found[0]) or re.fullmatch(r"\d+(\.\d+)?", text), (path, text)
        assert spy.seen == []
    assert not Path("/tmp/tq-injected").exists()
    assert refused > kept
    assert refused > 100


def _texts(item: Any) -> set[str]:
    """Every text in a document, however deep."""
    if isinstance(item, str):
        return {item}
    if isinstance(item, dict):
        return {text for pair in item.items() for part in pair for text in _texts(part)}
    if isinstance(item, list | tuple | set | frozenset):
        return {text for part in item for text in _texts(part)}
    fields = getattr(item, "__dict__", None) or {
        name: getattr(item, name) for name in getattr(item, "__dataclass_fields__", {})
    }
    return _texts(dict(fields)) if fields else set()


@pytest.mark.acceptance("INP-03")
@pytest.mark.parametrize("name", ["node.toml", "coordinator.toml", "policy"])
def test_a_naughty_key_is_refused(name: str) -> None:
    read, sample = SAMPLES[name]
    with watched() as spy:
        for text in TEXTS:
            assert refusal(lambda text=text: read({**sample, text: "x"})) is not None, text
        assert spy.seen == []


@pytest.mark.acceptance("INP-03")
@pytest.mark.parametrize(
    "text", ["", "\0", "=", "[", "[[", "[" * 5_000, "a = " + "[" * 5_000, "a." * 5_000 + "b = 1", "a = 1\na = 2",
             "é" * 300, "\ufeff", "x = " + "9" * 5_000, "x = 0x" + "f" * 5_000, "x = 1e999999", "x = 1e999999999",
             "x = 1e99999999999999999999", "x = nan", "x = -inf", "x = 1979-05-27T07:32:00Z"]
)  # fmt: skip
def test_a_file_that_is_nonsense_is_refused(text: str) -> None:
    for read in (parse_config, parse_settings, Policy.from_toml, lambda text: catalogue.parse(text, name="x")):
        assert refusal(lambda read=read: read(text)) is not None


@pytest.mark.acceptance("INP-04")
def test_a_source_path_leads_to_no_socket_and_to_no_file_that_is_not_the_operators(tmp_path: Path) -> None:
    """IT may name any folder of its own machine. An address, a pattern or a marked path is no folder."""
    home = Home(tmp_path / "home")
    home.create()
    catalogue.load("omop-5.4")  # what is loaded once is loaded
    for text in NAUGHTY["paths"] + NAUGHTY["commands"] + ["x" * 4_000, "x/" * 2_000]:
        given = toml({
            "format": "tq-node-1", "node": {"ods": "RXX", "name": "x"},
            "source": [{"dataset": "omop-5.4", "format": "csv", "path": text}],
        })  # fmt: skip
        with watched() as spy:

            def find(given: str = given) -> None:
                (source,) = parse_config(given).sources
                check_sources([source], home.resolve)

            assert code_of(find) in ("config-invalid", "data-source-missing"), text
        assert [event for event in spy.seen if not event.startswith("duckdb.connect")] == []


@pytest.mark.acceptance("INP-04")
def test_a_folder_whose_name_is_a_pattern_is_not_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "person.csv").write_text("person_id,birth_datetime\n1,2000-01-01\n")
    for pattern in ("s*", "se[c]ret", "s?cret", "**"):
        source = SourceConfig.model_construct(dataset="omop-5.4", format="csv", path=pattern)
        assert code_of(lambda source=source: check_sources([source], lambda path: tmp_path / path)) in (
            "config-invalid", "data-source-missing",
        )  # fmt: skip


@pytest.mark.acceptance("INP-03", "INP-04")
def test_a_database_reference_reads_one_named_thing_and_says_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TQ_TEST_URL", "postgresql://user:secret@db/tq")
    home = CoordinatorHome(tmp_path)
    for text in TEXTS:
        settings_text = sample_text().replace('url = ""', f"url = {json.dumps(text)}")
        assert settings_text != sample_text() or text == ""
        error = refusal(lambda s=settings_text: database_url(home, parse_settings(s)))
        if error is not None:
            assert "root:" not in str(error)
    url = sample_text().replace('url = ""', 'url = "env:TQ_TEST_URL"')
    assert database_url(home, parse_settings(url)).startswith("postgresql://")
