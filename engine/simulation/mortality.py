"""Where a keeper can die: at every call through its two ports, before it or after it took effect.

A call is one request to the exchange or one call of the store. Death is no ``Exception``: nothing
in the keeper may catch it, and everything the keeper held is abandoned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.domain.action import Outcome, Plan
from engine.domain.drift import Drift
from engine.domain.identity import ClientOrderId
from engine.domain.ledger import Ledger
from engine.domain.situation import Situation
from engine.store.connect import Desk
from engine.store.store import Store


class Killed(BaseException):
    """The process is gone, in the middle of what it was doing."""


@dataclass(slots=True)
class Mortality:
    """Counts calls and ends the life at the one that was chosen; ``calls`` never goes back.

    ``dies_in`` is how many more calls begin before death, None for a life that goes on;
    ``is_after`` lets that last call take effect, its answer being lost.
    """

    calls: int = 0
    dies_in: int | None = None
    is_after: bool = False

    def doom(self, dies_in: int, *, is_after: bool) -> None:
        """Let the call ``dies_in`` calls from now (0: the next) be the last."""
        self.dies_in, self.is_after = dies_in, is_after

    def spare(self) -> None:
        """Forget a death that did not come to pass."""
        self.dies_in = None

    def begin(self) -> None:
        """Note that a call begins; raises ``Killed`` when it must not take effect."""
        self.calls += 1
        if self.dies_in == 0 and not self.is_after:
            self.dies_in = None
            raise Killed

    def end(self) -> None:
        """Note that a call took effect; raises ``Killed`` when its answer must be lost."""
        if self.dies_in is None:
            return
        if self.dies_in == 0:
            self.dies_in = None
            raise Killed
        self.dies_in -= 1


class MortalStore(Store):
    """A store whose every call may be the last of the process that makes it."""

    def __init__(self, desk: Desk, mortality: Mortality) -> None:
        super().__init__(desk)
        self._mortality = mortality

    def recall(self) -> Ledger:
        """Return what was written down."""
        self._mortality.begin()
        ledger = super().recall()
        self._mortality.end()
        return ledger

    def record_intent(
        self,
        now_ms: int,
        recalled: Ledger,
        situation: Situation,
        drifts: Sequence[Drift],
        plan: Plan,
        *,
        reasons: Sequence[str] = (),
    ) -> frozenset[ClientOrderId]:
        """Write the plan down; return the intents the database refused."""
        self._mortality.begin()
        refused = super().record_intent(now_ms, recalled, situation, drifts, plan, reasons=reasons)
        self._mortality.end()
        return refused

    def record_outcomes(
        self, now_ms: int, before: Ledger, after: Ledger, outcomes: Sequence[Outcome]
    ) -> None:
        """Write down what became of the plan."""
        self._mortality.begin()
        super().record_outcomes(now_ms, before, after, outcomes)
        self._mortality.end()

    def finish_command(self, command_id: int, result: str, now_ms: int) -> None:
        """Say what became of a command."""
        self._mortality.begin()
        super().finish_command(command_id, result, now_ms)
        self._mortality.end()
