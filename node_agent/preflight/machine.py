"""Settings, disk, key files, sources, ledger and the node's own certificate. No row is read and nothing is counted."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from cryptography import x509

from node_agent.enrolment.startup import check_certificate
from node_agent.preflight.results import NO_SETTINGS, NOT_ENROLLED, Outcome, Result, refused
from node_agent.preflight.world import World
from trustquery.errors import TrustQueryError

__all__ = ["certificate", "disk", "keys", "ledger", "mapping", "room", "settings", "sources"]

_GIB = 2**30
LEAST_BYTES, AMPLE_BYTES = _GIB, 5 * _GIB
WARN_SHARE = 4
"""One part in so many of a certificate's life: it is renewed at half, so with less than this left it was not."""

READ = Outcome("pass", "node.toml can be used")

AMPLE = Outcome("pass", "at least 5 GiB are free")
LITTLE = Outcome("warn", "less than 5 GiB are free", "make room: the prepared data are written anew beside the old")
FULL = Outcome("fail", "less than 1 GiB is free", "make room: a ledger that cannot be written ends the node")

SAFE = Outcome("pass", "only this user can read it")
UNSAFE = Outcome("fail", "others can read or change it", "chmod 600 it, owned by the user who runs this; folders 700")
NO_KEYS = Outcome("skipped", "there are no keys here yet", "enrolment makes them")

READ_ONLY = Outcome("pass", "the files can be read and not written")
WRITABLE = Outcome(
    "warn", "this user can write the files", "give the node's user no more than read permission; it needs no other"
)
MISSING = Outcome(
    "fail", "the folder is not there, or cannot be read", "correct `path` in node.toml, or the folder's permissions"
)
NO_SOURCE = Outcome("skipped", "node.toml has no [[source]]")

MAPPED = Outcome("pass", "the columns are the catalogue's")
UNMAPPED = Outcome("fail", "a table cannot be used as it is", "tq-node source check names it and says why")

VERIFIED = Outcome("pass", "the hash chain and every sum verify")
FROZEN = Outcome(
    "fail", "witnesses have cosigned another life of this ledger, so nothing leaves", "tq-node ledger repair"
)
NO_LEDGER = Outcome("skipped", "there is no ledger yet", "the first `tq-node run` makes it")

VALID = Outcome("pass", "it names this node and has at least a quarter of its life left")
ENDS_SOON = Outcome(
    "warn", "less than a quarter of its life is left, and it was not renewed",
    "let the node run: it renews by itself while it is connected",
)  # fmt: skip
ENDED = Outcome("fail", "it has ended, or does not begin yet", "check this machine's clock; then enrol again")
OTHER_NAME = Outcome("fail", "it names another node", "enrol again: startup/ holds what another node was given")


def settings(world: World) -> list[Result]:
    """Whether ``node.toml`` and the files that it names can be read."""
    return [Result(READ) if world.problem is None else refused(world.problem)]


def disk(world: World) -> list[Result]:
    """Free space where the node's home is; said in steps, because the data's size is nobody's business."""
    return [Result(room(world.home.path))]


def room(folder: Path) -> Outcome:
    """How much space is free where a folder is, or would be."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return AMPLE if free >= AMPLE_BYTES else LITTLE if free >= LEAST_BYTES else FULL


def keys(world: World) -> list[Result]:
    """Modes and owners of keys and other secrets, and of the folders that hold them."""
    home = world.home
    files = sorted(path for path in home.keys.iterdir() if path.is_file()) if home.keys.is_dir() else []
    if world.config is not None:
        settings = world.config
        named = [settings.store.key_file, settings.optout.key_file, settings.keys.passphrase_file]
        if settings.proxy is not None:
            named.append(settings.proxy.password_file)
        if settings.mesh is not None:
            named += [settings.mesh.password_file, settings.mesh.shared_key_file]
        # Where a link points is no matter: whoever opens a secret refuses one.
        paths = [home.secret(name) for name in named if name]
        files += [path for path in dict.fromkeys(paths) if path.exists() and path not in files]
    if not files:
        return [Result(NO_KEYS)]
    return [Result(SAFE if _private(path) else UNSAFE, path.name) for path in (home.path, home.keys, *files)]


def _private(path: Path) -> bool:
    found = path.lstat()
    return not stat.S_ISLNK(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def sources(world: World) -> list[Result]:
    """Whether each source can be read, and not written."""
    if world.config is None:
        return [Result(NO_SETTINGS)]
    return [_source(world.home.resolve(item.path), item.dataset) for item in world.config.sources] or [
        Result(NO_SOURCE)
    ]


def _source(folder: Path, dataset: str) -> Result:
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        return Result(MISSING, dataset)
    paths = (folder, *folder.iterdir())
    if not all(os.access(path, os.R_OK) for path in paths):
        return Result(MISSING, dataset)
    return Result(WRITABLE if any(os.access(path, os.W_OK) for path in paths) else READ_ONLY, dataset)


def mapping(world: World) -> list[Result]:
    """Whether the columns of each source's tables are the catalogue's; heads of files alone."""
    if world.config is None:
        return [Result(NO_SETTINGS)]
    from node_agent.preparing import check

    found = []
    for item in world.config.sources:
        try:
            tables = check(world.home, world.config.model_copy(update={"source": (item,)}))
        except TrustQueryError as error:
            found.append(refused(error, item.dataset))
            continue
        good = all(result in ("ok", "not held here") for _, _, result in tables)
        found.append(Result(MAPPED if good else UNMAPPED, item.dataset))
    return found or [Result(NO_SOURCE)]


def ledger(world: World) -> list[Result]:
    """Verify the record of privacy loss; no figure of it is shown."""
    if not world.home.ledger.exists():
        return [Result(NO_LEDGER)]
    from node_agent.budget.reader import LedgerReader

    reader = LedgerReader(world.home.ledger)
    try:
        reader.totals()
        frozen = reader.frozen() is not None
    finally:
        reader.close()
    return [Result(FROZEN if frozen else VERIFIED)]


def certificate(world: World) -> list[Result]:
    """Whether the node's certificate is its own, and for how long."""
    if world.startup is None:
        problem = world.startup_problem
        return [refused(problem) if problem is not None else Result(NOT_ENROLLED)]
    try:
        check_certificate(world.startup)
    except TrustQueryError:
        return [Result(OTHER_NAME)]
    found = x509.load_pem_x509_certificate(world.startup.certificate_pem)
    begins, ends = found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()
    if not begins <= world.now <= ends:
        return [Result(ENDED)]
    return [Result(ENDS_SOON if (ends - world.now) * WARN_SHARE < ends - begins else VALID)]
