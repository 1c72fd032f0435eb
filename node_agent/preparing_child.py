"""Reads the trust's own files, for ``preparing``: ``python -I -m node_agent.preparing_child``.

What is to be done comes as JSON on standard input; lines of JSON go to standard output. Nothing of a file's content is
in them: progress by table, what was done, or a refusal by its code.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from node_agent.engines import sandbox

__all__ = ["SECONDS", "main"]

SECONDS = {"check": 120, "prepare": 6 * 3_600, "request": 3_600}
"""Until it is killed. A refresh goes on after the last finished table, so that a trust that needs longer gets there."""


def main() -> int:
    """Do one thing and say what came of it."""
    out = os.dup(1)
    # Whatever a library says, it is not ours.
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 1)
    asked = json.loads(sys.stdin.buffer.read())
    sandbox.die_with_parent()

    # Imported before the limits: what the libraries themselves take is not counted.
    import pyarrow.parquet  # noqa: F401 - for its effect

    import node_agent.optout.exchange
    import node_agent.sources.prepare  # noqa: F401 - for its effect
    from node_agent.config import Home, NodeConfig
    from trustquery.errors import TrustQueryError

    def say(**line: Any) -> None:
        os.write(out, json.dumps(line).encode() + b"\n")

    home, config = Home(Path(asked["home"])), NodeConfig.model_validate_json(asked["config"])
    disk = _half_of_the_disk(home.path)
    sandbox.limit_reader(memory_mb=config.engine.prepare_mb, largest_file=disk, seconds=SECONDS[asked["act"]])
    try:
        say(done=_done(asked["act"], home, config, int(asked["now"]), say))
    except TrustQueryError as error:
        say(refused=error.problem.document())
    except MemoryError:
        say(refused=TrustQueryError("data-source-heavy", table="a source").problem.document())
    return 0


def _half_of_the_disk(folder: Path) -> int:
    """Bytes: half of what is free where the store is; the rest is for the ledger, which must be written."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free // 2


def _done(act: str, home: Any, config: Any, now: int, say: Callable[..., None]) -> Any:
    from node_agent.optout.current import Current, open_vault
    from node_agent.optout.exchange import make_request
    from node_agent.sources.prepare import Limits, check_sources, refresh
    from node_agent.sources.store import store_key

    if act == "check":
        return check_sources(config.sources, home.resolve)
    with contextlib.ExitStack() as closing:
        # Whoever started this holds the lock on the lists.
        vault = open_vault(home, config) if config.nhs_numbers else None
        if vault is not None:
            closing.callback(vault.close)
        if act == "request" and vault is not None:
            return make_request(vault, config.nhs_numbers, home.resolve, now).id
        store = refresh(
            config.sources, home.resolve, home.store, lambda label, share: say(at=label, share=share),
            key=store_key(home, config, make=True), threads=config.engine.threads,
            opt_outs=Current(vault, config.nhs_numbers, home.resolve) if vault is not None else None,
            limits=Limits(config.engine.prepare_mb),
        )  # fmt: skip
        return store.data_version


if __name__ == "__main__":
    raise SystemExit(main())
