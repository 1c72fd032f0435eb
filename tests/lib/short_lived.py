"""The real coordinator, with certificates for nodes that live seconds: run with a home and a number of seconds.

Everything else is ``tq-coordinator run``. The settings would not allow it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace
from pathlib import Path


def main() -> None:
    from coordinator.config import Home, load_settings, require_tls13

    require_tls13()
    from coordinator.runtime import serve
    from coordinator.services import open_base

    home = Home(Path(sys.argv[1]))
    base = open_base(home, load_settings(home))
    base = replace(base, desk=replace(base.desk, certificate_seconds=int(sys.argv[2])))

    async def until_told() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(base, stop, lambda: print("listening", flush=True))

    asyncio.run(until_told())


if __name__ == "__main__":
    main()
