"""A decision made by hand: valid, fresh, and one that the gates let through."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from engine.domain.decision import Decided, Decision
from engine.domain.errors import InvalidInput
from engine.domain.instrument import Instrument
from engine.domain.limits import Limits
from engine.domain.terms import Side
from engine.intake import Intake, Wishes, compose, describe, write
from engine.plan.entry_zone import effective_zone, entry_terms

NOW_MS = 1_764_929_100_123
TICK = Decimal("0.1")
BTC = Instrument(
    symbol="BTCUSDT",
    margin_asset="USDT",
    tick_size=TICK,
    step_size=Decimal("0.001"),
    price_min=Decimal("556.8"),
    price_max=Decimal(4529764),
    quantity_min=Decimal("0.001"),
    quantity_max=Decimal(1000),
    market_quantity_min=Decimal("0.001"),
    market_quantity_max=Decimal(120),
    notional_min=Decimal(50),
    multiplier_up=Decimal("1.05"),
    multiplier_down=Decimal("0.95"),
    is_trading=True,
)
MARKETS = [
    # last price  tick     step
    ("90800.0", "0.1", "0.001"),
    ("63217.35", "0.1", "0.001"),
    ("2467.13", "0.01", "0.001"),
    ("0.51234", "0.0001", "1"),
]


def read_back(
    folder: Path, document: dict[str, object], *, limits: Limits | None = None
) -> Decision:
    write(document, folder)
    inbox = Intake(folder, "BTCUSDT", limits or Limits()).look(NOW_MS, 0)
    assert inbox.refusals == ()
    assert inbox.decision is not None
    return inbox.decision


@pytest.mark.parametrize(("last", "tick", "step"), MARKETS)
@pytest.mark.parametrize("action", [Decided.LONG, Decided.SHORT])
def test_without_wishes_every_gate_about_prices_is_passed(
    tmp_path: Path, action: Decided, last: str, tick: str, step: str
) -> None:
    limits = Limits()
    instrument = replace(BTC, tick_size=Decimal(tick), step_size=Decimal(step))
    price = Decimal(last)

    document = compose(action, "BTCUSDT", NOW_MS, price, instrument.tick_size)

    decision = read_back(tmp_path, document)
    terms = entry_terms(decision, limits, None)
    assert terms is not None
    zone = effective_zone(terms, instrument)
    assert zone is not None
    assert zone.low <= price <= zone.high or abs(zone.first_price / price - 1) < Decimal("0.001")
    side = Side(action.value)
    distance = side.gain(zone.stop, zone.first_price) / zone.first_price * 100
    assert limits.stop_distance_min_pct <= distance < 2 * limits.stop_distance_min_pct
    assert decision.stop_loss is not None
    own = side.gain(decision.stop_loss, zone.first_price) / zone.first_price * 100
    assert own >= limits.stop_distance_min_pct  # the keeper need not move it away
    assert decision.size_usdt is not None
    quantity = instrument.floor_quantity(decision.size_usdt / zone.first_price)
    assert instrument.notional_min <= quantity * zone.first_price <= limits.notional_max
    assert decision.confidence >= limits.fallback_confidence
    assert decision.leverage <= limits.leverage_max
    assert all(verdict for _, verdict in decision.risk_checks)
    assert decision.made_ms == NOW_MS


@pytest.mark.parametrize("side", Side)
def test_the_liquidation_zone_lies_between_the_targets_and_the_swing_on_the_stop_side(
    tmp_path: Path, side: Side
) -> None:
    """A first run should show a trailing stop and a zone exit, not only a target."""
    document = compose(Decided(side.value), "BTCUSDT", NOW_MS, Decimal(90800), TICK)

    decision = read_back(tmp_path, document)

    assert decision.tp1 is not None
    assert decision.tp2 is not None
    assert decision.zone_id == decision.zones[0].id
    edge = decision.zones[0].near_edge(side)
    assert side.gain(decision.tp1, edge) > 0
    assert side.gain(edge, decision.tp2) > 0
    swing = decision.swing(side)
    assert swing is not None
    assert side.gain(swing, Decimal(90800)) > 0


@pytest.mark.parametrize("side", Side)
def test_stricter_limits_move_the_levels(tmp_path: Path, side: Side) -> None:
    limits = Limits(
        rr_minimum=Decimal(4),
        stop_distance_min_pct=Decimal(1),
        notional_max=Decimal(300),
        leverage_max=2,
        confidence_min=Decimal("0.95"),
    )

    document = compose(Decided(side.value), "BTCUSDT", NOW_MS, Decimal(90800), TICK, limits=limits)

    decision = read_back(tmp_path, document)
    terms = entry_terms(decision, limits, None)
    assert terms is not None
    assert effective_zone(terms, BTC) is not None
    assert (decision.size_usdt, decision.leverage) == (Decimal(300), 2)
    assert decision.confidence == Decimal("0.95")


def test_wishes_are_kept_and_the_rest_is_filled_in_around_them(tmp_path: Path) -> None:
    wishes = Wishes(
        zone=(Decimal(90700), Decimal(90900)),
        stop=Decimal(90380),
        size_usdt=Decimal(700),
        leverage=5,
        confidence=Decimal("0.7"),
        reason="because",
    )

    decision = read_back(
        tmp_path, compose(Decided.LONG, "BTCUSDT", NOW_MS, None, TICK, wishes=wishes)
    )

    assert (decision.zone_low, decision.zone_high) == wishes.zone
    assert (decision.stop_loss, decision.size_usdt) == (wishes.stop, wishes.size_usdt)
    assert (decision.leverage, decision.confidence) == (5, Decimal("0.7"))
    assert decision.reason == "because"
    assert decision.tp1 is not None
    assert decision.tp1 - Decimal(90900) >= 2 * (Decimal(90900) - Decimal(90380))


def test_a_given_zone_pushes_the_stop_beyond_it(tmp_path: Path) -> None:
    wishes = Wishes(zone=(Decimal(90000), Decimal(91000)))

    decision = read_back(
        tmp_path, compose(Decided.LONG, "BTCUSDT", NOW_MS, None, TICK, wishes=wishes)
    )

    assert decision.stop_loss is not None
    assert decision.stop_loss < 90000


CONTRADICTING = [
    (Wishes(stop=Decimal(91000)), "stop_not_beyond_zone", "sl"),
    (Wishes(tp1=Decimal(90000)), "target_wrong_side", "tp1"),
    (Wishes(tp1=Decimal(0)), "not_positive", "tp1"),
    (Wishes(zone=(Decimal(91000), Decimal(90000))), "zone_reversed", "entry_zone"),
    (Wishes(size_usdt=Decimal(0)), "not_positive", "position_size_usdt"),
    (Wishes(confidence=Decimal(2)), "out_of_range", "confidence"),
]


@pytest.mark.parametrize(("wishes", "code", "field"), CONTRADICTING)
def test_wishes_that_contradict_each_other_are_refused_before_anything_is_written(
    wishes: Wishes, code: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        compose(Decided.LONG, "BTCUSDT", NOW_MS, Decimal(90800), TICK, wishes=wishes)

    assert (caught.value.code, caught.value.field) == (code, field)
    assert caught.value.exit_code == 3
    assert caught.value.remedy is not None


def test_an_opening_without_any_price_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no price"):
        compose(Decided.SHORT, "BTCUSDT", NOW_MS, None, TICK)


def test_flat_needs_no_price(tmp_path: Path) -> None:
    decision = read_back(tmp_path, compose(Decided.FLAT, "BTCUSDT", NOW_MS, None, TICK))

    assert decision.action is Decided.FLAT


def test_writing_leaves_one_whole_file_and_nothing_else(tmp_path: Path) -> None:
    document = compose(Decided.LONG, "BTCUSDT", NOW_MS, Decimal(90800), TICK)

    paths = [write(document, tmp_path / "inbox"), write(document, tmp_path / "inbox")]
    named = write(document, tmp_path / "one.json")

    assert paths == [tmp_path / "inbox" / "decision.json"] * 2
    assert [path.name for path in (tmp_path / "inbox").iterdir()] == ["decision.json"]
    assert named.read_text() == paths[0].read_text()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    document = compose(Decided.FLAT, "BTCUSDT", NOW_MS, None, TICK)

    with pytest.raises(InvalidInput) as caught:
        write(document, tmp_path / "file" / "inbox")

    assert (caught.value.code, caught.value.field) == ("decisions_not_writable", "decisions")


def test_a_decision_reads_as_one_line() -> None:
    flat = compose(Decided.FLAT, "BTCUSDT", NOW_MS, None, TICK)
    long = compose(
        Decided.LONG,
        "BTCUSDT",
        NOW_MS,
        None,
        TICK,
        wishes=Wishes(
            zone=(Decimal(90700), Decimal(90900)),
            stop=Decimal(90380),
            tp1=Decimal(91600),
            tp2=Decimal(92900),
        ),
    )

    assert describe(flat) == "flat BTCUSDT"
    assert describe(long) == "long BTCUSDT in [90700, 90900], sl 90380, tp1 91600, tp2 92900"
