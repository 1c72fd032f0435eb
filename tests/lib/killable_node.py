"""The real node program, with one addition: SIGKILL at the entry of the gate step that a file names.

Run as ``python -m tests.lib.killable_node HOME TRIGGER``. Everything else is ``tq-node run``, except that deaths do not
suspend the analyst: they are what is being tested.
"""

from __future__ import annotations

import os
import resource
import signal
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
    home, trigger = Home(Path(sys.argv[1])), Path(sys.argv[2])

    def observer(step: str) -> None:
        try:
            wanted = trigger.read_text().strip()
        except FileNotFoundError:
            return
        if wanted == step:
            trigger.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    log = configure(home.logs, sys.stderr)
    run(home, log=log.info, observer=observer)


if __name__ == "__main__":
    main()
