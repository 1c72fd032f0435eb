"""A question from its text to the document that is signed, and its result read and verified. Without a socket: the
analyst's client brings one, and the coordinator's pages need none.
"""
