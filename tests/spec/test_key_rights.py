"""``keeper check`` on the key: whose account it opens, and what a thief could do with it."""

from __future__ import annotations

from typing import Any

import pytest

from engine.cli.account import Asked, alias, rights
from engine.config import Settings
from engine.exchange.binance.adapter import BinanceExchange
from engine.exchange.binance.client import BinanceAccess, LaneClient
from engine.exchange.binance.clock import ExchangeClock
from engine.exchange.binance.lanes import InlineLanes
from engine.simulation.session import VenueSession
from engine.venue.api import Venue
from engine.venue.settings import VenueSettings
from tests.builders import ids, table

NOW = 1_767_607_200_000


def an_exchange(**settings: Any) -> Asked:
    venue = Venue(VenueSettings(keys={"key": "secret"}, **settings), now_ms=NOW)
    client = LaneClient(BinanceAccess("http://venue.invalid", "key", "secret", "BTCUSDT"))
    session = VenueSession(venue.handle, "key", lambda: NOW)
    client.session = session
    access = BinanceAccess("http://venue.invalid", "key", "secret", "BTCUSDT")
    made = BinanceExchange(access, InlineLanes(client, session), ExchangeClock(lambda: 5))
    made.anchor_clock()
    return made


RIGHTS = table("""
withdraws  restricted  warned                           why
no         yes         -                                as it should be
yes        yes         withdrawal_right                 whoever steals it takes the money
no         no          ip_restriction                   it works from anywhere
yes        no          withdrawal_right,ip_restriction  both
""")


@pytest.mark.parametrize("row", RIGHTS, ids=ids(RIGHTS))
def test_a_key_that_may_too_much_is_warned_of(row: list[str]) -> None:
    """A warning and no error: the keeper needs neither right, and works all the same."""
    withdraws, restricted, warned, _ = row
    exchange = an_exchange(
        withdrawals_enabled=withdraws == "yes", ip_restricted=restricted == "yes"
    )

    checks = rights(exchange, alias(Settings(), exchange))

    failed = [check for check in checks if check.ok is False]
    assert [check.name for check in failed] == ([] if warned == "-" else warned.split(","))
    assert {check.severity for check in failed} <= {"warning"}
    assert all(check.remedy for check in failed)


ALIASES = table("""
mode   acknowledged  ok   why
paper  -             yes  nothing real is at stake
demo   -             yes  test money
live   SgsR          yes  the account that was meant
live   Wr0ng         no   another account
live   ?             no   nobody knew the alias yet
""")


@pytest.mark.parametrize("row", ALIASES, ids=ids(ALIASES))
def test_live_wants_the_alias_of_the_keys_own_account(row: list[str]) -> None:
    mode, acknowledged, ok, _ = row
    live = {} if acknowledged == "-" else {"acknowledge": acknowledged}
    settings = Settings.model_validate({"mode": mode, "live": live})

    check = alias(settings, an_exchange())

    assert check.ok is (ok == "yes")
    assert "SgsR" in check.detail
    assert ("live.acknowledge: SgsR" in str(check.remedy)) is (ok == "no")
