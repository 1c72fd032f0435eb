"""The tamper-evident log: leaves, the RFC 6962 tree over them, and signed checkpoints."""

from trustquery.log.checkpoint import Checkpoint, node_origin
from trustquery.log.leaf import FIRST_PREV_HASH, Leaf, commitment
from trustquery.log.tree import EMPTY_ROOT, Tree, leaf_hash, node_hash, verify_consistency, verify_inclusion

__all__ = [
    "EMPTY_ROOT",
    "FIRST_PREV_HASH",
    "Checkpoint",
    "Leaf",
    "Tree",
    "commitment",
    "leaf_hash",
    "node_hash",
    "node_origin",
    "verify_consistency",
    "verify_inclusion",
]
