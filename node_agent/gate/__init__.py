"""The one way to an answer: twenty steps in ``gate.py``, a file for each beside it."""
