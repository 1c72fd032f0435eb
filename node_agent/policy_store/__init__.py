"""Signed documents on the node's disk: the trust's own, and the federation's as it last sent them."""

from node_agent.policy_store.documents import DocumentStore
from node_agent.policy_store.governance import GovernanceList, load_governance, save_governance
from node_agent.policy_store.store import PolicyStore

__all__ = ["DocumentStore", "GovernanceList", "PolicyStore", "load_governance", "save_governance"]
