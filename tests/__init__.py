"""Tests: the folders are listed in docs; `tests/run.sh` runs them."""
