"""Positions, wallets, modes, prices and filters as the exchange writes them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.errors import Indeterminate
from engine.domain.instrument import Bracket, Instrument
from engine.domain.observation import (
    AccountMode,
    AccountReport,
    Candle,
    Income,
    MarkQuote,
    Quote,
    Rates,
    SymbolConfig,
)
from engine.domain.position import HedgedPositions, PositionReport
from engine.domain.terms import Side
from engine.exchange.binance import wire_account, wire_market
from tests.wire import payloads

D = Decimal
LONG, SHORT = Side.LONG, Side.SHORT


@pytest.mark.parametrize(
    ("rows", "side", "quantity"),
    [
        pytest.param([payloads.POSITION], Side.LONG, "0.013", id="long"),
        pytest.param(
            [{**payloads.POSITION, "positionAmt": "-0.013"}], Side.SHORT, "0.013", id="short"
        ),
        pytest.param([{**payloads.POSITION, "positionAmt": "0.000"}], None, "0", id="flat row"),
        pytest.param([], None, "0", id="v3 leaves a flat symbol out"),
        pytest.param(
            [{**payloads.POSITION, "symbol": "ETHUSDT"}], None, "0", id="only another symbol"
        ),
    ],
)
def test_a_position_has_side_and_size(rows: Any, side: Side | None, quantity: str) -> None:
    report = wire_account.position(rows, "BTCUSDT")

    assert isinstance(report, PositionReport)
    assert (report.side, report.quantity) == (side, D(quantity))


def test_a_position_is_read_whole() -> None:
    assert wire_account.position([payloads.POSITION], "BTCUSDT") == PositionReport(
        side=Side.LONG,
        quantity=D("0.013"),
        entry_price=D("90743.3"),
        mark_price=D(90800),
        unrealized_pnl=D("0.7371"),
        liquidation_price=D("61234.5"),
        updated_ms=1795000100138,
    )


@pytest.mark.parametrize(
    ("held", "sides"),
    [
        pytest.param({"LONG": "0.1", "SHORT": "-0.2"}, {LONG: "0.1", SHORT: "0.2"}, id="both"),
        pytest.param({"SHORT": "-0.2", "LONG": "0"}, {SHORT: "0.2"}, id="one, the other flat"),
        pytest.param({"SHORT": "-0.2"}, {SHORT: "0.2"}, id="one, v3 leaves the flat side out"),
        pytest.param({"BOTH": "0", "LONG": "0.1"}, {LONG: "0.1"}, id="beside a flat one-way row"),
        pytest.param({"LONG": "0", "SHORT": "0"}, {}, id="nothing held"),
    ],
)
def test_in_hedge_mode_each_held_side_is_reported(
    held: dict[str, str], sides: dict[Side, str]
) -> None:
    """RULES H3: rows that name a side are never squeezed into the one-way position."""
    rows = [hedge_row(side, amount) for side, amount in held.items()]

    told = wire_account.position(rows, "BTCUSDT")

    assert isinstance(told, HedgedPositions)
    assert {r.side: r.quantity for r in told.sides} == {s: D(q) for s, q in sides.items()}
    assert told.one_way.is_flat


@pytest.mark.parametrize("named", [("BOTH", "LONG"), ("LONG", "LONG"), ("BOTH", "BOTH")])
def test_positions_of_both_modes_at_once_are_no_answer(named: tuple[str, ...]) -> None:
    with pytest.raises(Indeterminate, match="positionSide"):
        wire_account.position([hedge_row(side, "0.1") for side in named], "BTCUSDT")


def hedge_row(side: str, amount: str) -> dict[str, Any]:
    return {**payloads.POSITION, "positionSide": side, "positionAmt": amount}


def test_liquidation_price_zero_means_there_is_none() -> None:
    rows = [{**payloads.POSITION, "liquidationPrice": "0"}]

    report = wire_account.position(rows, "BTCUSDT")

    assert isinstance(report, PositionReport)
    assert report.liquidation_price is None


def test_the_wallet_of_the_margin_asset_is_read() -> None:
    report = wire_account.account(payloads.ACCOUNT, "USDT")

    assert report == AccountReport(D("4208.43752587"), D("0.4"), D("4058.75"))


def test_a_missing_wallet_is_not_an_empty_one() -> None:
    with pytest.raises(Indeterminate, match="USDC"):
        wire_account.account(payloads.ACCOUNT, "USDC")


def test_modes_rates_and_income_are_read() -> None:
    config = payloads.SYMBOL_CONFIG

    assert wire_account.symbol_config([config], "BTCUSDT") == SymbolConfig(3, is_isolated=True)
    assert wire_account.symbol_config({**config, "marginType": "CROSSED"}, "BTCUSDT") == (
        SymbolConfig(3, is_isolated=False)
    )
    assert wire_account.account_mode(payloads.ACCOUNT_CONFIG) == AccountMode(
        is_hedge=False, is_multi_assets=False
    )
    assert wire_account.can_trade(payloads.ACCOUNT_CONFIG) is True
    assert wire_account.rates(payloads.RATES) == Rates(D("0.0002"), D("0.0005"))
    assert wire_account.incomes([payloads.INCOME]) == (
        Income("FUNDING_FEE", D("-0.075"), "USDT", "BTCUSDT", 1795017600000, "9689322392"),
    )


def test_prices_are_read() -> None:
    assert wire_market.quote(payloads.BOOK) == Quote(D("90800.00"), D("90800.10"))
    assert wire_market.mark_quote(payloads.MARK) == MarkQuote(
        D("90802.15"), D("90801.80"), D("0.0001"), 1795017600000
    )
    assert wire_market.candles([payloads.CANDLE]) == (
        Candle(1794999960000, D("90790.0"), D("90810.0"), D("90780.0"), D("90800.1")),
    )


def test_filters_are_read_by_name_not_by_place() -> None:
    shuffled = {**payloads.SYMBOL, "filters": list(reversed(payloads.SYMBOL["filters"]))}

    assert wire_market.instrument(shuffled) == Instrument(
        symbol="BTCUSDT",
        margin_asset="USDT",
        tick_size=D("0.10"),
        step_size=D("0.001"),
        price_min=D("556.80"),
        price_max=D(4529764),
        quantity_min=D("0.001"),
        quantity_max=D(1000),
        market_quantity_min=D("0.001"),
        market_quantity_max=D(120),
        notional_min=D(50),
        multiplier_up=D("1.05"),
        multiplier_down=D("0.95"),
        is_trading=True,
    )


def test_a_symbol_that_settles_is_not_trading() -> None:
    assert not wire_market.instrument({**payloads.SYMBOL, "status": "SETTLING"}).is_trading


@pytest.mark.parametrize("envelope", [payloads.BRACKETS, [payloads.BRACKETS]])
def test_brackets_come_alone_or_in_a_list(envelope: Any) -> None:
    assert wire_market.brackets(envelope, "BTCUSDT") == (
        Bracket(D(0), D(300000), 125, D("0.004"), D(0)),
    )


@pytest.mark.parametrize(
    ("broken", "word"),
    [
        ({**payloads.SYMBOL, "filters": []}, "PRICE_FILTER"),
        ({**payloads.SYMBOL, "filters": None}, "filters"),
    ],
)
def test_a_missing_filter_is_named(broken: Any, word: str) -> None:
    with pytest.raises(Indeterminate, match=word):
        wire_market.instrument(broken)


def test_brackets_of_another_symbol_do_not_count() -> None:
    with pytest.raises(Indeterminate, match="ETHUSDT"):
        wire_market.brackets(payloads.BRACKETS, "ETHUSDT")


def test_an_unknown_margin_type_is_not_guessed() -> None:
    with pytest.raises(Indeterminate, match="marginType"):
        wire_account.symbol_config({**payloads.SYMBOL_CONFIG, "marginType": "MAYBE"}, "BTCUSDT")
