"""With a tenth of the request weight a position is kept like any other, only looked at more rarely.

RULES H4, B1: nothing is ever refused for its weight, and a cause that uncovers the position is
answered within the next tick, at any moment of the minute. Judged from the venue's log.
"""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from engine.domain.limits import Limits
from engine.read.documents import moment_of
from engine.simulation.checkers import History, executed_once, naked_windows, never_widened
from engine.simulation.draw import START_MS
from engine.simulation.log import read_log
from engine.simulation.world import World
from engine.tick import TickReport
from engine.venue.api import Venue
from engine.venue.settings import RateLimits, VenueSettings
from tests.builders import DOCUMENT

TENTH = RateLimits(weight_1m=240, orders_10s=30, orders_1m=120)
ROUND_TRIP_MS = 20


class Account:
    """A keeper that opened a position on an account with a tenth of the weight."""

    def __init__(self, folder: Path) -> None:
        self.reports: list[TickReport] = []
        self.venue = Venue(
            VenueSettings(market_streams=(), log_reads=True, limits=TENTH), now_ms=START_MS
        )
        self.world = World(
            self.venue, folder, Limits(), start_ms=START_MS, listener=self.reports.append
        )
        made = {**DOCUMENT, "timestamp_iso": moment_of(START_MS)}
        (folder / "decision.json").write_text(json.dumps(made))
        self.run(12)
        self.venue.set_price(Decimal(90_740), self.now_ms)
        # The first looks read histories and settings: the entry may wait for the next minute.
        self.run(75)

    @property
    def now_ms(self) -> int:
        return self.world.clock.now_ms

    def run(self, seconds: float) -> None:
        self.world.run_until(self.now_ms + int(seconds * 1_000))

    def uncover(self) -> None:
        """Let somebody remove every stop."""
        for order in [*self.reports[-1].ledger.orders]:
            if order.role.is_stop and order.is_confirmed_resting:
                self.venue.hand({"do": "cancel", "client_id": str(order.id)}, self.now_ms)

    def log(self) -> list[dict[str, object]]:
        return self.venue.log_after(0)

    def history(self) -> History:
        return History(read_log(self.log()), end_ms=self.now_ms)


@pytest.mark.parametrize("apart_s", [17.3, 31.1])
def test_protection_still_acts_within_one_tick(tmp_path: Path, apart_s: float) -> None:
    """Every few seconds somebody removes the stops, in every part of the minute."""
    account = Account(tmp_path)
    try:
        assert account.reports[-1].situation.condition.weight_limit == 240
        assert account.reports[-1].ledger.position_quantity > 0
        for _ in range(int(310 / apart_s)):
            account.run(apart_s)
            account.uncover()
        account.run(10)

        starts = [report.now_ms for report in account.reports]
        tick_ms = max(after - before for before, after in pairwise(starts))
        refused = [e for e in account.log() if e.get("status") in (429, 418)]
        windows = naked_windows(account.history())
        assert refused == []
        assert len(windows) >= 9
        assert max(w.duration_ms for w in windows) <= tick_ms + 3 * ROUND_TRIP_MS
        assert tick_ms <= 20_000
        assert never_widened(account.history()).findings == ()
        assert executed_once(account.history()).findings == ()
    finally:
        account.world.close()


def test_a_whole_minute_is_looked_through(tmp_path: Path) -> None:
    """A keeper that spent its weight in the first half of a minute is blind in the second."""
    account = Account(tmp_path)
    try:
        account.run(600)

        looks = [r.now_ms for r in account.reports if r.situation.has_picture]
        apart_ms = [after - before for before, after in pairwise(looks)]
        first = sum(at_ms < START_MS + 60_000 for at_ms in looks)
        assert max(apart_ms[first + 1 :]) <= 7_000
        assert max(apart_ms) <= 20_000
        assert [e for e in account.log() if e.get("status") in (429, 418)] == []
    finally:
        account.world.close()
