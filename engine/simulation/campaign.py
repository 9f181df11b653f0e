"""Many small worlds, one verdict: the ``keeper/simulate/1`` document.

The document's digest is over the outcome of every seed, in seed order: the same for any number of
processes and any two runs of one version.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from engine import __version__
from engine.read.documents import Document
from engine.simulation.causes import Naked, bounds
from engine.simulation.coverage import document as coverage_document
from engine.simulation.draw import PROFILES, START_MS, draw
from engine.simulation.shrink import shrunk, story
from engine.simulation.trial import CONVERGE_TICKS, Trial, run_trial

HOUR_MS = 3_600_000
Say = Callable[[str], None]


def run(seeds: range, profile: str, jobs: int, progress: Say) -> Document:
    """Run every seed under a profile on ``jobs`` processes and return what was found.

    ``progress`` is told about now and then, and of every violation at once.
    """
    started_s = time.perf_counter()
    tally = Tally(profile)
    told = 0
    for done, trial in enumerate(_trials(seeds, profile, jobs), start=1):
        tally.add(trial)
        for violation in trial.violations:
            text = f"{violation.checker}: {violation.detail}"
            progress(f"seed {trial.seed}: {text}; again with: {replay_of(trial.seed, profile)}")
        if trial.violations and told < STORIES_MAX:
            told += 1
            tally.tell(trial.seed, _story(trial, profile, progress))
        if done % 25 == 0 or done == len(seeds):
            spent_s = time.perf_counter() - started_s
            found = len(tally.violations)
            progress(f"{done} of {len(seeds)} seeds, {found} violations, {spent_s:.0f} s")
    return tally.document(seeds, time.perf_counter() - started_s)


STORIES_MAX = 3
"""Of so many failing seeds what mattered is told; each costs some sixty worlds more."""


def _story(trial: Trial, profile: str, progress: Say) -> list[str]:
    """Return what mattered of a failing seed, and tell it."""
    checker = trial.violations[0].checker
    lines = story(shrunk(draw(trial.seed, PROFILES[profile]), checker), checker)
    for line in lines:
        progress(line)
    return lines


def run_seed(seed: int, profile: str) -> Trial:
    """Run one seed: what a process of the campaign does."""
    started_s = time.process_time()
    trial = run_trial(draw(seed, PROFILES[profile]))
    trial.cpu_s = time.process_time() - started_s
    return trial


def replay_of(seed: int, profile: str) -> str:
    """Return the command that shows one seed again."""
    return f"keeper simulate --seeds {seed}..{seed} --profile {profile}"


def _trials(seeds: Iterable[int], profile: str, jobs: int) -> Iterator[Trial]:
    work = partial(run_seed, profile=profile)
    if jobs == 1:
        yield from map(work, seeds)
        return
    # A new interpreter each: nothing of this process can leak into a world.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(work, seeds)


class Tally:
    """Sums up trials, taken in seed order."""

    def __init__(self, profile: str) -> None:
        """Begin empty."""
        self._profile = profile
        self._totals: Counter[str] = Counter()
        self._injected: Counter[str] = Counter()
        self._effective: Counter[str] = Counter()
        self._cells: Counter[tuple[str, str]] = Counter()
        self._states: set[str] = set()
        self._naked: dict[str, tuple[int, Naked]] = {}
        self._switches: Counter[tuple[str, str | int]] = Counter()
        self._worst = (0, -1)
        self._needed = 0
        self._is_restless = False
        self._cpu_s = 0.0
        self._hash = hashlib.sha256()
        self.violations: list[Document] = []

    def add(self, trial: Trial) -> None:
        """Add what became of one seed."""
        self._totals += trial.totals
        self._injected += trial.injected
        self._effective += trial.effective
        self._cells += trial.cells
        self._states.update(trial.states)
        self._cpu_s += trial.cpu_s
        self._hash.update(f"{trial.seed} {trial.digest}\n".encode())
        if trial.ticks_to_converge is None:
            self._is_restless = True
        else:
            self._needed = max(self._needed, trial.ticks_to_converge)
        self._switches.update(trial.switches.items())
        for naked in trial.naked:
            lasted_ms = naked.window.duration_ms
            count, worst = self._naked.get(naked.cause, (0, naked))
            own_ms, worst_ms = (n.window.duration_ms - n.imposed_ms for n in (naked, worst))
            self._naked[naked.cause] = (count + 1, naked if own_ms > worst_ms else worst)
            if lasted_ms > self._worst[0]:
                self._worst = (lasted_ms, trial.seed)
        for violation in trial.violations:
            self.violations.append(
                {
                    "seed": trial.seed,
                    "checker": violation.checker,
                    "sim_time_s": max(violation.at_ms - START_MS, 0) / 1000,
                    "life": violation.life,
                    "state": violation.state,
                    "detail": violation.detail,
                    "replay": replay_of(trial.seed, self._profile),
                }
            )

    def tell(self, seed: int, lines: list[str]) -> None:
        """Put what mattered beside the violations of a seed."""
        for violation in self.violations:
            if violation["seed"] == seed:
                violation["timeline"] = lines

    def document(self, seeds: range, wall_s: float) -> Document:
        """Return the whole verdict."""
        totals = self._totals
        hours = totals["sim_ms"] / HOUR_MS
        cpu_s = max(self._cpu_s, 0.001)
        worst_ms, worst_seed = self._worst
        drawn = PROFILES[self._profile].faults
        coverage = coverage_document(self._cells, drawn, self._states)
        return {
            "schema": "keeper/simulate/1",
            "version": __version__,
            "profile": self._profile,
            "seeds": {"first": seeds[0], "last": seeds[-1], "run": len(seeds)},
            "ok": not self.violations and not coverage["contradicted"],
            "totals": {
                "lives": totals["lives"],
                "sim_hours": round(hours, 3),
                **{
                    name: totals[name]
                    for name in ("ticks", "requests", "orders", "fills", "stop_moves", "kills")
                },
                "takeovers": totals["takeovers"],
                "halts": totals["halts"],
            },
            "violations": self.violations,
            "naked": {
                "worst_s": worst_ms / 1000,
                "worst_seed": worst_seed if worst_ms else None,
                "by_fault": [self._by_fault(cause) for cause in sorted(self._naked)],
            },
            "faults": [
                {"kind": kind, "injected": count, "effective": self._effective[kind]}
                for kind, count in sorted(self._injected.items())
            ],
            "coverage": coverage,
            "switches": self._turned(),
            "liveness": {
                "worst_ticks_to_converge": None if self._is_restless else self._needed,
                "bound": CONVERGE_TICKS,
            },
            "speed": {
                "wall_s": round(wall_s, 3),
                "cpu_s": round(cpu_s, 3),
                "ticks_per_cpu_s": round(totals["ticks"] / cpu_s, 1),
                "sim_hours_per_cpu_s": round(hours / cpu_s, 4),
            },
            "digest": f"sha256:{self._hash.hexdigest()}",
        }

    def _by_fault(self, cause: str) -> Document:
        """Return the worst stretch without cover of one cause, beside its bound (RULES B).

        What was imposed in it, by a death or an exchange out of reach, is counted apart, and the
        bound holds it.
        """
        count, worst = self._naked[cause]
        return {
            "fault": cause,
            "what": bounds()[cause].what,
            "count": count,
            "worst_s": worst.window.duration_ms / 1000,
            "imposed_s": worst.imposed_ms / 1000,
            "bound_s": worst.bound_ms / 1000,
        }

    def _turned(self) -> Document:
        """Return of every switch in how many worlds it stood where."""
        turned: dict[str, list[str]] = {}
        for (name, value), count in sorted(self._switches.items(), key=lambda s: (s[0][0], -s[1])):
            turned.setdefault(name, []).append(f"{value} in {count}")
        return {name: ", ".join(values) for name, values in turned.items()}
