"""What the demonstration shows while it works: one line for each step, with its time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

__all__ = ["Screen"]


class Screen:
    """Steps on a terminal with a spinner, elsewhere as plain lines."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    @contextmanager
    def step(self, words: str) -> Iterator[None]:
        """Show what is being done, then that it is done."""
        began = time.monotonic()
        if self.console.is_terminal:
            with self.console.status(words):
                yield
        else:
            self.console.print(f"  … {words}")
            yield
        self.console.print(f"  [green]✓[/green] {words} [dim]{time.monotonic() - began:.1f} s[/dim]")

    def say(self, words: str = "") -> None:
        """A line."""
        self.console.print(words)

    def title(self, words: str) -> None:
        """A heading."""
        self.console.print()
        self.console.print(f"[bold]{words}[/bold]")
