"""The trust's own files are read in a process of its own: whatever a file does to what reads it, the node lives.

A Parquet file of some kilobytes can ask for all the memory of a machine, nest until the stack ends, or meet a fault in
a reader that is not ours. ``preparing_child`` does the work, with limits of the operating system's; what it says is
bounded before it is read, and a death without a word is a refusal like any other.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, Literal, cast

from node_agent.config import Home, NodeConfig
from node_agent.sources.store import Store
from trustquery.errors import TrustQueryError
from trustquery.errors.exceptions import Problem
from trustquery.identity.strict_json import read_json

if TYPE_CHECKING:
    from node_agent.sources.prepare import Progress

__all__ = ["Act", "check", "prepare", "request"]

Act = Literal["check", "prepare", "request"]
COMMAND = (sys.executable, "-I", "-m", "node_agent.preparing_child")
MOST_SAID = 1 << 20
"""Bytes that a child may say in all; an honest one says a line a table, of some 100 bytes."""


def prepare(home: Home, config: NodeConfig, progress: Progress | None = None) -> Store:
    """Prepare the next data version from every source and put it in use (``sources.prepare.refresh``).

    Whoever calls holds the lock on the lists of opt-outs, where there are any.

    Args:
        progress: called after each step.

    Raises:
        TrustQueryError: as ``refresh``; ``data-source-heavy``: it took more than it may. The version in use stays.
    """
    try:
        _run("prepare", home, config, progress=progress)
    except BaseException:
        _sweep(home)
        raise
    return Store.open(home.store)


def check(home: Home, config: NodeConfig) -> list[tuple[str, str, str]]:
    """What a refresh would find: dataset, table, and "ok" or what is wrong; nothing is stored.

    Raises:
        TrustQueryError: ``data-source-missing``, ``data-source-heavy``.
    """
    found = _run("check", home, config)
    if not isinstance(found, list) or not all(
        isinstance(row, list) and len(row) == 3 and all(isinstance(item, str) for item in row) for row in found
    ):
        raise TrustQueryError("data-source-heavy", table="a source")
    return [(dataset, table, result) for dataset, table, result in found]


def request(home: Home, config: NodeConfig, now: int) -> str:
    """Begin a request about every person with a verified NHS number; its id (``optout.exchange.make_request``).

    Raises:
        TrustQueryError: as ``make_request``; ``data-source-heavy``.
    """
    return str(_run("request", home, config, now=now))


def _run(act: Act, home: Home, config: NodeConfig, *, now: int = 0, progress: Progress | None = None) -> Any:
    asked = {"act": act, "home": str(home.path.absolute()), "config": config.model_dump_json(), "now": now}
    last = "a source"
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        try:
            with contextlib.suppress(BrokenPipeError), cast("IO[bytes]", child.stdin) as pipe:
                pipe.write(json.dumps(asked).encode())
            for said in _said(cast("IO[bytes]", child.stdout)):
                if "done" in said:
                    return said["done"]
                if "refused" in said:
                    raise TrustQueryError.of([Problem.from_document(said["refused"])])
                last, share = str(said["at"])[:200], float(said["share"])
                if progress is not None:
                    progress(last, share)
        except (ValueError, KeyError, TypeError) as error:
            # It says what no child of ours would: as good as dead.
            raise TrustQueryError("data-source-heavy", table=f"what comes after {last}") from error
        finally:
            child.kill()
    raise TrustQueryError("data-source-heavy", table=last if last == "a source" else f"what comes after {last}")


def _said(out: IO[bytes]) -> Iterator[dict[str, Any]]:
    """What it says, a line at a time.

    Raises:
        ValueError: it says too much, or what is no JSON object.
    """
    left = MOST_SAID
    while line := out.readline(left):
        left -= len(line)
        if not line.endswith(b"\n"):
            raise ValueError("too long, or cut off")
        found = read_json(line)
        if not isinstance(found, dict):
            raise ValueError("no object")
        yield found


def _sweep(home: Home) -> None:
    """Remove what a child that was killed had half written; finished tables stay, for the next try."""
    for half in home.store.glob("v*.building/*/*.building"):
        half.unlink(missing_ok=True)
