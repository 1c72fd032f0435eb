"""What the engine's processes cannot do, whatever DuckDB or a library of ours has been talked into.

No network: a network namespace of their own without any interface or, where the machine allows no such namespaces, a
filter on system calls that makes no more sockets. One of the two must hold, and it is tried out before any query.
No file can be written, memory and processor time are limited, and a clock ends what runs too long.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import resource
import signal
import socket
import struct
from pathlib import Path

__all__ = ["MIB", "UNREACHABLE", "NetworkReachableError", "die_with_parent", "limit", "limit_reader", "no_network",
           "threads_now"]  # fmt: skip

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 1, 38, 22, 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_GREATER_OR_EQUAL, _RETURN = 0x20, 0x15, 0x35, 0x06
_CALLS = {"x86_64": (0xC000003E, (41, 425)), "aarch64": (0xC00000B7, (198, 425))}
"""Of each machine: how audit names it, and the numbers of ``socket`` and ``io_uring_setup``."""
_X32 = 0x40000000
UNREACHABLE = (errno.ENETUNREACH, errno.EPERM, errno.EACCES, errno.ENETDOWN, errno.EHOSTUNREACH,
               errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # fmt: skip
"""What trying to connect comes to where there is no network."""
MIB = 1024 * 1024


class NetworkReachableError(Exception):
    """Neither way of cutting this process off from the network works here."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def no_network() -> str:
    """Cut this process, and all that it forks, off from every network; returns how.

    Raises:
        NetworkReachableError: it is not cut off.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    how = ""
    if _own_namespace(libc):
        how = "network namespace"
    elif _filter_calls(libc):
        how = "system call filter"
    if not how or not _cut_off():
        raise NetworkReachableError
    return how


def _own_namespace(libc: ctypes.CDLL) -> bool:
    """A user and a network namespace of one's own (unshare(2)); there is nothing in it."""
    return bool(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)


def _filter_calls(libc: ctypes.CDLL) -> bool:
    """No more sockets, by a filter that no later code can take away (seccomp(2))."""
    known = _CALLS.get(platform.machine())
    if known is None:
        return False
    machine, calls = known
    lines = [
        (_LOAD, 0, 0, 4),
        (_JUMP_IF_EQUAL, 1, 0, machine),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, 0),
        (_JUMP_IF_GREATER_OR_EQUAL, len(calls), 0, _X32),
        *(
            (_JUMP_IF_EQUAL, len(calls) - at - 1, 0 if at + 1 < len(calls) else 1, call)
            for at, call in enumerate(calls)
        ),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    text = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    program = _Program(len(lines), ctypes.cast(text, ctypes.c_void_p))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def _cut_off() -> bool:
    """Whether not even this machine itself can be reached."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                if probe.connect_ex((address, 9)) not in UNREACHABLE:
                    return False
        except OSError as error:
            if error.errno not in UNREACHABLE:
                return False
    return True


def die_with_parent() -> None:
    """End when the process that forked this one does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def limit(*, memory_mb: int, cpu_seconds: int, seconds: int) -> None:
    """Limits that DuckDB's own settings do not hold against every expression.

    Args:
        memory_mb: address space beside what this process has already.
        seconds: until it is killed, whatever it waits for.
    """
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    for kind, value in (
        (resource.RLIMIT_AS, pages * resource.getpagesize() + memory_mb * MIB),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def limit_reader(*, memory_mb: int, largest_file: int, seconds: int) -> None:
    """Limits of a process that reads files of strangers and writes what it makes of them.

    Args:
        memory_mb: address space beside what this process has already.
        largest_file: bytes of any file that it writes.
        seconds: until it is killed, whatever it waits for.
    """
    # An arena a thread would take address space, which is limited (mallopt(3), M_ARENA_MAX).
    ctypes.CDLL(None).mallopt(-8, 2)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    for kind, value in (
        (resource.RLIMIT_AS, pages * resource.getpagesize() + memory_mb * MIB),
        (resource.RLIMIT_FSIZE, largest_file),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def threads_now() -> int:
    """Threads of this process."""
    with contextlib.suppress(OSError):
        return len(os.listdir("/proc/self/task"))
    return 0
