"""The real node program, changed where a measurement of time needs it.

Run as ``python -m tests.lib.timed_node HOME WORD…``. The word ``leaky`` takes the slots away, so that an answer leaves
as soon as it is ready: for a control that must be caught. No-answers never suspend the analyst.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path


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
    if "leaky" in words:
        from node_agent.clock import SystemClock

        SystemClock.wait_until = lambda self, moment: None  # type: ignore[method-assign]
    log = configure(home.logs, sys.stderr)
    run(home, log=log.info)


if __name__ == "__main__":
    main()
