"""Watches what must not happen while a hostile text is read: an engine, a socket, a process, a file."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import duckdb
import pytest

import node_agent.engines.duckdb
import node_agent.engines.execute
import node_agent.engines.processes
import node_agent.engines.relation_sql
import node_agent.engines.routes
import node_agent.engines.rows
import node_agent.engines.sql

__all__ = ["Spy", "watched"]

ENGINES = (
    duckdb,
    node_agent.engines.sql,
    node_agent.engines.relation_sql,
    node_agent.engines.rows,
    node_agent.engines.routes,
    node_agent.engines.duckdb,
    node_agent.engines.processes,
    node_agent.engines.execute,
)
EVENTS = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.rename", "os.remove",
          "os.mkdir", "os.symlink", "os.link", "os.truncate", "shutil.", "urllib.", "sqlite3.", "ctypes.dlopen",
          "open")  # fmt: skip
"""Audit events of the interpreter: every module that touches the world raises one."""


class Spy:
    """What was seen, in order."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.active = False

    def event(self, name: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook. Python's own modules may be loaded late."""
        if self.active and name.startswith(EVENTS):
            target = str(arguments[0]) if arguments else ""
            if not (name == "open" and target.endswith((".py", ".pyc", ".so"))):
                self.seen.append(f"{name} {target[:200]}")

    def calls(self, module: ModuleType, patch: pytest.MonkeyPatch) -> None:
        """Note every call of a module's own functions and classes; they still do their work."""
        family = {module.__name__.split(".")[0], "_duckdb"}
        for name, found in vars(module).copy().items():
            ours = str(getattr(found, "__module__", "")).split(".")[0] in family
            if ours and callable(found) and not isinstance(found, type) and not name.startswith("__"):
                patch.setattr(module, name, self._noting(f"{module.__name__}.{name}", found))

    def _noting(self, name: str, call: Any) -> Any:
        @functools.wraps(call)
        def noted(*arguments: Any, **named: Any) -> Any:
            if self.active:
                self.seen.append(name)
            return call(*arguments, **named)

        return noted


_hooked: list[Spy] = []
sys.addaudithook(lambda name, arguments: _hooked[-1].event(name, arguments) if _hooked else None)


@contextmanager
def watched() -> Iterator[Spy]:
    """A spy, on duty until the end of the block."""
    spy = Spy()
    with pytest.MonkeyPatch.context() as patch:
        for module in ENGINES:
            spy.calls(module, patch)
        _hooked.append(spy)
        spy.active = True
        try:
            yield spy
        finally:
            spy.active = False
            _hooked.remove(spy)
