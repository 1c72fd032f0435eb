"""A disk that forgets and tears what was not synced, under the real SQLite and the real ledger.

``Recorder`` is a SQLite VFS over the machine's own: it notes every write, truncation, sync and deletion, and can make
one of them fail. ``Platter`` replays such notes up to a moment and says what a machine could find there after the
power was cut: every byte that was synced, and of the rest any part.

The model: a sync makes a file's contents safe; a file's name is safe once its folder was synced, which SQLite does at
the first sync of a journal or log that it made. Of unsynced writes each sector of 512 bytes survives or does not, in
any order; the sector that was being written may hold anything. Bytes beside a write never change (SQLite's
"powersafe overwrite", which it assumes of every disk).
"""

from __future__ import annotations

import itertools
import os
import random
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import apsw

__all__ = ["LOSSES", "Fault", "Loss", "Note", "Platter", "Recorder", "recording", "write_image"]

SECTOR = 512
Loss = Literal["nothing", "everything", "writes", "sectors", "torn"]
"""What is lost of unsynced writes: none, all, any of them, any of their sectors, the same with one sector garbled."""
LOSSES: tuple[Loss, ...] = get_args(Loss)
_JOURNALS = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL


@dataclass(frozen=True)
class Note:
    """One thing that happened to the disk, or, for ``done``, one call of the ledger that returned.

    Attributes:
        journal: the file is a rollback journal or a write-ahead log.
        at: offset of a write, new length of a truncation.
        safe: whether a deletion was synced.
    """

    what: Literal["create", "write", "truncate", "sync", "delete", "folder", "done"]
    name: str = ""
    at: int = 0
    data: bytes = field(default=b"", repr=False)
    journal: bool = False
    safe: bool = False


@dataclass
class Fault:
    """Make one call fail: the ``at``-th from now, counting from 0, with EIO or with a full disk."""

    at: int
    error: type[apsw.Error]
    seen: int = 0
    struck: bool = False

    def strike(self) -> None:
        """Count a call; raise where it is the one, and ever after: a broken disk stays broken."""
        self.seen += 1
        if self.seen > self.at:
            self.struck = True
            raise self.error("planted")


class _File(apsw.VFSFile):
    def __init__(self, recorder: Recorder, name: Any, flags: list[int]) -> None:
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._recorder, self._name = recorder, os.path.basename(path)
        self._journal = bool(flags[0] & _JOURNALS)
        if not os.path.exists(path):
            recorder.note(Note("create", self._name, journal=self._journal))
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._recorder.strike()
        super().xWrite(data, offset)
        self._recorder.note(Note("write", self._name, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        self._recorder.strike()
        super().xTruncate(newsize)
        self._recorder.note(Note("truncate", self._name, newsize))

    def xSync(self, flags: int) -> None:
        self._recorder.strike()
        super().xSync(flags)
        if not self._recorder.lies:
            self._recorder.note(Note("sync", self._name, journal=self._journal))


class Recorder(apsw.VFS):
    """The VFS; SQLite uses it for every file that is opened while ``recording`` lasts.

    Attributes:
        notes: what happened, in order.
        fault: what to make fail, or None.
        lies: say "synced" and do nothing (a control).
    """

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.fault: Fault | None = None
        self.lies = False
        super().__init__("torture", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.strike()
        super().xDelete(filename, syncdir)
        self.note(Note("delete", os.path.basename(filename), safe=bool(syncdir) and not self.lies))

    def note(self, note: Note) -> None:
        """Keep a note."""
        self.notes.append(note)

    def strike(self) -> None:
        """Fail here, if this is the call that shall."""
        if self.fault is not None:
            self.fault.strike()


@contextmanager
def recording(recorder: Recorder | None = None) -> Iterator[Recorder]:
    """SQLite, and syncs of folders, through a recorder; a new one where none is given."""
    recorder, fsync = recorder or Recorder(), os.fsync

    def noted(fd: Any) -> None:
        fsync(fd)
        if stat.S_ISDIR(os.fstat(fd).st_mode) and not recorder.lies:
            recorder.note(Note("folder"))

    os.fsync = noted
    try:
        yield recorder
    finally:
        os.fsync = fsync
        recorder.unregister()


@dataclass
class _Inode:
    safe: bytearray = field(default_factory=bytearray)
    pending: list[Note] = field(default_factory=list)


def _apply(content: bytearray, at: int, data: bytes) -> None:
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    content[at : at + len(data)] = data


class Platter:
    """The disk as notes left it: what is safe, what waits, and under which names."""

    def __init__(self) -> None:
        self._names: dict[str, _Inode] = {}
        self._safe_names: dict[str, _Inode] = {}
        self.done = 0

    def take(self, note: Note) -> None:
        """One note further."""
        match note.what:
            case "create":
                self._names[note.name] = _Inode()
            case "write" | "truncate":
                self._names[note.name].pending.append(note)
            case "sync":
                inode = self._names.get(note.name)
                if inode is not None:
                    self._settle(inode)
                if note.journal:
                    self._safe_names = dict(self._names)
            case "delete":
                gone = self._names.pop(note.name, None)
                if note.safe and gone is not None:
                    self._safe_names.pop(note.name, None)
            case "folder":
                self._safe_names = dict(self._names)
            case "done":
                self.done += 1

    @staticmethod
    def _settle(inode: _Inode) -> None:
        for note in inode.pending:
            if note.what == "truncate":
                del inode.safe[note.at :]
                inode.safe.extend(bytes(note.at - len(inode.safe)))
            else:
                _apply(inode.safe, note.at, note.data)
        inode.pending.clear()

    def cut(self, loss: Loss, chance: random.Random) -> dict[str, bytes]:
        """What is found when the power comes back: file names and contents."""
        found = dict(self._safe_names)
        for name in sorted(self._names.keys() | self._safe_names.keys()):
            now, safe = self._names.get(name), self._safe_names.get(name)
            if now is not safe and self._kept(loss, chance):
                if now is None:
                    del found[name]
                else:
                    found[name] = now
        return {name: self._content(inode, loss, chance) for name, inode in found.items()}

    @staticmethod
    def _kept(loss: Loss, chance: random.Random) -> bool:
        return loss == "nothing" or (loss != "everything" and chance.random() < 0.5)

    def _content(self, inode: _Inode, loss: Loss, chance: random.Random) -> bytes:
        content = bytearray(inode.safe)
        garbled = chance.randrange(len(inode.pending)) if loss == "torn" and inode.pending else -1
        for place, note in enumerate(inode.pending):
            if note.what == "truncate":
                if self._kept(loss, chance):
                    del content[note.at :]
                    content.extend(bytes(note.at - len(content)))
            elif loss in ("nothing", "everything", "writes"):
                if self._kept(loss, chance):
                    _apply(content, note.at, note.data)
            else:
                self._sectors(content, note, chance, garble=place == garbled)
        return bytes(content)

    @staticmethod
    def _sectors(content: bytearray, note: Note, chance: random.Random, *, garble: bool) -> None:
        # Sectors lie at multiples of 512 in the file, not in the write.
        edges = sorted({0, len(note.data), *range(-note.at % SECTOR, len(note.data), SECTOR)})
        parts = list(itertools.pairwise(edges))
        broken = chance.randrange(len(parts)) if garble and parts else -1
        for place, (begin, end) in enumerate(parts):
            if place == broken:
                _apply(content, note.at + begin, chance.randbytes(end - begin))
            elif chance.random() < 0.5:
                _apply(content, note.at + begin, note.data[begin:end])


def write_image(folder: Path, image: dict[str, bytes]) -> None:
    """Lay a disk's files into an empty folder."""
    for name, content in image.items():
        (folder / name).write_bytes(content)
