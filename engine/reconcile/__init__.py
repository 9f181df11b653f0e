"""Comparing what we wrote down with what the exchange shows; pure."""
