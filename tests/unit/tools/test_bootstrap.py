"""The set-up script on machines that lack something: it names what is missing and the exact line that installs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = ("sh", "cat", "cut", "date", "dirname", "basename", "id", "rm", "sha256sum")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return a machine with a shell, the project's set-up script and no Python."""
    (tmp_path / "bin").mkdir()
    for name in COMMANDS:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "")
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "bootstrap.sh", tmp_path / "tools")
    return tmp_path


def add_python(machine: Path, name: str, version: str, ensurepip: bool) -> None:
    """Add a Python that answers as one of that version would, and makes no venv."""
    path = machine / "bin" / name
    new = tuple(map(int, version.split("."))) >= (3, 11)
    path.write_text(
        "#!/bin/sh\n"
        f'case "$*" in --version) echo "Python {version}";; *version_info*) exit {0 if new else 1};;\n'
        f"*ensurepip*) exit {0 if ensurepip else 1};; -m\\ venv*) echo made with {name}; exit 9;; esac\n"
    )
    path.chmod(0o755)


def bootstrap(machine: Path, part: str = "runtime") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["tools/bootstrap.sh", part],
        cwd=machine,
        env={"PATH": str(machine / "bin"), "HOME": str(machine)},
        capture_output=True,
        text=True,
        check=False,
    )


def line(packages: str) -> str:
    sudo = "" if os.getuid() == 0 else "sudo "
    return f"    {sudo}apt-get update && {sudo}apt-get install -y {packages}\n"


def test_no_python_at_all(machine: Path) -> None:
    done = bootstrap(machine)
    assert done.returncode == 1
    assert "there is no python3" in done.stderr
    assert line("python3 python3-venv") in done.stderr


def test_an_old_python(machine: Path) -> None:
    add_python(machine, "python3", "3.10.12", ensurepip=True)
    done = bootstrap(machine)
    assert done.returncode == 1
    assert "this is Python 3.10.12" in done.stderr
    assert line("python3.11 python3.11-venv") in done.stderr


@pytest.mark.parametrize(("name", "package"), [("python3", "python3-venv"), ("python3.12", "python3.12-venv")])
def test_a_python_without_its_venv_package(machine: Path, name: str, package: str) -> None:
    add_python(machine, name, "3.12.3", ensurepip=False)
    done = bootstrap(machine)
    assert done.returncode == 1
    assert "no ensurepip" in done.stderr
    assert line(package) in done.stderr


def test_an_old_default_beside_a_newer_python(machine: Path) -> None:
    add_python(machine, "python3", "3.10.12", ensurepip=True)
    add_python(machine, "python3.12", "3.12.3", ensurepip=True)
    assert "made with python3.12" in bootstrap(machine).stdout


def test_a_stale_venv_is_made_again(machine: Path) -> None:
    add_python(machine, "python3", "3.11.2", ensurepip=True)
    venv = machine / ".venv" / "bin"
    venv.mkdir(parents=True)
    (venv / "python").symlink_to(sys.executable)
    (machine / ".venv" / ".root").write_text("/where/it/was/before\n")
    assert "made with python3" in bootstrap(machine).stdout


def test_an_unknown_part_is_refused_before_anything_is_made(machine: Path) -> None:
    done = bootstrap(machine, "nonsense")
    assert done.returncode == 1
    assert "say runtime, dev or demo" in done.stderr
    assert not (machine / ".venv").exists()
