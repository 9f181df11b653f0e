"""Run planted bugs and print who caught them: the table of ``make sabotages``.

    python -m tests.simulation.sabotaged                      every bug, two processes
    python -m tests.simulation.sabotaged widens_once ...      these
    python -m tests.simulation.sabotaged --honest             the same worlds without any bug

Each bug runs in a new process, in which the modules it changes are changed while being imported.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import CodeType

from tests.simulation.sabotages import SABOTAGES, Change, Sabotage

ROOT = Path(__file__).parent.parent.parent
BY_NAME = {one.name: one for one in SABOTAGES}


class Misplaced(ValueError):
    """The text that a sabotage replaces does not stand exactly once in its module."""


def changed(source: str, changes: Sequence[Change]) -> str:
    """Return a module's source with the changes made; raises ``Misplaced``.

    Texts are compared without their white space: how a line is broken does not matter.
    """
    for change in changes:
        if change.old:
            start, end = _place(source, change)
            source = source[:start] + change.new.strip() + source[end:]
        source += change.added
    return source


def _place(source: str, change: Change) -> tuple[int, int]:
    """Return where the text to be replaced begins and ends."""
    kept = [(n, c) for n, c in enumerate(source) if not c.isspace()]
    text, wanted = "".join(c for _, c in kept), "".join(change.old.split())
    if text.count(wanted) != 1:
        raise Misplaced(f"{change.module}: {change.old!r} stands {text.count(wanted)} times")
    first = text.index(wanted)
    return kept[first][0], kept[first + len(wanted) - 1][0] + 1


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles a module from its changed source, past every cache."""

    changes: tuple[Change, ...] = ()

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        source = self.get_data(path).decode("utf-8")
        return compile(changed(source, self.changes), path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules that are to be changed before anybody else does."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self._changes = changes

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: object = None
    ) -> ModuleSpec | None:
        mine = tuple(c for c in self._changes if c.module == fullname)
        if not mine:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is None or spec.origin is None:
            return None
        loader = _Loader(fullname, spec.origin)
        loader.changes = mine
        spec.loader = loader
        return spec


@dataclass(frozen=True, slots=True)
class Caught:
    """What became of one bug: the first seed at which each checker complained."""

    first: dict[str, int]
    detail: dict[str, str]


def run_here(sabotage: Sabotage, *, every: bool, only: Sequence[str] | None = None) -> Caught:
    """Plant the bug in this process, which must not have imported the engine, and look.

    ``only`` names the modules that are changed, None for all.
    """
    changes = [c for c in sabotage.changes if only is None or c.module in only]
    sys.meta_path.insert(0, _Finder(changes))
    from engine.simulation.trial import run_trial  # noqa: PLC0415 - only now
    from tests.simulation.sabotage_worlds import worlds  # noqa: PLC0415

    first: dict[str, int] = {}
    detail: dict[str, str] = {}
    for drawn in worlds(sabotage.worlds, sabotage.seeds):
        for violation in run_trial(drawn).violations:
            if violation.checker not in first:
                first[violation.checker] = drawn.seed
                detail[violation.checker] = violation.detail
        if sabotage.checker in first and not every:
            break
    return Caught(first, detail)


def run_apart(name: str, *, every: bool = False, only: Sequence[str] | None = None) -> Caught:
    """Return what a new process finds; nothing is planted where ``only`` is empty."""
    command = [sys.executable, "-m", "tests.simulation.sabotaged", "--here", name]
    command += ["--every"] * every + ([] if only is None else ["--only", *only])
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return Caught({}, {"broken": done.stderr.strip().splitlines()[-1]})
    plain = json.loads(done.stdout)
    return Caught(plain["first"], plain["detail"])


def main(words: Sequence[str]) -> int:
    """Run and print; 1 when a bug went unnoticed, or a checker is nowhere the only one."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.sabotaged")
    parser.add_argument("name", nargs="*", help="all by default")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--here", action="store_true", help="in this process, as JSON")
    parser.add_argument("--honest", action="store_true", help="plant nothing")
    parser.add_argument("--every", action="store_true", help="all seeds, also after the catch")
    parser.add_argument("--only", nargs="*", help="change these modules only")
    arguments = parser.parse_args(words)
    if arguments.here:
        bug = BY_NAME[arguments.name[0]]
        caught = run_here(bug, every=arguments.every, only=arguments.only)
        sys.stdout.write(json.dumps({"first": caught.first, "detail": caught.detail}) + "\n")
        return 0
    names, honest = arguments.name or list(BY_NAME), arguments.honest
    is_wrong = False
    alone: set[str] = set()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        look = partial(run_apart, every=arguments.every or honest, only=() if honest else None)
        for name, caught in zip(names, pool.map(look, names), strict=True):
            bug = BY_NAME[name]
            is_wrong |= bool(caught.detail) if honest else bug.checker not in caught.first
            if set(caught.first) == {bug.checker}:
                alone.add(bug.checker)
            sys.stdout.write((_honest(bug, caught) if honest else _line(bug, caught)) + "\n")
            sys.stdout.flush()
    if not honest:
        sys.stdout.write(f"only catcher of at least one: {', '.join(sorted(alone)) or 'none'}\n")
        missing = sorted({bug.checker for bug in SABOTAGES} - alone)
        if missing and not arguments.name:
            sys.stdout.write(f"nowhere the only one: {', '.join(missing)}\n")
            is_wrong = True
    return 1 if is_wrong else 0


def _honest(bug: Sabotage, caught: Caught) -> str:
    said = [f"{name} at {seed}: {caught.detail[name]}" for name, seed in caught.first.items()]
    found = "; ".join(said) or caught.detail.get("broken") or "nothing found"
    return f"{bug.name:36} {bug.worlds:18} {bug.seeds:3} worlds  {found}"


def _line(bug: Sabotage, caught: Caught) -> str:
    others = [f"{name} at {seed}" for name, seed in caught.first.items() if name != bug.checker]
    seed = caught.first.get(bug.checker)
    verdict = f"seed {seed} of {bug.seeds}" if seed is not None else "NOT CAUGHT"
    broken = caught.detail.get("broken", "")
    also = f"; also {', '.join(others)}" if others else ""
    return f"{bug.name:36} {bug.checker:18} {verdict:16}{also}{broken}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
