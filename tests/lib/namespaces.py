"""Networks of their own for processes: a trust whose firewall lets out connections to port 443 and nothing else.

Root is needed, and the ``ip`` command. Names are looked up in a hosts file that each network has for itself.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

__all__ = ["Networks"]

TABLE = "443"


class Networks:
    """One network of the federation's centre, and any number of trusts' networks that hang on it.

    Args:
        folder: for hosts files and wrappers.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mark = f"tq{os.getpid() % 100_000}"
        self._made: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        self.centre = self._add("c")

    def _ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)

    def _add(self, name: str) -> str:
        space = f"{self._mark}{name}"
        self._ip("netns", "add", space)
        self._made.append(space)
        self._ip("-n", space, "link", "set", "lo", "up")
        return space

    def trust(self, number: int, reachable: list[str]) -> str:
        """A network ``10.77.<number>.0/24`` that can reach port 443 of these addresses of the centre, and nothing else.

        Args:
            reachable: last parts of addresses that the centre gets in this network.
        """
        space, here, there = self._add(f"t{number}"), f"{self._mark}n{number}", f"{self._mark}c{number}"
        self._ip("link", "add", here, "netns", space, "type", "veth", "peer", "name", there, "netns", self.centre)
        for last in reachable:
            self._ip("-n", self.centre, "addr", "add", f"10.77.{number}.{last}/24", "dev", there)
        self._ip("-n", self.centre, "link", "set", there, "up")
        own = f"10.77.{number}.100"
        self._ip("-n", space, "addr", "add", f"{own}/24", "dev", here, "noprefixroute")
        self._ip("-n", space, "link", "set", here, "up")
        # The whole firewall: the only route there is counts for TCP to port 443, to these addresses.
        self._ip("-n", space, "rule", "add", "ipproto", "tcp", "dport", "443", "lookup", TABLE)
        for last in reachable:
            self._ip("-n", space, "route", "add", f"10.77.{number}.{last}/32", "dev", here, "src", own, "table", TABLE)
        return space

    def inside(self, space: str, hosts: dict[str, str]) -> list[str]:
        """Words before a command that runs it in a network.

        Args:
            hosts: name to address, all that can be looked up there.
        """
        file = self._folder / f"{space}.hosts"
        file.write_text("127.0.0.1 localhost\n" + "".join(f"{where} {name}\n" for name, where in hosts.items()))
        script = f'mount --bind {file} /etc/hosts && exec "$@"'
        return ["ip", "netns", "exec", space, "sh", "-c", script, "sh"]

    def close(self) -> None:
        """Take every network away."""
        for space in reversed(self._made):
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True, timeout=20)
