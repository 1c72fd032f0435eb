"""The witness core: it never signs what does not extend the head that it signed before."""

from __future__ import annotations

import random

import pytest

from tests.factories.trust import key
from tests.lib.refusals import code_of, refusal
from tests.lib.witness_heads import MemoryHeads
from trustquery.log import Checkpoint, Conflict, Fork, Tree, Witness, cosigners, leaf_hash

ORIGIN = "example-federation/node/ash"
NOW = 1_800_000_000
LOG = key("ash")
KEYS = {"w/one": key("w/one").public}


def tree(size: int, since: int | None = None) -> Tree:
    """A log; from leaf ``since`` on it tells another story."""
    return Tree(leaf_hash(bytes([since is not None and n >= since]) + n.to_bytes(2, "big")) for n in range(size))


def head(log: Tree, size: int | None = None, origin: str = ORIGIN, name: str = "ash") -> bytes:
    size = len(log) if size is None else size
    return Checkpoint(origin, size, log.root(size)).sign(key(name))


def witness(heads: MemoryHeads) -> Witness:
    return Witness("w/one", key("w/one"), heads, {ORIGIN: LOG.public}.get)


def test_it_signs_a_first_head_its_extension_and_the_same_again() -> None:
    heads, log = MemoryHeads(), tree(20)
    one = witness(heads)
    assert one.newest(ORIGIN) is None
    for old, new in [(0, 0), (0, 5), (5, 5), (5, 8), (8, 20)]:
        line = one.add(old, log.consistency_proof(old, new), head(log, new), NOW + new)
        assert cosigners(head(log, new) + line, KEYS) == {"w/one": NOW + new}
        assert one.newest(ORIGIN) == heads.heads[ORIGIN] == head(log, new)


def test_what_others_signed_is_not_kept() -> None:
    heads, log = MemoryHeads(), tree(3)
    line = witness(heads).add(0, (), head(log), NOW)
    witness(heads).add(3, (), head(log) + line, NOW + 1)
    assert heads.heads[ORIGIN] == head(log)


@pytest.mark.parametrize(
    ("old", "proof", "note", "code"),
    [
        (5, (), head(tree(5), origin="example-federation/node/elm"), "witness-unknown-log"),
        (5, (), head(tree(5), name="elm"), "witness-signature"),
        (6, (), head(tree(5)), "witness-request"),
        (-1, (), head(tree(5)), "witness-request"),
        (5, (bytes(32),) * 64, head(tree(9)), "witness-request"),
        (5, (bytes(31),), head(tree(9)), "witness-request"),
        (4, tree(9).consistency_proof(4), head(tree(9)), "witness-conflict"),
        (0, (), head(tree(9)), "witness-conflict"),
        (3, (), head(tree(3)), "witness-conflict"),
        (5, (), head(tree(9)), "witness-inconsistent"),
        (5, (bytes(32),), head(tree(5)), "witness-inconsistent"),
        (5, tree(9, 2).consistency_proof(5), head(tree(9, 2)), "witness-inconsistent"),
        (5, (), head(tree(5, 2)), "witness-fork"),
        (0, (), b"no note", "auth-document"),
    ],
)
def test_everything_else_is_refused_and_nothing_moves(
    old: int, proof: tuple[bytes, ...], note: bytes, code: str
) -> None:
    heads = MemoryHeads()
    one = witness(heads)
    one.add(0, (), head(tree(5)), NOW)
    assert code_of(one.add, old, proof, note, NOW) == code
    assert heads.heads == {ORIGIN: head(tree(5))}
    kept = [(head(tree(5)), note)] if code in ("witness-fork", "witness-inconsistent") else []
    assert heads.forks.get(ORIGIN, []) == kept


def test_a_first_head_comes_without_a_proof() -> None:
    assert code_of(witness(MemoryHeads()).add, 0, (bytes(32),), head(tree(5)), NOW) == "witness-request"


def test_a_conflict_tells_the_head_that_was_signed() -> None:
    one = witness(MemoryHeads())
    error = refusal(one.add, 3, tree(5).consistency_proof(3), head(tree(5)), NOW)
    assert isinstance(error, Conflict)
    assert (error.kept, error.size) == (None, 0)
    one.add(0, (), head(tree(5)), NOW)
    error = refusal(one.add, 3, tree(5).consistency_proof(3), head(tree(5)), NOW)
    assert isinstance(error, Conflict)
    assert (error.kept, error.size) == (head(tree(5)), 5)


@pytest.mark.acceptance("AUD-03")
def test_a_fork_gives_both_signed_heads_to_whoever_asks() -> None:
    one = witness(MemoryHeads())
    one.add(0, (), head(tree(5)), NOW)
    error = refusal(one.add, 5, (), head(tree(5, 2)), NOW)
    assert isinstance(error, Fork)
    assert error.proven
    first, second = (Checkpoint.verify(note, ORIGIN, LOG.public) for note in (error.ours, error.theirs))
    assert first.size == second.size
    assert first.root != second.root


@pytest.mark.acceptance("AUD-04")
def test_a_log_that_lies_at_random_gets_one_history_signed() -> None:
    """40 logs with two stories, 50 attempts each: all heads that were signed are one story's, whichever came first."""
    chance = random.Random(7)
    stories = [tree(64), tree(64, 9)]
    lengths = []
    for _ in range(40):
        one = witness(MemoryHeads())
        signed: set[tuple[int, bytes]] = set()
        for _ in range(50):
            story, claimed = chance.choice(stories), chance.choice(stories)
            kept = one.newest(ORIGIN)
            old = chance.choice([chance.randrange(65), *[0 if kept is None else Checkpoint.read(kept).size] * 3])
            new = chance.randrange(old, min(65, old + 5))
            if refusal(one.add, old, claimed.consistency_proof(old, new), head(story, new), NOW) is None:
                signed.add((new, story.root(new)))
        assert any(signed <= {(n, story.root(n)) for n in range(65)} for story in stories)
        lengths.append(max(size for size, _ in signed))
    assert min(lengths) > 9


def test_whoever_was_overtaken_gets_no_line() -> None:
    """Two requests at once: the second finds another head in the store, and nothing is signed."""

    class Overtaken(MemoryHeads):
        def advance(self, origin: str, old: bytes | None, new: bytes) -> None:
            self.heads[origin] = head(tree(9))
            super().advance(origin, old, new)

    assert code_of(witness(Overtaken()).add, 0, (), head(tree(5)), NOW) == "witness-conflict"


def test_a_line_exists_only_after_the_head_is_kept() -> None:
    class Broken(MemoryHeads):
        def advance(self, origin: str, old: bytes | None, new: bytes) -> None:
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        witness(Broken()).add(0, (), head(tree(5)), NOW)
