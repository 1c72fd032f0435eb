"""A whole log: every byte counts, nothing can be left out, moved or put in, and nothing goes back."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from coordinator.web.verify_log import Wrong, check
from coordinator.web.verify_log import read_key as read_key_alone
from tests.factories.trust import key
from tests.lib.made_log import ORIGIN, WITNESSES, MadeLog, made_entries
from tests.lib.refusals import code_of
from trustquery.log import Checkpoint, Proof, VerifierKey, verify_log
from trustquery.log.tiles import parse_path, paths_of, tile_path

LOG = MadeLog(made_entries(1_000))
BAD = {"log-damaged", "log-unreachable"}
ALONE = [read_key_alone(VerifierKey(name, public, witness=True).text) for name, public in WITNESSES.items()]


def code(fetch: Callable[[str], bytes], seen: Checkpoint | None = None, log: MadeLog = LOG, needed: int = 3) -> str:
    return code_of(lambda: verify_log(fetch, log.key, witnesses=WITNESSES, needed=needed, seen=seen))


def alone(fetch: Callable[[str], bytes]) -> str:
    """What the stand-alone script says; "" when all is well."""
    try:
        check(fetch, read_key_alone(LOG.key.text), ALONE, 3, None)
    except (Wrong, ValueError, KeyError, TypeError) as error:
        return f"WRONG {error}"
    except Exception as error:
        return f"absent {error}"
    return ""


def test_a_whole_log_is_good() -> None:
    found = verify_log(LOG.fetch, LOG.key, witnesses=WITNESSES, needed=3)
    assert found.head == LOG.head
    assert len(found.entries) == 1_000
    assert set(found.witnesses) == set(WITNESSES)
    assert alone(LOG.fetch) == ""
    assert sorted(LOG.files) == [
        "checkpoint", "tile/0/000", "tile/0/001", "tile/0/002", "tile/0/003.p/232", "tile/1/000.p/3",
        "tile/entries/000", "tile/entries/001", "tile/entries/002", "tile/entries/003.p/232",
    ]  # fmt: skip


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 513])
def test_logs_of_every_shape_are_good_to_both_verifiers(size: int) -> None:
    log = MadeLog(made_entries(size))
    assert code(log.fetch, log=log) == ""
    assert check(log.fetch, read_key_alone(log.key.text), ALONE, 3, None).startswith(f"good: {size} entries")


def flips(step: int) -> list[tuple[str, int]]:
    return [(path, at) for path, content in LOG.files.items() for at in range(0, len(content), step)]


def _all_detected(places: list[tuple[str, int]]) -> None:
    for path, at in places:
        broken = bytearray(LOG.files[path])
        broken[at] ^= 1 << at % 8
        fetch = LOG.reader({path: bytes(broken)})
        assert code(fetch) in BAD, (path, at)
        assert alone(fetch), (path, at)


@pytest.mark.acceptance("AUD-01")
def test_no_byte_of_the_head_can_be_changed() -> None:
    """Both verifiers, every byte of the signed head and its cosignatures, over a short log."""
    log = MadeLog(made_entries(3))
    for at in range(len(log.files["checkpoint"])):
        broken = bytearray(log.files["checkpoint"])
        broken[at] ^= 1 << at % 8
        fetch = log.reader({"checkpoint": bytes(broken)})
        assert code(fetch, log=log) in {"log-damaged", "witness-quorum"}, at
        assert alone(fetch), at


@pytest.mark.acceptance("AUD-01")
def test_a_sample_of_bytes_cannot_be_changed() -> None:
    _all_detected(random.Random(1).sample([flip for flip in flips(1) if flip[0] != "checkpoint"], 25))


@pytest.mark.full_size
@pytest.mark.acceptance("AUD-01")
@pytest.mark.timeout(7_200)
def test_no_byte_of_the_log_can_be_changed() -> None:
    """Every byte of the log of 1,000 entries, each with one bit turned; every hundredth for the script as well."""
    for place, (path, at) in enumerate(flips(1)):
        broken = bytearray(LOG.files[path])
        broken[at] ^= 1 << at % 8
        fetch = LOG.reader({path: bytes(broken)})
        assert code(fetch) in {*BAD, "witness-quorum"}, (path, at)
        assert place % 100 or alone(fetch), (path, at)


@pytest.mark.acceptance("AUD-02")
@pytest.mark.parametrize("what", ["drop", "double", "swap", "insert", "truncate"])
def test_entries_cannot_be_dropped_moved_doubled_or_put_in(what: str) -> None:
    """At every position of a short log, with bundles and tiles that say the same lie under the old head."""
    honest = made_entries(9)
    log = MadeLog(honest)
    for at in range(9):
        told = list(honest)
        if what == "drop":
            del told[at]
        elif what == "double":
            told.insert(at, told[at])
        elif what == "swap":
            other = (at + 1) % 9
            told[at], told[other] = told[other], told[at]
        elif what == "insert":
            told.insert(at, made_entries(10, "x")[at])
        else:
            del told[at:]
        lie = MadeLog(told)
        # Under the honest head, in the honest head's places or in the lie's own.
        assert code(log.reader({path: lie.files.get(path, b"") for path in log.files if path != "checkpoint"}), log=log)
        assert code(lie.reader({"checkpoint": log.files["checkpoint"]}), log=log)
        # Under a head that the log signs for it: what was seen before convicts it, or the numbers do.
        assert code(lie.fetch, seen=log.head, log=log) in {"log-rewound", "log-damaged"}


def test_a_log_that_grew_is_good_and_one_that_shrank_or_changed_is_not() -> None:
    longer, other = MadeLog(made_entries(30)), MadeLog(made_entries(30, "x"))
    for size in range(31):
        seen = MadeLog(made_entries(size)).head
        assert code(longer.fetch, seen=seen) == ""
        assert code(other.fetch, seen=seen) == ("log-rewound" if size else "")
    assert code(MadeLog(made_entries(29)).fetch, seen=longer.head) == "log-rewound"


def test_witnesses_are_counted() -> None:
    assert code(LOG.fetch, needed=4) == "witness-quorum"
    stranger = VerifierKey(ORIGIN, key("ash").public, witness=False)
    assert code_of(lambda: verify_log(LOG.fetch, stranger, witnesses={}, needed=0)) == "log-damaged"


def test_an_entry_says_what_its_kind_says() -> None:
    false = [entry.replace(b"Somebody signed in.", b"Nobody signed in...") for entry in made_entries(100)]
    assert false != made_entries(100)
    log = MadeLog(false)
    assert code(log.fetch, log=log) == "log-damaged"


def test_a_proof_of_one_entry_needs_nothing_else() -> None:
    for position in (0, 1, 511, 999):
        proof = Proof(position, LOG.tree.inclusion_proof(position), LOG.files["checkpoint"])
        read = Proof.read(proof.encode())
        assert read == proof
        assert read.verify(LOG.entries[position], ORIGIN, LOG.key.public) == LOG.head
        assert code_of(read.verify, LOG.entries[position - 1], ORIGIN, LOG.key.public) == "auth-document"
        assert code_of(read.verify, LOG.entries[position], ORIGIN, key("ash").public) == "auth-document"


@pytest.mark.parametrize("change", [(b"@v1", b"@v2"), (b"index 5", b"index 05"), (b"index", b"place"), (b"=\n", b"\n")])
def test_a_proof_of_another_form_is_refused(change: tuple[bytes, bytes]) -> None:
    data = Proof(5, LOG.tree.inclusion_proof(5), LOG.files["checkpoint"]).encode()
    assert code_of(Proof.read, data.replace(*change)) == "auth-document"
    assert code_of(Proof.read, b"") == "auth-document"


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ((0, 0, 256), "0/000"),
        ((-1, 1_234_067, 256), "entries/x001/x234/067"),
        ((63, 999, 1), "63/999.p/1"),
        ((1, 1_000, 255), "1/x001/000.p/255"),
    ],
)
def test_paths_are_those_of_the_specification(place: tuple[int, int, int], path: str) -> None:
    assert tile_path(*place) == f"tile/{path}"
    assert parse_path(path) == place


@pytest.mark.parametrize(
    "path", ["", "0", "0/0", "00/000", "64/000", "0/000.p/0", "0/000.p/256", "0/000.p/01", "0/x000/001", "0/000/001",
             "entries/../000", "-1/000", "0/000.p/1/", "0/٠٠٠", "x/000", "0/" + "x001/" * 40 + "000"],
)  # fmt: skip
def test_other_paths_are_none(path: str) -> None:
    assert parse_path(path) is None


def test_tiles_of_a_large_log_are_those_of_the_specification() -> None:
    found = list(paths_of(70_000))
    assert len([place for place in found if place[0] == 0]) == 274
    assert [place for place in found if place[0] in (1, 2)] == [(1, 0, 256), (1, 1, 17), (2, 0, 1)]
    assert list(paths_of(256))[-1] == (1, 0, 1)
    assert list(paths_of(0)) == []


def test_a_verifier_key_has_one_spelling() -> None:
    text = LOG.key.text
    assert VerifierKey.read(text + "\n") == LOG.key
    for broken in (text[:-1], text.replace("+", "-"), text[1:], "x", "", text + "="):
        assert code_of(VerifierKey.read, broken) == "log-key"
