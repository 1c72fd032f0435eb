"""Refuse registry host names and paths of this machine in the tree.

A host name in a lock file sends a trust's build machine to somebody else's server, past the mirror it was told to use;
a path of one machine works nowhere else. This file names no host itself: it asks each package manager here which hosts
it would use - pip's own constants, the configuration of pip, npm, apt and uv - so it also knows a company's mirror.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
URL_HOST = re.compile(r"https?://(?:[^@/\s'\"]*@)?([\w.-]+)")
HERE = ("localhost", "127.0.0.1", "0.0.0.0", "::1")  # noqa: S104 - compared with, not bound
APT = ("/etc/apt/sources.list", "/etc/apt/sources.list.d")
# Folders that every machine has: a checkout directly inside one does not make the folder's name a giveaway.
ANYWHERE = ("/", "/tmp", "/var/tmp", "/home", "/root", "/opt", "/srv", "/usr/src")  # noqa: S108 - compared with
UV_CONFIGURATION = ("/etc/uv/uv.toml", "~/.config/uv/uv.toml")


@dataclass(frozen=True)
class Finding:
    """A forbidden text at one line of one file."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


def _output(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout
    except subprocess.TimeoutExpired:
        return ""


def _configurations() -> Iterator[str]:
    yield _output(sys.executable, "-m", "pip", "config", "list")
    yield _output("npm", "config", "get", "registry")
    yield "\n".join(value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "npm_config_")))
    for place in APT:
        path = Path(place)
        for file in sorted(path.glob("*")) if path.is_dir() else [path]:
            if file.is_file():
                # Comments too: they are where a distribution's own hosts are written.
                yield file.read_text(encoding="utf-8", errors="replace")
    for place in UV_CONFIGURATION:
        file = Path(place).expanduser()
        if file.is_file():
            yield file.read_text(encoding="utf-8", errors="replace")


def registry_hosts() -> frozenset[str]:
    """Return the hosts that pip, uv, npm and apt of this machine would fetch packages from."""
    from pip._internal.models.index import PyPI

    # uv's default index is pip's. npm's default is the one host below that npm itself would be fetched from.
    npm_default = ".".join(("registry", "npmjs", "org"))
    hosts = {PyPI.netloc, PyPI.file_storage_domain, npm_default}
    for text in _configurations():
        hosts.update(match[1] for match in URL_HOST.finditer(text))
    return frozenset(host.lower().rstrip(".") for host in hosts if host and not host.startswith(HERE))


def tracked_files(root: Path) -> list[Path]:
    """Return every file that is committed or would be by `git add`."""
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    return sorted(path for name in names if name and (path := root / name).is_file())


def findings(root: Path, files: Iterable[Path], hosts: Iterable[str]) -> Iterator[Finding]:
    """Yield each forbidden text, a line at a time.

    Args:
        root: the checkout; paths below its parent folder are refused.
        files: what to read; binary files are read too.
        hosts: host names, lower case.
    """
    machine = [] if str(root.parent) == "/" else [str(root)]
    if str(root.parent) not in ANYWHERE:
        machine.append(f"{root.parent}/")
    banned = [(host, f"names the registry host {host}") for host in sorted(hosts)]
    banned += [(path.lower(), f"holds a path of this machine, {path}") for path in machine]
    for file in files:
        text = file.read_bytes().decode("utf-8", errors="replace").lower()
        if any(needle in text for needle, _ in banned):
            for number, line in enumerate(text.splitlines(), start=1):
                for needle, what in banned:
                    if needle in line:
                        yield Finding(file.relative_to(root).as_posix(), number, what)


def main(root: Path = ROOT) -> int:
    """Check the tree at `root`; returns the exit code (3: something must come out)."""
    files = tracked_files(root)
    found = list(findings(root, files, registry_hosts()))
    for finding in found:
        print(finding)
    print(f"hosts: {len(files)} files, {len(found)} findings", file=sys.stderr)
    return 3 if found else 0


if __name__ == "__main__":
    sys.exit(main())
