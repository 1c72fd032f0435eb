"""The node's end of the engine's processes: starts the warm parent, hands it tasks, and reads what comes back."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from node_agent.engines.order import Order, read_outcome, write_order
from node_agent.engines.parent import READY
from trustquery.errors import TrustQueryError
from trustquery.planning.checker import MAX_VECTOR

__all__ = ["Processes"]

COMMAND = (sys.executable, "-I", "-m", "node_agent.engines.parent")
ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    # Libraries that would start threads of their own in the parent, which must have one to be forked.
    "OPENBLAS_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    # An arena a thread would take address space, which is limited.
    "MALLOC_ARENA_MAX": "2",
}
_START_SECONDS = 120
_GRACE_SECONDS = 5
_LONGEST = 8 + 8 * MAX_VECTOR
"""Bytes of an outcome: its length, and the longest vector that a plan may have."""


@dataclass
class Processes:
    """One warm parent, started when it is first needed and again when it has died; a process a query."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _parent: subprocess.Popen[bytes] | None = None
    _control: socket.socket | None = None

    def start(self) -> None:
        """Start the warm parent, if it does not run.

        Raises:
            TrustQueryError: ``node-engine-isolation``, ``internal-fault``.
        """
        with self._lock:
            self._started()

    def run(self, order: Order, most: int = _LONGEST) -> bytes:
        """What a process of its own makes of the order.

        Args:
            most: bytes that the plan can come to, at most; who says more is ended with all its kind.

        Raises:
            TrustQueryError: ``internal-fault`` for every failure: killed, too slow, too large, or broken.
        """
        deadline = time.monotonic() + order.task.job.seconds + _GRACE_SECONDS
        near, far = os.pipe()
        try:
            with self._lock:
                control = self._started()
                data = write_order(order)
                try:
                    socket.send_fds(control, [struct.pack("<q", len(data))], [far])
                    control.sendall(data)
                except OSError:
                    # Half an order would be read as the start of the next.
                    self._end()
                    raise
            os.close(far)
            far = -1
            return read_outcome(self._read(near, deadline, most))
        except (OSError, ValueError) as error:
            raise TrustQueryError("internal-fault", incident="engine") from error
        finally:
            os.close(near)
            if far >= 0:
                os.close(far)

    def close(self) -> None:
        """End the parent, and with it every process that it forked."""
        with self._lock:
            self._end()

    def _read(self, near: int, deadline: float, most: int = _LONGEST) -> bytes:
        found = bytearray()
        while True:
            ready, _, _ = select.select([near], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                # A process of one query kills itself in time: if this one did not, its parent is stuck.
                self.close()
                raise TimeoutError
            part = os.read(near, 1 << 20)
            if not part:
                return bytes(found)
            found += part
            if len(found) > most:
                # The plan has no such outcome: whatever runs there does not do what it was told.
                self.close()
                raise ValueError("too long")

    def _started(self) -> socket.socket:
        if self._control is not None and self._parent is not None and self._parent.poll() is None:
            return self._control
        self._end()
        near, far = socket.socketpair()
        with far:
            self._parent = subprocess.Popen(
                COMMAND,
                stdin=far.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=ENVIRONMENT,
            )
        near.settimeout(_START_SECONDS)
        said = b""
        with contextlib.suppress(OSError):
            while not said.endswith(b"\n") and (part := near.recv(64)):
                said += part
        self._control = near
        if said != READY:
            self._end()
            if said:
                raise TrustQueryError(
                    "node-engine-isolation",
                    problem="neither a network namespace nor a filter of system calls can be had",
                )
            raise TrustQueryError("internal-fault", incident="engine")
        return near

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._parent is not None:
            self._parent.kill()
            self._parent.wait()
        self._control = self._parent = None
