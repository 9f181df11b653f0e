"""Where inside the decision's zone two to one really holds (RULES E1, E2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.limits import BasisPrice, Limits
from engine.domain.observation import Rates
from engine.plan.entry_zone import (
    EntryTerms,
    basis_price,
    effective_zone,
    entry_terms,
    price_is_legal,
    reward_covers_risk,
    stop_for,
)
from tests.builders import LONG, SHORT, a_decision, a_flat_decision, an_instrument, d, ids, table

BTC = an_instrument()
RATES = Rates(d("0.0002"), d("0.0005"))

EXAMPLES = table("""
side   zone_low  zone_high  sl     tp1    fees  low      high     first    stop     why
long   90700     90900      90380  91600  no    90700    90786.6  90743.3  90380    the sample S
short  90700     90900      91220  90000  no    90813.4  90900    90856.7  91220    its mirror
long   90650     90950      90600  91500  no    90650    90863.8  90756.9  90439.2  0.35 % bounds
long   90700     90900      90380  91600  yes   90700    90723.1  90711.5  90380    with fees
long   90700     90900      90380  90500  no    -        -        -        -        no room
long   90700     90900      90380  91105  no    -        -        -        -        no price
long   90700     90700      90380  91600  no    90700    90700    90700    90380    one price
long   90700.05  90700.09   90380  91600  no    -        -        -        -        no tick
""")


@pytest.mark.parametrize("row", EXAMPLES, ids=ids(EXAMPLES))
def test_the_effective_zone_is_where_reward_is_twice_the_risk(row: list[str]) -> None:
    """RULES E1: the analytics job's zone alone promises no reward."""
    side, low, high, stop, tp1, fees, *expected, _ = row
    decision = a_decision(
        LONG if side == "long" else SHORT,
        zone_low=d(low),
        zone_high=d(high),
        stop_loss=d(stop),
        tp1=d(tp1),
    )
    terms = entry_terms(decision, Limits(rr_with_fees=fees == "yes"), RATES)
    assert terms is not None

    zone = effective_zone(terms, BTC)

    if expected[0] == "-":
        assert zone is None
    else:
        assert zone is not None
        assert [zone.low, zone.high, zone.first_price, zone.stop] == [d(x) for x in expected]


def test_one_tick_beyond_the_end_the_reward_is_too_small() -> None:
    """RULES E1: the end of the zone is exact, rounding of the stop included."""
    terms = entry_terms(a_decision(), Limits(), None)
    assert terms is not None
    inside, beyond = d("90786.6"), d("90786.7")

    verdicts = [reward_covers_risk(terms, p, stop_for(terms, BTC, p)) for p in (inside, beyond)]

    assert verdicts == [True, False]


ROUNDED = table("""
side   given    price    stop     why
long   90380.04  90743.3  90380.1  a long stop rounds up, toward less risk
short  91619.96  91256.7  91619.9  a short stop rounds down, toward less risk
long   90600    90756.9  90439.2  too near: 0.35 % away, rounded away from the entry
short  91400    91243.1  91562.5  mirrored
""")


@pytest.mark.parametrize("row", ROUNDED, ids=ids(ROUNDED))
def test_stops_are_rounded_by_what_they_mean(row: list[str]) -> None:
    """RULES E2, lesson 41: the decision's level toward less risk, the 0.35 % level away."""
    side, given, price, stop, _ = row
    decision = a_decision(LONG if side == "long" else SHORT, stop_loss=d(given))
    terms = entry_terms(decision, Limits(), None)
    assert terms is not None

    assert stop_for(terms, BTC, d(price)) == d(stop)


BASES = table("""
basis     tp2    price  why
tp1       92900  91600  the default looks at the first target alone
tp2       92900  92900  the second
tp2       -      91600  without a second the first is all there is
weighted  92900  92250  each by its share
""")


@pytest.mark.parametrize("row", BASES, ids=ids(BASES))
def test_reward_is_measured_to_the_basis_price(row: list[str]) -> None:
    """RULES E1: T is configurable."""
    basis, tp2, price, _ = row
    decision = a_decision(tp2=None if tp2 == "-" else d(tp2))

    assert basis_price(decision, Limits(basis_price=BasisPrice(basis))) == d(price)


def test_a_decision_without_prices_has_no_terms() -> None:
    """A flat decision enters nothing (D3)."""
    assert entry_terms(a_flat_decision(), Limits(), None) is None
    assert entry_terms(replace(a_decision(), zone_low=None), Limits(), None) is None
    assert basis_price(a_flat_decision(), Limits()) is None


LEGAL = table("""
price     stop   legal  why
90743.3   90380  yes    the first price
90786.6   90380  yes    the last one
90786.7   90380  no     reward below twice the risk
90699.9   90380  no     outside the decision's zone
90743.35  90380  no     not on the tick
90700     90383  no     nearer than 0.35 % to the stop
""")


@pytest.mark.parametrize("row", LEGAL, ids=ids(LEGAL))
def test_a_later_price_stays_inside_the_interval_of_the_fixed_stop(row: list[str]) -> None:
    """RULES E1: the stop is fixed once, and no later price of this entry may break the pair."""
    price, stop, legal, _ = row
    terms = entry_terms(a_decision(), Limits(), None)
    assert terms is not None

    assert price_is_legal(terms, BTC, d(price), d(stop)) is (legal == "yes")


SHARES = table("""
size  fraction  price     why
1200  0.5       92300     0.006 of 0.013 leave at the first
1200  1         91600     all leaves at the first
100   0.5       91600     one step cannot be split: all leaves at the first
""")


@pytest.mark.parametrize("row", SHARES, ids=ids(SHARES))
def test_the_weighted_basis_counts_the_planned_quantities(row: list[str]) -> None:
    """RULES E1: by planned quantities as the step splits them, not by the fraction."""
    size, fraction, price, _ = row
    decision = a_decision(size_usdt=d(size), tp1_fraction=d(fraction))
    limits = Limits(basis_price=BasisPrice.WEIGHTED)

    basis = basis_price(decision, limits, an_instrument())

    assert basis is not None
    assert basis.quantize(d("1")) == d(price)


def test_a_legal_price_is_looked_for_in_as_many_steps_as_the_reward_and_no_more() -> None:
    """RULES E1: at most ceil(R) steps; where they do not do, at odd settings, nothing enters.

    With a stop ten percent away and fees of one, a step gives back so little that a legal price
    lies further off.
    """
    terms = EntryTerms(
        side=SHORT,
        zone_low=d("90036.6"),
        zone_high=d("93409.1"),
        stop_loss=d("94861.0"),
        basis_price=d("34794.5"),
        stop_distance=d("0.1"),
        rr_minimum=d(5),
        fee_in=d("0.01"),
        fee_out=d("0.01"),
    )
    further = d("91279.7")

    assert reward_covers_risk(terms, further, stop_for(terms, BTC, further))
    assert effective_zone(terms, BTC) is None
