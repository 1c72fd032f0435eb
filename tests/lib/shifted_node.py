"""The real node program with a wall clock that a test may move: run as ``python -m tests.lib.shifted_node HOME FILE``.

FILE holds the number of seconds to add to the wall clock; without the file none are added. Everything else is
``tq-node run``.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path


def main() -> None:
    from node_agent.config import Home, harden_transport

    harden_transport()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    from node_agent.clock import SystemClock
    from node_agent.logs import configure
    from node_agent.service import run

    home, shift = Home(Path(sys.argv[1])), Path(sys.argv[2])

    def wall(self: SystemClock) -> int:
        return int(time.time()) + (int(shift.read_text()) if shift.exists() else 0)

    SystemClock.wall = wall  # type: ignore[method-assign]
    log = configure(home.logs, sys.stderr)
    run(home, log=log.info)


if __name__ == "__main__":
    main()
