"""Faults under traffic: one at a time (the tests), or many at random (``make chaos SEED=…``)."""
