"""The end of the demonstration: a result is published, and the public reads and checks the register."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from demo.screen import Screen

__all__ = ["SHOWN", "show_record"]

SHOWN = (
    "Project title",
    "Organisation name",
    "Public benefit statement",
    "Legal basis for provision of data under Article 6",
    "State",
    "Privacy loss spent at each trust (rho)",
    "Trusts that accepted",
)
"""The columns of the register that are shown here; it has many more."""


def show_record(screen: Screen, ask: Callable[..., str], tell: Callable[..., object], folder: Path) -> None:
    """Publish the newest result, export the register, show its entry, check its signatures.

    Args:
        ask: runs the analyst's ``tq`` and returns stdout.
        tell: runs it for everybody to watch.
    """
    newest = json.loads(ask("query", "history", "--format", "json"))[0]
    screen.title("What the public sees: the project's lead publishes a result; anybody exports and checks the register")
    tell(["release", "publish", newest["query"]])
    exported = folder / "register.json"
    tell(["register", "export", "--out", str(exported)])
    for entry in json.loads(exported.read_text())["entries"]:
        screen.say()
        for name in SHOWN:
            screen.console.print(f"  {name}: {entry['columns'][name]}", markup=False)
    screen.say()
    tell(["register", "verify", str(exported)])
