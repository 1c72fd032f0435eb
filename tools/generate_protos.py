"""Generate `trustquery/v1` from `protos/`; with `--check`, only say whether it is in date.

The output is always made afresh in a temporary folder and then compared or copied, so a stub whose `.proto` has gone is
noticed too. grpcio-tools is pinned exactly: its version decides the oldest protobuf and grpcio that can load the code.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("trustquery/v1")


def generate(root: Path, out: Path) -> None:
    """Run protoc over every file of `root/protos` into `out`.

    Raises:
        SystemExit: protoc refused a file; its message is already on stderr.
    """
    protos = root / "protos"
    sources = sorted(str(path.relative_to(protos)) for path in protos.rglob("*.proto"))
    plugins = os.pathsep.join([str(Path(sys.executable).parent), os.defpath])
    done = subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{protos}"]
        + [f"--{kind}_out={out}" for kind in ("python", "grpc_python")]
        + [f"--{kind}_out=quiet:{out}" for kind in ("mypy", "mypy_grpc")]
        + sources,
        check=False,
        env={"PATH": plugins},
    )
    if done.returncode:
        raise SystemExit(done.returncode)


def differences(made: Path, kept: Path) -> list[str]:
    """Return what must change in `kept` to equal `made`, one line a file, sorted."""

    def contents(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.glob("*_pb2*.py*") if path.is_file()}

    wanted, found = contents(made), contents(kept)
    return sorted(
        [f"{name}: missing" for name in wanted.keys() - found.keys()]
        + [f"{name}: its .proto has gone" for name in found.keys() - wanted.keys()]
        + [f"{name}: differs" for name in wanted.keys() & found.keys() if wanted[name] != found[name]]
    )


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run the command; returns its exit code (3: out of date)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 3 if out of date")
    check = parser.parse_args(arguments).check
    if not any((root / "protos").rglob("*.proto")):
        print("protos: none yet", file=sys.stderr)
        return 0
    kept = root / PACKAGE
    with tempfile.TemporaryDirectory() as folder:
        generate(root, Path(folder))
        made = Path(folder) / PACKAGE
        changes = differences(made, kept)
        if check:
            for line in changes:
                print(f"{PACKAGE}/{line}")
            if changes:
                print("protos: run 'make protos'")
            return 3 if changes else 0
        kept.mkdir(parents=True, exist_ok=True)
        for path in kept.glob("*_pb2*.py*"):
            path.unlink()
        for path in made.iterdir():
            (kept / path.name).write_bytes(path.read_bytes())
    print(f"protos: {len(changes)} files changed", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
