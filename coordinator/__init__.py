"""The coordinator: authorises people and projects, fans a query out to the nodes and merges what they answer.

It is a postman: nodes believe the root, the committee and their own policy, never this process.
"""
