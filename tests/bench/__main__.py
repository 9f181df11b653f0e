"""``make bench``: measure everything, print a table, write ``var/bench.json``."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from engine import __version__
from tests.bench import exchange, history, inside, outside, reactions, takeover
from tests.bench.figures import Row

TARGET = Path("var/bench.json")


def main() -> int:
    """Measure, show, write; exit 1 when a goal was missed."""
    rows: list[Row] = []
    for row in _all():
        rows.append(row)
        goal = (
            ""
            if row["goal"] is None
            else f"goal {row['goal']}: {'met' if row['met'] else 'MISSED'}"
        )
        sys.stderr.write(f"{row['name']:38} {row['median']:>12} {row['unit']:6} {goal}\n")
    document = {
        "schema": "keeper/bench/1",
        "version": __version__,
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "results": rows,
    }
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(document, indent=1) + "\n")
    sys.stderr.write(f"written to {TARGET.absolute()}\n")
    return 0 if all(row["met"] is not False for row in rows) else 1


def _all() -> Iterator[Row]:
    return chain(
        inside.measure(),
        history.measure(),
        exchange.measure(),
        outside.measure(),
        reactions.measure(),
        takeover.measure(),
    )


if __name__ == "__main__":
    raise SystemExit(main())
