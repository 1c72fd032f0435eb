"""The real node program, changed where a measurement of time needs it.

Run as ``python -m tests.lib.timed_node HOME WORD…``. The word ``in-process`` runs the engine's SQL in the node's own
process, which saves the quarter of a second that a child takes to start: more answers fit into a test. ``leaky`` takes
the slots away, so that an answer leaves as soon as it is ready: for a control that must be caught. No-answers never
suspend the analyst.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    from node_agent.config import Home, harden_transport

    harden_transport()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    import node_agent.gate.policy
    from node_agent.logs import configure
    from node_agent.service import run

    node_agent.gate.policy.NO_ANSWER_LIMIT = 1_000_000
    home, words = Home(Path(sys.argv[1])), sys.argv[2:]
    if "in-process" in words:
        _in_process()
    if "leaky" in words:
        from node_agent.clock import SystemClock

        SystemClock.wait_until = lambda self, moment: None  # type: ignore[method-assign]
    log = configure(home.logs, sys.stderr)
    run(home, log=log.info)


def _in_process() -> None:
    import json
    import subprocess
    import threading
    from types import SimpleNamespace

    from node_agent.engines import child, duckdb

    # DuckDB shares what two connections to one file have open, settings included.
    alone = threading.Lock()

    def answered(arguments: object, *, input: bytes, **options: Any) -> SimpleNamespace:
        with alone:
            return SimpleNamespace(stdout=child._run(json.loads(input)))

    # The engine module's own name for it, and nobody else's.
    changed = SimpleNamespace(
        run=answered, PIPE=subprocess.PIPE, DEVNULL=subprocess.DEVNULL, SubprocessError=subprocess.SubprocessError
    )
    vars(duckdb)["subprocess"] = changed


if __name__ == "__main__":
    main()
