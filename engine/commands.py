"""What operators ask for through the store: carried out by the keeper, within one tick.

Invariants: every command is finished with words on what became of it, once; a halt is lifted while
its reason stands only by force; what needs orders (flatten, adopt) reaches the plan through the
condition and is finished when the ledger shows that it was done.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.domain.action import Halt
from engine.domain.condition import Command, HaltReason, OperatorCommand
from engine.domain.position import Life, Origin
from engine.store.store import Store
from engine.tick import TickReport
from engine.vitals import troubles

REFUSED = "refused: "
"""How the result of a command begins that was not carried out."""

NOT_OURS = "nothing of ours is open; the held sides of the hedge-mode account are left alone"
"""What flatten answers where only other people's sides are held (RULES H3)."""

BY_HAND = "operator"
"""The code of a halt somebody asked for: nothing but that person's mind stands behind it."""


SEEN_FOR_MS = 10_000
"""How long a cause counts as seen: what failed is asked again after five seconds, not at once."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """When each thing that is wrong was last seen, by its code; halts themselves left out."""

    at_ms: dict[str, int]

    @property
    def causes(self) -> frozenset[str]:
        """Return the codes of what counts as wrong now."""
        return frozenset(self.at_ms)


class Commands:
    """Reads and answers the operator's commands of one keeper."""

    def __init__(self, store: Store) -> None:
        """Answer through ``store``; nothing was seen yet."""
        self._store = store
        self._seen: _Seen | None = None
        self._overruled: frozenset[str] = frozenset()

    @property
    def overruled(self) -> tuple[str, ...]:
        """Return the hard errors resumed by force: each halts again only after it has gone once.

        Kept in memory: a new process halts again for what still stands.
        """
        return tuple(sorted(self._overruled))

    def waiting(self) -> tuple[OperatorCommand, ...]:
        """Return the commands not yet finished, touching none: for who only looks."""
        return self._store.pending_commands()

    def obey(self, now_ms: int) -> tuple[OperatorCommand, ...]:
        """Carry out what takes effect at once; return the commands a plan must answer."""
        for_the_plan = []
        for command in self._store.pending_commands():
            match command.command:
                case Command.HALT:
                    self._store.add_halt(HaltReason(BY_HAND, command.why, now_ms))
                    self._store.finish_command(command.id, "halted", now_ms)
                case Command.RESUME:
                    self._resume(command, now_ms)
                case Command.RESUME_FORCED:
                    self._lift(command, now_ms, by_force=True)
                case Command.FLATTEN | Command.ADOPT:
                    for_the_plan.append(command)
        return tuple(for_the_plan)

    def settle(self, report: TickReport) -> None:
        """Close the commands that have taken effect, and remember what was wrong."""
        before = {} if self._seen is None else self._seen.at_ms
        since_ms = report.now_ms - SEEN_FOR_MS
        recent = {code: at_ms for code, at_ms in before.items() if at_ms >= since_ms}
        self._seen = _Seen(recent | dict.fromkeys(causes_of(report), report.now_ms))
        self._overruled &= self._seen.causes
        for command in report.situation.condition.commands:
            result = _result_of(command, report)
            if result is not None:
                self._store.finish_command(command.id, result, report.now_ms)

    def _resume(self, command: OperatorCommand, now_ms: int) -> None:
        """Lift the halts unless a reason of one was seen in the last tick (DESIGN section 7)."""
        halts = [halt for halt in self._store.halts() if halt.code != BY_HAND]
        if halts and self._seen is None:
            return  # the first tick of a process looks before it believes that all is well
        standing = [h for h in halts if self._seen is not None and h.code in self._seen.causes]
        if not standing:
            self._lift(command, now_ms, by_force=False)
            return
        named = ", ".join(f"{halt.code} ({halt.detail})" for halt in standing)
        self._store.finish_command(command.id, f"{REFUSED}the reason stands: {named}", now_ms)

    def _lift(self, command: OperatorCommand, now_ms: int, *, by_force: bool) -> None:
        if by_force:
            self._overruled |= {halt.code for halt in self._store.halts()}
        lifted = self._store.clear_halts(now_ms, command.by)
        force = " by force" if by_force else ""
        self._store.finish_command(command.id, f"{lifted} halts lifted{force}", now_ms)


def causes_of(report: TickReport) -> frozenset[str]:
    """Return the codes of what is wrong in a tick, whether or not it halts already."""
    asked = {action.code for action in report.plan.actions if isinstance(action, Halt)}
    situation = report.situation
    halted = {halt.code for halt in situation.condition.halts}
    # A halt names itself among the troubles; only another voice of the same code is its reason.
    voices = [code for code, _ in troubles(situation)]
    return frozenset(asked | {c for c in voices if voices.count(c) > (c in halted)})


def _result_of(command: OperatorCommand, report: TickReport) -> str | None:
    """Return what became of a command, None while it is under way."""
    life = report.ledger.life
    match command.command:
        case Command.FLATTEN:
            if life is not None or not _is_seen_flat(report):
                return None
            return NOT_OURS if report.ledger.hedged else "flat"
        case Command.ADOPT:
            return None if report.ledger.beside is not None else _adopted(life)
        case Command.HALT | Command.RESUME | Command.RESUME_FORCED:
            return None


def _is_seen_flat(report: TickReport) -> bool:
    """Return whether this very tick read position and orders and found no position (RULES C2)."""
    return report.situation.has_picture and report.ledger.position_quantity == 0


def _adopted(life: Life | None) -> str | None:
    """Return what became of ``adopt``: done as soon as the position counts as ours (RULES G1)."""
    if life is None:
        return f"{REFUSED}there is no position to adopt"
    if life.origin is Origin.ORPHAN:
        return None
    return f"position {life.id} is kept as our own"
