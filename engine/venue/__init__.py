"""A simulated USD-margined futures exchange whose surface is the wire.

It imports nothing of the rest of the project: what the keeper and the exchange must both know is
written twice, so that one mistake cannot hide the other.
"""
