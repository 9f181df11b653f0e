"""Gates judged from prices, looks and the account: each accepts an honest log and names the breach.

The entry is sample decision S; around it the log says what stood when, and when it was looked at.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from engine.domain.limits import Limits
from engine.simulation.account import Account
from engine.simulation.check_gates import gates
from engine.simulation.gate_case import Scene
from engine.simulation.given import Inbox, appeared
from engine.simulation.log import Event, Placed
from engine.simulation.looks import Looks
from engine.simulation.prices import Prices
from engine.simulation.requests import Request
from tests.builders import ids, table
from tests.simulation.test_acts import inbox_of, named, opening, request
from tests.simulation.test_checkers import change, fill, history, stop

D = Decimal
Entry = dict[str, object]
LIMITS = Limits()

ARMED_N, SENT_N = 100, 200
"""Where in the log the stop and the entry are; what is sent has the number before."""


def price(n: int, at_ms: int, last: str, *, bid: str = "", ask: str = "") -> Entry:
    book = {"bid": bid or last, "ask": ask or last}
    return {"kind": "price", "n": n, "at_ms": at_ms, "last": last, "mark": last, **book}


def look(n: int, at_ms: int, path: str, *, fault: str = "") -> Request:
    return request(at_ms, n, path=f"/fapi/v1{path}", fault=fault)


def looks_before(n: int, at_ms: int) -> list[Request]:
    """Return one look at everything that an act is decided by."""
    return [
        look(n - 9 + i, at_ms, path) for i, path in enumerate(("/klines", "/ticker/bookTicker"))
    ]


CALM = [price(50, 500, "90750"), price(110, 1_500, "90752")]
SETTINGS: list[Entry] = [
    {"kind": "config", "n": 1, "at_ms": 0, "what": "margin_type", "margin_type": "ISOLATED"},
    {"kind": "config", "n": 2, "at_ms": 0, "what": "leverage", "leverage": 3},
]


def lived(document: dict[str, object], *, price_text: str = "90743.3") -> list[Event]:
    """Return the stop armed at 1 s and the entry sent at 2 s, for that document."""
    entry = replace(named(document, 2_000, price=price_text), n=SENT_N)
    armed = stop(1_000, "90380", client_id=entry.client_id.replace("e001", "s001"))
    return [replace(armed, n=ARMED_N), entry]


def refused(
    prices: Sequence[Entry] = CALM,
    requests: Sequence[Request] = (),
    *,
    document: dict[str, object] | None = None,
    events: Sequence[Event] | None = None,
    account: Account | None = None,
    limits: Limits = LIMITS,
    births: Sequence[int] = (),
    is_store_whole: bool = True,
) -> list[str]:
    """Return which gates say no, and why."""
    given = document or opening()
    happened = list(events or lived(given))
    sent = [
        request(e.at_ms, e.n - 1, verb="POST", client_id=e.client_id)
        for e in happened
        if isinstance(e, Placed)
    ]
    known = [*looks_before(ARMED_N, 1_000), *looks_before(SENT_N, 2_000), *requests, *sent]
    scene = Scene(
        Prices(prices),
        Looks(sorted(known, key=lambda one: one.n)),
        births=births,
        is_store_whole=is_store_whole,
    )
    judgement = gates(
        history(happened),
        account or Account(SETTINGS, D(1000)),
        inbox_of(given),
        limits,
        slack_ms=0,
        scene=scene,
    )
    return [f.detail.split(", ", 1)[1] for f in judgement.findings]


def test_the_sample_decision_in_a_calm_market_passes_every_gate() -> None:
    assert refused() == []


# -- the book --------------------------------------------------------------------------------------


def test_what_follows_an_entry_refused_as_post_only_is_a_chase() -> None:
    """E7: its spread was judged when the first one was sent, which no order shows."""
    wide = [*CALM, price(120, 1_600, "90750", ask="90900")]
    armed, entry = lived(opening())
    assert isinstance(entry, Placed)
    events = [armed, replace(entry, client_id=entry.client_id.replace("e001", "e002"))]
    first = request(1_550, 115, verb="POST", client_id=entry.client_id, status=400, code=-5022)

    assert refused(wide, [first], events=events) == []
    assert refused(wide, [replace(first, code=-2019)], events=events) != []


def test_a_wide_book_is_not_entered() -> None:
    """E3: 0.05 % apart at most, at the keeper's look or since."""
    wide = [*CALM, price(120, 1_600, "90750", ask="90800")]

    assert refused(wide) == ["spread: 0.0551 %, 0.05 at most"]
    assert refused([*CALM, price(120, 1_600, "90750", ask="90795.3")]) == []


def test_a_book_that_became_wide_after_the_look_accuses_nobody() -> None:
    """What stood at the look decides, however late the request arrived."""
    late = [*CALM, price(SENT_N - 5, 1_990, "90750", ask="90900")]

    assert refused(late) == []


def test_a_book_that_became_narrow_after_the_look_accuses_nobody() -> None:
    """The most favourable of what stood between look and act."""
    wide = price(120, 1_600, "90750", ask="90900")

    assert refused([*CALM, wide, price(SENT_N - 5, 1_990, "90750")]) == []


def test_a_look_whose_answer_was_spoiled_is_no_look() -> None:
    """It may never have arrived: what stood at the one before it counts as well."""
    wide = [*CALM, price(150, 1_900, "90750", ask="90900")]
    spoiled = look(SENT_N - 3, 1_995, "/ticker/bookTicker", fault="reply_lost_after")
    before = look(140, 1_800, "/ticker/bookTicker")
    events = lived(opening())
    requests = [look(SENT_N - 9, 1_995, "/klines"), before, spoiled]
    scene = Scene(Prices(wide), Looks(requests))

    judgement = gates(
        history(events), Account(SETTINGS, D(1000)), inbox_of(opening()), LIMITS, slack_ms=0,
        scene=scene,
    )  # fmt: skip

    assert judgement.findings == ()


def test_a_chase_that_takes_has_a_narrow_book_the_confidence_and_a_bounded_price() -> None:
    """E7: the market fallback is one immediate order, for the sure, near the best price."""
    document = opening(confidence=0.9)
    events = lived(document)
    first = events[1]
    assert isinstance(first, Placed)
    again = replace(
        first, n=300, at_ms=3_000, client_id=first.client_id.replace("e001", "e002"),
        exchange_id="regular:2", time_in_force="IOC", price=D("90780"),
    )  # fmt: skip
    gone = replace(change(2_500, first, "CANCELED"), n=250)
    chased = [*events, gone, again]
    seen = looks_before(300, 3_000)

    assert refused(requests=seen, document=document, events=chased) == []
    unsure = opening(confidence=0.7)
    chased = [
        replace(e, client_id=_renamed(e, unsure)) if isinstance(e, Placed) else e for e in chased
    ]
    assert refused(requests=seen, document=unsure, events=chased) == [
        "taken_at_market: confidence 0.7"
    ]


def _renamed(event: Placed, document: dict[str, object]) -> str:
    return named(document).client_id[:8] + event.client_id[8:]


def test_a_price_beyond_the_end_of_the_zone_is_not_entered() -> None:
    """E1: a limit order there would be taken at once, nearer to its stop than anybody decided."""
    assert refused([*CALM, price(120, 1_600, "90699.9")]) == [
        "beyond_the_zone: price 90699.9 beyond 90700"
    ]
    assert refused([*CALM, price(120, 1_600, "90699.9", ask="90700")]) == []


# -- distances -------------------------------------------------------------------------------------


def test_an_entry_begins_near_its_effective_zone_only() -> None:
    """E6: armed within 0.30 % of the end where two to one still holds: 90786.6 for the sample."""
    far = [price(50, 500, "91061"), price(110, 1_500, "90752")]  # 0.301 % above 90786.6

    assert refused(far) == ["near_enough: armed 0.301 % from the zone, 0.3 at most"]
    assert refused([price(50, 500, "91059"), price(110, 1_500, "90752")]) == []


def test_a_stop_that_never_left_a_dying_keeper_armed_its_life_all_the_same() -> None:
    """E6: the entering distance held when the first stop was decided, which no log shows.

    Nor what arrives so late that its stamp has passed: its keeper stood still in the meantime.
    """
    far = [price(50, 500, "91061"), price(110, 1_500, "90752")]
    first, entry = lived(opening())
    assert isinstance(first, Placed)
    again = replace(first, client_id=first.client_id.replace("s001", "s002"))

    late = request(900, ARMED_N - 5, verb="POST", client_id=first.client_id, status=400, code=-1021)

    assert refused(far, events=[again, entry]) == []
    assert refused(far, [late], events=[again, entry]) == []
    assert refused([*far, price(120, 1_600, "91520")], events=[again, entry]) == [
        "near_enough: sent 0.801 % from the zone, 0.8 at most"
    ]


GONE = table("""
case       found  why
gone       yes    the look before the cancel found the price 0.81 % away
near       no     it did not: something else was the reason
later      no     the wait is over
newer      no     another document had appeared: a newer idea need not wait
reborn     no     a keeper rose meanwhile, for reasons of its own
filled     no     a part of it filled: that was a position
""")


@pytest.mark.parametrize("row", GONE, ids=ids(GONE))
def test_after_a_withdrawal_for_price_nothing_is_armed_for_a_while(row: list[str]) -> None:
    """E6: reenter_wait, as far as the log shows that the price was the reason."""
    case, found, _ = row
    old, newer = opening(), opening(timestamp_iso="1970-01-01T00:00:04Z")
    first, entry = lived(old)
    assert isinstance(first, Placed)
    assert isinstance(entry, Placed)
    gone = replace(change(3_000, entry, "CANCELED"), n=300, client_id=entry.client_id)
    after_ms = 70_000 if case == "later" else 9_000
    again = [
        replace(e, at_ms=after_ms, n=e.n + 500, client_id=_second(e, newer)) for e in (first, entry)
    ]
    part = [fill(2_500, entry, "0.001", "0.001"), fill(2_600, first, "0.001", "0")]
    events = [first, entry, *(part if case == "filled" else ()), gone, *again]
    told = [
        *CALM,
        price(250, 2_500, "90760" if case == "near" else "91530"),
        price(400, 4_000, "90752"),
    ]
    requests = [*looks_before(300, 2_900), *looks_before(700, after_ms)]
    requests += [request(e.at_ms, e.n - 1, verb="POST", client_id=e.client_id) for e in again]
    scene = Scene(Prices(told), Looks(requests), births=[2_700] if case == "reborn" else ())
    documents = [old, newer] if case != "newer" else [old, opening(tp2=93000), newer]
    inbox = Inbox(
        appeared(0 if d is not newer else 4_000, f"{n}.json", json.dumps(d), "BTCUSDT")
        for n, d in enumerate(documents)
    )

    judgement = gates(
        history(events), Account(SETTINGS, D(1000)), inbox, LIMITS, slack_ms=0, scene=scene
    )

    details = [f.detail for f in judgement.findings]
    assert any("waited: withdrawn for price 6 s ago" in d for d in details) is (found == "yes")


def test_an_entry_is_not_sent_once_the_price_has_left_or_is_at_the_target() -> None:
    """E6: beyond 0.80 %, and at TP1, what is armed is withdrawn."""
    assert refused([*CALM, price(120, 1_600, "91520")]) == [
        "near_enough: sent 0.801 % from the zone, 0.8 at most"
    ]
    assert refused([*CALM, price(120, 1_600, "91600")]) == [
        "near_enough: sent at the first target 91600"
    ]


def test_a_price_at_the_armed_stop_lets_nothing_enter() -> None:
    """E4: the last price is on the stop's safe side by two ticks or 0.02 %, whichever is more."""
    near = opening(entry_zone=[90300, 90900])
    armed = lived(near)

    assert refused([*CALM, price(120, 1_600, "90398")], document=near, events=armed) == [
        "gap_to_stop: price 90398 at the stop 90380"
    ]
    assert refused([*CALM, price(120, 1_600, "90398.1")], document=near, events=armed) == []


# -- minutes ---------------------------------------------------------------------------------------


def minutes(*ranges: str) -> list[Entry]:
    """Return two prices a minute, so far apart, the last minute being the entry's."""
    made: list[Entry] = []
    for index, width in enumerate(ranges):
        at_ms = (index - len(ranges) + 1) * 60_000 + 100
        n = 10 + 2 * index
        made += [price(n, at_ms, "90750"), price(n + 1, at_ms + 100, str(D(90750) + D(width)))]
    return [*made, price(90, 900, "90750")]


def test_a_minute_that_moved_too_much_is_recent_for_five_minutes() -> None:
    """E3: the open candle and the four before it."""
    wild, calm = "1400", "10"

    assert refused(minutes(wild, calm, calm, calm, calm, calm)) == []
    assert refused(minutes(wild, calm, calm, calm, calm)) == [
        "volatility: a minute moved 1.543 %, 1.5 at most"
    ]


def test_minutes_are_those_of_the_exchanges_clock() -> None:
    """A clock set forward opens the next candle earlier; one set back opens none again."""
    skew = {"kind": "skew", "n": 40, "at_ms": 800, "skew_ms": 59_500}
    before, after = price(30, 700, "90000"), price(50, 900, "91500")

    assert Prices([before, after]).widest_minute_pct(60, 950, 1) > D("1.6")
    assert Prices([before, skew, after]).widest_minute_pct(60, 950, 1) == 0
    back = {**skew, "n": 55, "skew_ms": -120_000}
    assert Prices([before, skew, after, back]).widest_minute_pct(60, 950, 1) == 0


# -- the account -----------------------------------------------------------------------------------


def test_a_stop_near_the_liquidation_price_is_refused() -> None:
    """H1: long at 90743.3 with leverage 3 is liquidated at 90743.3 x 2/3 / 0.996 = 60738.5."""
    assert refused(limits=replace(LIMITS, liq_buffer_pct=D("32.6"))) == []
    assert refused(limits=replace(LIMITS, liq_buffer_pct=D("32.8"))) == [
        "liquidation: liquidated at 60738.5, 29641.5 behind the stop, 29763.8 at least"
    ]


def test_an_entry_that_needs_more_than_the_free_share_is_refused() -> None:
    """E3: 1179.66 at leverage 3 needs 393.22 of the balance read before."""
    balance = look(60, 600, "/account")

    assert refused(requests=[balance], account=Account(SETTINGS, D("413.9"))) == [
        "margin: 393.22 needed, 393.20 allowed"
    ]
    assert refused(requests=[balance], account=Account(SETTINGS, D(414))) == []


def worth(n: int, at_ms: int, wallet: str, *, quantity: str = "0", entry: str = "0") -> Entry:
    return {
        "kind": "position", "n": n, "at_ms": at_ms, "wallet": wallet,
        "quantity": quantity, "entry_price": entry,
    }  # fmt: skip


def test_the_weeks_loss_counts_apart_from_the_days() -> None:
    """H2: five percent down since Monday, one of them today."""
    week_ms = 4 * 86_400_000
    told = [worth(3, week_ms + 1_000, "950")]
    late = [replace(e, at_ms=e.at_ms + week_ms + 3_600_000) for e in lived(opening())]
    found = refused(
        events=late, account=Account([*SETTINGS, *told], D(1000)),
        limits=replace(LIMITS, daily_drawdown_limit_pct=D(-20)),
    )  # fmt: skip

    assert [f for f in found if "drawdown" in f] == ["drawdown_of_the_week: -5.00 % down this week"]


def reached(reads: int) -> tuple[list[Entry], list[Entry], list[Request]]:
    """Return account, prices and looks of a position that was 3 % down, and came back."""
    held = [worth(11, 100, "1000", quantity="0.05", entry="90750"), worth(40, 450, "1000")]
    prices = [price(12, 110, "90150"), price(39, 440, "90750"), *CALM]
    seen = [look(20 + n, 200 + n, "/account") for n in range(reads)]
    return held, prices, [*seen, look(30, 199 + reads, "/income")]


def test_a_limit_that_was_read_as_reached_stays_reached_for_the_day() -> None:
    """H2, C6: 3 % down with the position open, flat and even again, and no entry today."""
    held, prices, requests = reached(2)
    account = Account([*SETTINGS, *held], D(1000))

    assert refused(prices, requests, account=account) == [
        "drawdown: -2 % today was reached 1.799 s ago"
    ]


@pytest.mark.parametrize("case", ["read once", "flows not known", "reborn", "store lost"])
def test_a_limit_nobody_can_have_been_sure_of_is_not_latched(case: str) -> None:
    """One reading decides nothing, income tells the flows, and what died may have told nobody."""
    held, prices, requests = reached(1 if case == "read once" else 2)
    account = Account([*SETTINGS, *held], D(1000))
    if case == "flows not known":
        requests = requests[:-1]

    assert (
        refused(
            prices,
            requests,
            account=account,
            births=[300] if case == "reborn" else (),
            is_store_whole=case != "store lost",
        )
        == []
    )


def test_a_life_counts_once_among_the_days_positions() -> None:
    """H2, A5: the stop took everything, then a rest of the entry filled: still one position."""
    document = opening()
    first, entry = lived(document)
    assert isinstance(first, Placed)
    assert isinstance(entry, Placed)
    again = opening(timestamp_iso="1970-01-01T00:00:06Z")
    happened: list[Event] = [first, entry, fill(3_000, entry, "0.012", "0.012")]
    happened += [fill(4_000, first, "0.012", "0"), fill(4_500, entry, "0.001", "0.001")]
    happened += [fill(5_000, first, "0.001", "0")]
    happened += [
        replace(e, at_ms=7_000, n=e.n + 500, client_id=_second(e, again)) for e in (first, entry)
    ]

    def found(most: int) -> list[str]:
        judgement = gates(
            history(happened), Account(SETTINGS, D(1000)), inbox_of(document, again),
            replace(LIMITS, trades_per_day_max=most), slack_ms=0,
        )  # fmt: skip
        return [f.detail for f in judgement.findings if "trades_today" in f.detail]

    assert found(2) == []
    assert len(found(1)) == 1


def test_somebody_elses_order_forbids_where_the_policy_says_so() -> None:
    """E3: block_on_foreign_orders."""
    theirs = replace(stop(500, "80000", client_id="web_1"), n=50)
    events = [theirs, *lived(opening())]

    assert refused(events=events) == []
    assert refused(events=events, limits=replace(LIMITS, block_on_foreign_orders=True)) == [
        "no_foreign_orders: web_1 rests"
    ]


def test_a_close_that_a_document_asked_for_is_no_emergency() -> None:
    """D2: the cooldown follows a stop-out or an emergency close, not a decision."""
    first, flat = opening(), opening(action="flat", timestamp_iso="1970-01-01T00:00:04Z")
    again = opening(timestamp_iso="1970-01-01T00:00:06Z")
    events = lived(first)
    entry = events[1]
    assert isinstance(entry, Placed)
    out = replace(
        entry, n=300, at_ms=5_000, side="SELL", client_id=entry.client_id.replace("e001", "x001"),
        exchange_id="regular:x", type="MARKET", price=None, reduce_only=True,
    )  # fmt: skip
    happened = [*events, fill(3_000, entry, "0.013", "0.013"), out, fill(5_000, out, "0.013", "0")]
    happened += [
        replace(e, at_ms=7_000, n=e.n + 500, client_id=_second(e, again))
        for e in events
        if isinstance(e, Placed)
    ]

    def found(*documents: dict[str, object]) -> list[str]:
        judgement = gates(
            history(happened), Account(SETTINGS, D(1000)), inbox_of(*documents), LIMITS, slack_ms=0
        )
        return [f.detail for f in judgement.findings if "cooldown" in f.detail]

    assert len(found(first, again)) == 1
    assert found(first, flat, again) == []


def _second(event: Placed, document: dict[str, object]) -> str:
    return named(document).client_id[:8] + "002" + event.client_id[11:]
