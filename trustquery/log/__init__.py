"""The tamper-evident log: leaves, the RFC 6962 tree over them, signed checkpoints, and the witnesses of those."""

from trustquery.log.checkpoint import Checkpoint, coordinator_origin, node_origin
from trustquery.log.cosignature import cosign, cosigners, with_lines
from trustquery.log.entry import TEXTS, Entry, commit
from trustquery.log.leaf import FIRST_PREV_HASH, Leaf, commitment
from trustquery.log.proof import Proof
from trustquery.log.quorum import Quorum
from trustquery.log.tree import EMPTY_ROOT, Tree, leaf_hash, node_hash, verify_consistency, verify_inclusion
from trustquery.log.verification import Verified, verify_log
from trustquery.log.vkey import VerifierKey
from trustquery.log.witness import Conflict, Fork, Witness, WitnessHeads

__all__ = [
    "EMPTY_ROOT",
    "FIRST_PREV_HASH",
    "TEXTS",
    "Checkpoint",
    "Conflict",
    "Entry",
    "Fork",
    "Leaf",
    "Proof",
    "Quorum",
    "Tree",
    "Verified",
    "VerifierKey",
    "Witness",
    "WitnessHeads",
    "commit",
    "commitment",
    "coordinator_origin",
    "cosign",
    "cosigners",
    "leaf_hash",
    "node_hash",
    "node_origin",
    "verify_consistency",
    "verify_inclusion",
    "verify_log",
    "with_lines",
]
