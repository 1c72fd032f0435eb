"""``tq-node``, the command of a trust's IT."""
