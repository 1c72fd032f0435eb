"""A registry host or a path of this machine is planted, and seen to be caught."""

import subprocess
from pathlib import Path

import pytest

from tools import check_registry_hosts as check


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    root.mkdir()
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


def found(root: Path, hosts: set[str]) -> list[str]:
    return [str(finding) for finding in check.findings(root, check.tracked_files(root), hosts)]


def test_the_hosts_come_from_the_package_managers_here() -> None:
    from pip._internal.models.index import PyPI

    hosts = check.registry_hosts()
    assert {PyPI.netloc, PyPI.file_storage_domain} <= hosts
    assert len(hosts) >= 3, "npm's default is known even where npm is not installed"
    assert not any("/" in host or ":" in host for host in hosts)


def test_the_hosts_of_a_company_mirror_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:password@mirror.trust.example:8443/simple")
    assert "mirror.trust.example" in check.registry_hosts()


def test_every_real_host_is_caught_where_it_is_planted(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hosts = sorted(check.registry_hosts())
    (checkout / "requirements.lock").write_text("".join(f"x @ https://{host.upper()}/x.whl\n" for host in hosts))
    assert check.main(checkout) == 3
    out = capsys.readouterr().out
    for number, host in enumerate(hosts, start=1):
        assert f"requirements.lock:{number}: names the registry host {host}" in out


def test_untracked_files_count_and_ignored_ones_do_not(checkout: Path) -> None:
    (checkout / ".gitignore").write_text("build/\n")
    (checkout / "build").mkdir()
    (checkout / "build" / "a").write_text("host.example")
    (checkout / "new.md").write_text("see host.example\n")
    assert found(checkout, {"host.example"}) == ["new.md:1: names the registry host host.example"]


def test_a_path_of_this_machine_is_caught(checkout: Path) -> None:
    (checkout / "a.md").write_text(f"fine\ncd {checkout}/docs\n")
    (checkout / "b.md").write_text(f"see {checkout.parent}/other\n")
    names = [line.split(": ")[0] for line in found(checkout, set())]
    assert set(names) == {"a.md:2", "b.md:1"}


def test_a_binary_file_is_read_too(checkout: Path) -> None:
    (checkout / "image.bin").write_bytes(b"\xff\xfe\x00host.example\x00")
    assert len(found(checkout, {"host.example"})) == 1


def test_a_clean_tree_passes(checkout: Path) -> None:
    (checkout / "README.md").write_text("Nothing here.\n")
    assert check.main(checkout) == 0
