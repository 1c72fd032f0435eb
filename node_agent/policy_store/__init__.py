"""Signed documents on the node's disk: the trust's own, and the federation's as it last sent them."""

from node_agent.policy_store.documents import DocumentStore
from node_agent.policy_store.governance import load_governance, save_governance
from node_agent.policy_store.office import Office, Outcome
from node_agent.policy_store.stances import Stances
from node_agent.policy_store.store import PolicyStore

__all__ = ["DocumentStore", "Office", "Outcome", "PolicyStore", "Stances", "load_governance", "save_governance"]
