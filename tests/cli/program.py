"""Runs `keeper` as a process of its own, from a folder of its own, the way a script would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.schemas import validate

LIMIT_S = 60


@dataclass(frozen=True)
class Ran:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        """The one JSON document on stdout, judged by its schema."""
        lines = self.out.splitlines()
        assert len(lines) == 1, f"stdout must be one line: {self.out!r} {self.err!r}"
        document = json.loads(lines[0])
        assert isinstance(document, dict)
        validate(document)
        return document


def keeper(*words: object, cwd: Path, env: Mapping[str, str] | None = None) -> Ran:
    """Run one command to its end."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("KEEPER", "CREDENTIALS_"))}
    done = subprocess.run(
        [sys.executable, "-m", "engine.cli.main", *(str(word) for word in words)],
        cwd=cwd,
        env={**clean, "PYTHONPATH": str(Path(__file__).parents[2]), **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)
