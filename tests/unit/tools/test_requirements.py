"""The locks, the ranges of pyproject.toml and one another: they must agree, and every line must carry a hash."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
LOCKS = sorted(path.name for path in (ROOT / "requirements").glob("*.lock"))


def pins(name: str) -> dict[str, set[str]]:
    """Return the versions of each package in a lock; more than one where markers split it."""
    found: dict[str, set[str]] = {}
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    for package, version in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE):
        found.setdefault(canonicalize_name(package), set()).add(version)
    return found


def test_all_the_locks_are_here() -> None:
    ours = ("bootstrap", "demo", "dev", "postgresql", "runtime")
    apart = ("accounting", "audit", "fuzz", "mesh", "rocrate", "scan", "schemathesis", "smartnoise")
    assert [path.removesuffix(".lock") for path in LOCKS] == sorted((*ours, *apart))


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_of_a_lock_is_pinned_and_hashed(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    for requirement in text.replace("\\\n", " ").splitlines():
        assert re.match(r"[\w.-]+==[\w.]+ .*--hash=sha256:[0-9a-f]{64}", requirement)
    assert "//" not in text


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_what_its_input_asks_for(name: str) -> None:
    locked = pins(name)
    lines = (ROOT / "requirements" / name).with_suffix(".in").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line and not line.startswith(("#", "-r ", "-c ")):
            requirement = Requirement(line)
            assert all(requirement.specifier.contains(v) for v in locked[canonicalize_name(requirement.name)])


def test_dev_has_everything_of_runtime_at_the_same_version() -> None:
    dev = pins("dev.lock")
    for name in ("runtime.lock", "postgresql.lock"):
        assert {package: dev.get(package) for package in pins(name)} == pins(name)


def test_the_wheel_asks_for_what_the_runtime_lock_tests() -> None:
    locked = pins("runtime.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked |= pins("postgresql.lock")
    asked = (*project["dependencies"], *project["optional-dependencies"]["postgresql"])
    for requirement in map(Requirement, asked):
        assert all(requirement.specifier.contains(v) for v in locked[canonicalize_name(requirement.name)])


def test_the_stubs_generator_is_not_newer_than_the_grpc_that_loads_its_code() -> None:
    assert pins("dev.lock")["grpcio-tools"] == pins("runtime.lock")["grpcio"]
