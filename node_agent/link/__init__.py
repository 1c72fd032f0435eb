"""The node's one connection: it dials out to the coordinator and listens nowhere."""
