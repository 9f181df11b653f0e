"""What a look at the inbox costs: ``python tests/bench/bench_intake.py`` prints one line a case."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from engine.domain.limits import Limits
from engine.intake import Intake

EXAMPLE = Path(__file__).parents[2] / "decisions" / "examples" / "long.json"
NOW_MS = 1_764_929_160_000
ROUNDS = 500


def bench_intake() -> Iterator[tuple[str, float]]:
    """Yield a case's name and the median cost of one unchanged look, in microseconds."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for files in (1, 10, 100, 1000):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for number in range(files):
                minute, second = divmod(number, 60)
                made = f"2025-12-05T{9 - minute // 60:02d}:{minute % 60:02d}:{second:02d}Z"
                document = text.replace("2025-12-05T10:05:00Z", made)
                (folder / f"{number:04d}.json").write_text(document, encoding="utf-8")
            yield f"unchanged look, {files} files", _median_us(folder)


def _median_us(folder: Path) -> float:
    intake = Intake(folder, "BTCUSDT", Limits())
    for _ in range(3):
        intake.look(NOW_MS, 0)
    costs = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        intake.look(NOW_MS, 0)
        costs.append(time.perf_counter() - begun)
    return sorted(costs)[ROUNDS // 2] * 1e6


if __name__ == "__main__":
    for case, cost_us in bench_intake():
        sys.stdout.write(f"{case:<28} {cost_us:8.1f} us\n")
