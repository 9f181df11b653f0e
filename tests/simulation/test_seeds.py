"""Seeds that once failed are run again, always."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.simulation.campaign import run_seed

LINES = [
    line.split(maxsplit=2)
    for line in (Path(__file__).parent / "seeds.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("profile", "seed"), [(p, int(s)) for p, s, _ in LINES], ids=[f"{p}-{s}" for p, s, _ in LINES]
)
def test_a_seed_that_once_failed_fails_no_more(profile: str, seed: int) -> None:
    """What was found by chance is kept on purpose."""
    assert run_seed(seed, profile).violations == ()
