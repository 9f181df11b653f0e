"""What was sent, and in which order: each checker accepts an honest log and names the breach."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from engine.domain.limits import Limits
from engine.intake.document import decision_id, read_document
from engine.simulation.account import Account
from engine.simulation.causes import Pace, bounds, naked_with_causes
from engine.simulation.check_budget import budget
from engine.simulation.check_closings import closings
from engine.simulation.check_exposure import exposure
from engine.simulation.check_gates import gates
from engine.simulation.check_order import protection_first
from engine.simulation.checkers import History
from engine.simulation.given import Inbox, appeared
from engine.simulation.log import Event, Filled, Placed
from engine.simulation.prices import Prices
from engine.simulation.requests import Request, Rhythm, Span, broken_spans, read_requests
from engine.simulation.verdict import Evidence, judge
from tests.builders import ids, table
from tests.simulation.test_checkers import (
    ENTRY,
    FIRST,
    FLOOR,
    MOVED,
    change,
    entry,
    fill,
    history,
    honest,
    stop,
)

D = Decimal
LIMITS = Limits()
NO_ACCOUNT = Account(())


def request(at_ms: int, n: int = 0, **facts: object) -> Request:
    base = Request(n, at_ms, "GET", "/fapi/v3/positionRisk", "", 200, 40, "", None)
    return replace(base, **facts)  # type: ignore[arg-type]


# -- exposure ------------------------------------------------------------------------------------


def test_an_honest_life_exposes_no_more_than_was_decided() -> None:
    """Stops and targets that only reduce are no exposure."""
    judgement = exposure(history(honest()))

    assert judgement.ok
    assert judgement.checked == 4


def test_an_entry_beside_its_own_replacement_is_too_much_before_anything_fills() -> None:
    """D1: a replacement carries the remainder, computed after its predecessor was read final."""
    again = entry(5_000, "0.013", revision=2)

    judgement = exposure(history([FIRST, ENTRY, again]))

    assert [f.at_ms for f in judgement.findings] == [5_000]
    assert "0.026 resting of 0.013" in judgement.findings[0].detail


def test_a_replacement_for_more_than_the_remainder_is_too_much() -> None:
    """What executed counts as well as what rests."""
    events: list[Event] = [FIRST, ENTRY, fill(3_000, ENTRY, "0.005", "0.005")]
    events += [change(4_000, ENTRY, "CANCELED"), entry(5_000, "0.009", revision=2)]

    assert [f.at_ms for f in exposure(history(events)).findings] == [5_000]
    events[-1] = entry(5_000, "0.008", revision=2)
    assert exposure(history(events)).ok


def test_an_exit_order_that_could_open_is_a_flip_in_waiting() -> None:
    """A target that does not only reduce opens the other side once the stop was first."""
    loose = replace(stop(5_000, "91600", role="1"), reduce_only=False, type="TAKE_PROFIT_MARKET")
    events: list[Event] = [FIRST, ENTRY, loose]
    evidence = Evidence((), events, history(events), Pace(1_000, 20), (), (), is_store_whole=False)

    violations, _ = judge(evidence)

    assert [(v.checker, v.at_ms) for v in violations] == [("never_flipped", 5_000)]


FLIPS = table("""
by     made_s  filled_s  found  why
hand   3.0     4.0       no     nobody could know in time: the entry rested before it
hand   3.0     4.1       yes    a look later the entry should have been withdrawn
entry  3.0     3.5       yes    our own orders never turn our own position
""")


@pytest.mark.parametrize("row", FLIPS, ids=ids(FLIPS))
def test_an_entry_may_turn_what_somebody_opened_a_moment_ago(row: list[str]) -> None:
    """RULES F10, G1: for as long as one look may take."""
    by, made_s, filled_s, found, _ = row
    made_ms, filled_ms = int(Decimal(made_s) * 1000), int(Decimal(filled_s) * 1000)
    order = replace(ENTRY, side="SELL", client_id="web_1" if by == "hand" else ENTRY.client_id)
    theirs = fill(made_ms, order, "0.002", "-0.002")
    events: list[Event] = [FIRST, ENTRY, theirs, fill(filled_ms, ENTRY, "0.013", "0.011")]
    evidence = Evidence((), events, history(events), Pace(1_000, 20), (), (), is_store_whole=False)

    violations, _ = judge(evidence)

    assert ("never_flipped" in {v.checker for v in violations}) is (found == "yes")


def test_a_fourth_stop_is_one_too_many() -> None:
    """RULES B3, C4: duplicated stops can neither open nor reverse, but they are three at most."""
    stops = [stop(1_000 + n, "90380", revision=n) for n in range(1, 5)]

    judgement = exposure(history(stops))

    assert [f.at_ms for f in judgement.findings] == [1_004]


def test_an_entry_that_costs_more_than_the_decided_size_is_too_much() -> None:
    """D1: the size is notional at the limit price; leverage never multiplies it."""
    document = opening()
    mine = named(document, quantity="0.039")

    judgement = exposure(history([FIRST, mine]), inbox_of(document))

    assert "where 1200 was decided" in judgement.findings[0].detail


# -- gates ---------------------------------------------------------------------------------------


def opening(**other: object) -> dict[str, object]:
    """Return sample decision S, made when the clock says 0."""
    return {
        "symbol": "BTCUSDT",
        "timestamp_iso": "1970-01-01T00:00:00Z",
        "action": "long",
        "reason": "test",
        "entry_zone": [90700, 90900],
        "sl": 90380,
        "tp1": 91600,
        "tp2": 92900,
        "risk_level": 2,
        "position_size_usdt": 1200,
        "leverage": 3,
        "confidence": 0.74,
        "risk_checks": {"session_ok": True},
        **other,
    }


def inbox_of(*documents: dict[str, object], at_ms: int = 0) -> Inbox:
    return Inbox(
        appeared(at_ms + n, f"decision-{n}.json", json.dumps(d), "BTCUSDT")
        for n, d in enumerate(documents)
    )


def hash_of(document: dict[str, object]) -> str:
    digest = read_document(json.dumps(document).encode(), "decision.json", "BTCUSDT").digest
    return decision_id(digest)


def named(
    document: dict[str, object],
    at_ms: int = 2_000,
    *,
    quantity: str = "0.013",
    price: str = "90743.3",
    generation: int = 1,
) -> Placed:
    """Return an entry that names the document."""
    client_id = f"kp{hash_of(document)}{generation:03d}e001"
    base = entry(at_ms, quantity, generation=generation)
    return replace(base, n=10, client_id=client_id, price=D(price))


SET = Account(
    [
        {"kind": "config", "n": 1, "at_ms": 0, "what": "margin_type", "margin_type": "ISOLATED"},
        {"kind": "config", "n": 2, "at_ms": 0, "what": "leverage", "leverage": 3},
    ]
)


def refused(
    events: Sequence[Event], *documents: dict[str, object], account: Account = SET
) -> list[str]:
    """Return which gates say no."""
    judgement = gates(history(events), account, inbox_of(*documents), LIMITS, slack_ms=0)
    return [f.detail.split(", ")[1].split(":")[0] for f in judgement.findings]


def test_the_sample_decision_passes_every_gate() -> None:
    """RULES E1's own example."""
    assert refused([FIRST, named(opening())], opening()) == []


@pytest.mark.parametrize(
    ("other", "gate"),
    [
        ({"risk_level": 0}, "words"),
        ({"confidence": 0.4}, "words"),
        ({"leverage": 11}, "words"),
        ({"risk_checks": {}}, "words"),
        ({"risk_checks": {"a": True, "b": False}}, "words"),
        ({"action": "short"}, "side"),
        ({"entry_zone": [90800, 90900]}, "price_in_zone"),
        ({"tp1": 91400}, "stop_and_reward"),
        ({"timestamp_iso": "1970-01-01T00:00:09Z"}, "fresh"),
        ({"timestamp_iso": "1969-12-31T23:49:00Z"}, "fresh"),
    ],
)
def test_a_document_that_forbids_its_entry_is_named_with_the_gate(
    other: dict[str, object], gate: str
) -> None:
    """Whatever the keeper thought of it."""
    document = opening(**other)

    assert gate in refused([FIRST, named(document)], document)


def test_a_stop_nearer_than_the_least_distance_is_refused() -> None:
    """E1: 0.35 % away from the entry, rounded away from it."""
    price = D("90743.3")
    edge = price * (1 - D("0.0035"))  # 90425.69...: the tick below is right, the tick above is not
    near, far = stop(1_000, "90425.7"), stop(1_000, "90425.6")

    assert D("90425.6") < edge < D("90425.7")
    assert refused([near, named(opening())], opening()) == ["stop_and_reward"]
    assert refused([far, named(opening())], opening()) == []


def test_an_entry_that_names_no_document_at_all_is_refused() -> None:
    judgement = gates(history([FIRST, named(opening())]), SET, inbox_of(), LIMITS, slack_ms=0)

    assert "names no decision" in judgement.findings[0].detail


def test_settings_other_than_the_documents_are_refused() -> None:
    """E4: margin type and leverage are set and read back before anything is armed."""
    assert refused([FIRST, named(opening())], opening(), account=NO_ACCOUNT) == ["settings"]


def test_a_newer_document_that_says_otherwise_forbids_the_entry() -> None:
    """D3, D4: only the newest one counts."""
    newer = opening(action="flat", timestamp_iso="1970-01-01T00:00:00.500Z")

    assert refused([FIRST, named(opening())], opening(), newer) == ["not_against"]


def test_the_same_terms_wait_after_a_stop_out_and_an_older_decision_is_used_up() -> None:
    """D2: stopped out at 10:06, the 10:05 decision would enter again two seconds later."""
    old = opening()
    first = named(old)
    events: list[Event] = [FIRST, first, fill(3_000, first, "0.013", "0.013")]
    events += [change(3_000, first, "FILLED", by="exchange"), fill(5_000, FIRST, "0.013", "0")]
    events += [change(5_000, FIRST, "FINISHED", by="exchange")]
    newer = opening(timestamp_iso="1970-01-01T00:00:06Z")
    again = named(newer, 7_000, generation=2)
    stale = named(old, 7_000, generation=2)

    assert refused([*events, again], old, newer) == ["cooldown"]
    other = opening(timestamp_iso="1970-01-01T00:00:04Z", leverage=3.0, reason="other")

    assert refused([*events, stale], old) == ["cooldown"]  # used twice: executed_once says so
    assert refused([*events, named(other, 7_000, generation=2)], old, other) == ["made_after"]


def test_a_day_that_is_spent_or_lost_forbids_the_entry() -> None:
    """H2, with what the wallet alone shows."""
    wallet = {"n": 3, "at_ms": 1_500, "kind": "position", "wallet": "970"}
    lost = Account([*_settings(), wallet], D(1000))

    assert refused([FIRST, named(opening())], opening(), account=lost) == ["drawdown"]


def _settings() -> list[dict[str, object]]:
    return [
        {"kind": "config", "n": 1, "at_ms": 0, "what": "margin_type", "margin_type": "ISOLATED"},
        {"kind": "config", "n": 2, "at_ms": 0, "what": "leverage", "leverage": 3},
    ]


# -- protection first ----------------------------------------------------------------------------


def first_of(events: Sequence[Event], requests: Sequence[Request] = ()) -> list[int]:
    judgement = protection_first(history(events), requests, look_ms=2_000)
    return [f.at_ms for f in judgement.findings]


def test_an_honest_life_puts_protection_first() -> None:
    assert first_of(honest()) == []


def test_an_entry_before_its_stop_comes_too_early() -> None:
    """E4: also when the stop follows a millisecond later and nothing has filled yet."""
    late = replace(FIRST, at_ms=2_001)

    assert first_of([ENTRY, late]) == [2_000]
    assert first_of([stop(1_000, "90380", quantity="0.012"), ENTRY]) == [2_000]


def test_a_stop_shrunk_to_what_has_filled_is_too_small() -> None:
    """A4: armed 0.013, fill 0.005, sized to 0.005, and the next fill is naked."""
    small = stop(3_050, "90380", revision=2, quantity="0.005")
    events: list[Event] = [FIRST, ENTRY, fill(3_000, ENTRY, "0.005", "0.005"), small]
    events += [change(3_100, FIRST, "CANCELED")]

    assert first_of(events) == [3_100]


def test_a_target_placed_beside_a_position_that_has_no_cover_comes_too_early() -> None:
    """B6: what is missing comes first; one look is granted to see it."""
    target = replace(stop(9_000, "91600", role="1"), type="TAKE_PROFIT_MARKET")
    events: list[Event] = [FIRST, ENTRY, fill(3_000, ENTRY, "0.013", "0.013")]
    events += [change(6_000, FIRST, "CANCELED", by="hand"), target]

    assert first_of(events) == [9_000]
    assert first_of([*events[:4], replace(target, at_ms=7_000)]) == []


def test_an_armed_stop_goes_only_after_a_look_behind_the_entrys_last_word() -> None:
    """E5: a fill may fall between the last look and the cancel."""
    gone = replace(change(5_000, ENTRY, "CANCELED"), n=20, client_id=ENTRY.client_id)
    swept = replace(change(5_000, FIRST, "CANCELED"), n=21)
    later = replace(swept, at_ms=6_000, n=30)

    assert first_of([FIRST, ENTRY, gone, swept], [request(4_900, 15)]) == [5_000]
    assert first_of([FIRST, ENTRY, gone, later], [request(5_500, 25)]) == []
    assert first_of([FIRST, ENTRY, gone, later], [request(5_500, 25, fault="timeout_after")]) == [
        6_000
    ]


@pytest.mark.parametrize(("quantity", "found"), [("0.013", []), ("0.012", [5_000])])
def test_one_of_several_armed_stops_may_go_with_its_entry_while_the_others_carry_all(
    quantity: str, found: list[int]
) -> None:
    """F2: a stop as tight for the full quantity is the proof; what was forgotten came back."""
    gone = replace(change(5_000, ENTRY, "CANCELED"), n=20, client_id=ENTRY.client_id)
    swept = replace(change(5_000, FIRST, "CANCELED"), n=21)
    other = stop(1_500, "90380", revision=2, quantity=quantity)

    assert first_of([FIRST, other, ENTRY, gone, swept], [request(4_900, 15)]) == found


# -- budget --------------------------------------------------------------------------------------


def spent_at(*requests: Request, births: Sequence[int] = ()) -> list[int]:
    judgement = budget(requests, round_trip_ms=20, births=births)
    return [f.at_ms for f in judgement.findings]


def test_a_silence_asked_for_is_kept_by_whoever_heard_it() -> None:
    """H4: inside a 429/418 period nothing is sent by any class."""
    told = request(1_000, 1, status=429, retry_after_s=5)
    own_burst, early, after = request(1_010, 2), request(3_000, 3), request(6_000, 4)

    assert spent_at(told, own_burst, after) == []
    assert spent_at(told, early) == [3_000]
    assert spent_at(told, early, births=[2_000]) == []


def test_weight_beyond_the_limit_is_overspent() -> None:
    assert spent_at(request(1_000, weight=2_400), request(1_001, weight=2_401)) == [1_001]


@pytest.mark.parametrize(
    ("client_id", "weight"), [(ENTRY.client_id, 1_260), ("kp7f3aq20011001", 1_620)]
)
def test_entries_stop_at_half_of_the_weight_and_targets_at_two_thirds(
    client_id: str, weight: int
) -> None:
    """H4: what is left belongs to protection."""
    sent = request(1_000, verb="POST", path="/fapi/v1/order", client_id=client_id, weight=weight)

    assert spent_at(sent) == [1_000]
    assert spent_at(replace(sent, weight=weight - 1)) == []
    assert spent_at(replace(sent, client_id=FIRST.client_id)) == []


# -- the table of bounds ---------------------------------------------------------------------------


def test_the_table_names_every_cause_with_its_bound() -> None:
    """RULES B: one tick and three round trips for what is seen at the next look, 0 for none."""
    rows = bounds()

    assert rows["none"].ms(1_000, 20) == 0
    assert rows["stop_removed"].ms(1_000, 20) == 1_060
    assert rows["foreign_position"].ms(1_000, 20) == 11_060
    assert rows["foreign_beside"].ms(1_000, 20) == 4_060
    assert all(row.what for row in rows.values())


def test_the_bound_stretches_with_the_tick_and_no_further() -> None:
    """H4: from 30 % of the weight on a tick takes two intervals, from 40 % three."""
    rhythm = Rhythm(
        [request(0, weight=700), request(60_000, weight=720), request(90_000, weight=960)]
    )
    pace = Pace(1_000, 20, rhythm)

    assert [pace.of("stop_removed", at) for at in (59_000, 61_000, 91_000)] == [1_060, 2_060, 3_060]


def test_time_imposed_moves_the_end_to_one_look_after_it_and_does_not_add_up() -> None:
    """RULES B: until reachable, then one tick and three round trips."""
    events: list[Event] = [FIRST, ENTRY, fill(3_000, ENTRY, "0.013", "0.013")]
    events += [change(10_000, FIRST, "CANCELED", by="hand")]
    spans = [Span(10_500, 14_000), Span(10_600, 13_000), Span(13_500, 13_600), Span(39_000, 39_500)]

    (naked,) = naked_with_causes(history(events), Pace(1_000, 20), spans)

    assert naked.cause == "stop_removed"
    assert naked.bound_ms == 14_000 + 1_060 - 10_000
    assert naked.imposed_ms == 4_000
    assert naked.finding is not None


@pytest.mark.parametrize(
    ("events", "cause"), [([], "foreign_position"), ([FIRST, ENTRY], "foreign_beside")]
)
def test_somebodys_position_has_ten_seconds_only_where_nothing_of_ours_rests(
    events: list[Event], cause: str
) -> None:
    """An idle keeper looks every ten seconds; beside orders of its own it looks every tick."""
    theirs = Filled(9, 3_000, "regular:w", None, "web_1", "SELL", D("90700"), D("0.1"), D("-0.1"))

    naked = naked_with_causes(history([*events, theirs]), Pace(1_000, 20))

    assert [n.cause for n in naked] == [cause]


def test_a_silence_is_imposed_as_long_as_it_was_asked_for() -> None:
    """RULES B: exchange out of reach, 429 and 418 are counted apart."""
    entry_ = {
        "kind": "request", "n": 1, "at_ms": 1_000, "verb": "GET", "path": "/x", "client_id": None,
        "status": 418, "weight_1m": 1, "retry_after_s": 120,
    }  # fmt: skip

    assert broken_spans([entry_], 2_000) == [Span(1_000, 121_000)]
    assert read_requests([entry_])[0].retry_after_s == 120


def test_an_order_denied_is_imposed_for_that_instant_and_a_list_that_forgets_is_not() -> None:
    """RULES C1: neither is a contrary word, but only the lookup could have told the truth."""
    strikes = [
        {"kind": "strike", "n": 1, "at_ms": 1_000, "id": 1, "fault": "list_forgets"},
        {"kind": "strike", "n": 2, "at_ms": 1_020, "id": 2, "fault": "lookup_not_found"},
    ]

    assert broken_spans(strikes, 2_000) == [Span(1_020, 1_021)]


def test_a_request_refused_for_its_clock_is_imposed_at_its_instant() -> None:
    """RULES B: "clock refused" stands beside an exchange out of reach; other refusals do not."""
    entry_ = {
        "kind": "request", "n": 1, "at_ms": 1_000, "verb": "GET", "path": "/x", "client_id": None,
        "status": 400, "weight_1m": 1, "code": -1021,
    }  # fmt: skip

    assert broken_spans([entry_], 2_000) == [Span(1_000, 1_001)]
    assert broken_spans([{**entry_, "code": -2022}], 2_000) == []


def test_a_close_refused_as_reserved_is_imposed_at_its_instant_and_an_entry_is_not() -> None:
    """RULES F11: what holds the quantity makes way, and the close is tried again."""
    entry_ = {
        "kind": "request", "n": 1, "at_ms": 1_000, "verb": "POST", "path": "/x",
        "client_id": ENTRY.client_id, "status": 400, "weight_1m": 1, "code": -2022,
    }  # fmt: skip
    close = {**entry_, "client_id": ENTRY.client_id.replace("e001", "x001")}

    assert broken_spans([entry_, {**close, "code": -2010}], 2_000) == []
    assert broken_spans([close], 2_000) == [Span(1_000, 1_001)]


def test_a_step_of_the_exchanges_clock_is_imposed_at_its_instant() -> None:
    """Every wait is measured by that clock: set back, a grace of two seconds takes longer."""
    assert broken_spans([{"kind": "skew", "n": 1, "at_ms": 1_000}], 2_000) == [Span(1_000, 1_001)]


@pytest.mark.parametrize(("role", "imposed"), [("x", [Span(1_000, 2_000)]), ("e", [])])
def test_a_close_that_executes_in_part_is_one_more_step(role: str, imposed: list[Span]) -> None:
    """RULES F11: what is left may rest for a second, then the ladder's next step is due.

    An entry in part is nobody's fault.
    """
    name = ENTRY.client_id.replace("e001", f"{role}001")
    entries = [
        {"kind": "strike", "n": 1, "at_ms": 1_000, "id": 1, "fault": "fills_in_part"},
        {"kind": "order", "n": 2, "at_ms": 1_000, "client_id": name},
    ]

    assert broken_spans(entries, 2_000) == imposed


def test_too_many_orders_without_a_pause_stand_for_their_window() -> None:
    """Orders are counted by ten seconds and by the minute: the shorter one is kept (RULES H4)."""
    entry_ = {
        "kind": "request", "n": 1, "at_ms": 1_000, "verb": "POST", "path": "/x", "client_id": None,
        "status": 429, "weight_1m": 1, "code": -1015,
    }  # fmt: skip

    assert broken_spans([entry_], 2_000) == [Span(1_000, 11_000)]
    named = {**entry_, "retry_after_s": 3}
    assert broken_spans([named], 2_000) == [Span(1_000, 4_000)]


@pytest.mark.parametrize(
    ("by", "cause"), [("hand", "stop_removed"), ("exchange", "stop_removed"), ("api", "none")]
)
def test_a_stop_taken_away_is_a_removed_one_whoever_did_it_but_us(by: str, cause: str) -> None:
    """RULES B knows one row for it; the exchange was seen to do it by itself (open question 20)."""
    gone = replace(change(10_000, FIRST, "CANCELED"), by=by)
    events: list[Event] = [FIRST, ENTRY, fill(3_000, ENTRY, "0.013", "0.013"), gone]

    assert [n.cause for n in naked_with_causes(history(events), Pace(1_000, 20))] == [cause]


def test_the_moved_stop_and_the_floor_are_no_exposure() -> None:
    """The constants this file borrows are those of an honest life."""
    assert exposure(History([FIRST, ENTRY, FLOOR, MOVED], end_ms=1)).ok


# -- closings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("told_s", "found"), [(4, 0), (None, 1)])
def test_a_close_that_fills_at_once_ends_the_position_it_was_told_to_close(
    told_s: int | None, found: int
) -> None:
    """However long ago an operator said flatten, it was said of what the close ends (F11)."""
    close = replace(
        entry(25_000), client_id=ENTRY.client_id.replace("e001", "x001"), side="SELL",
        reduce_only=True, exchange_id="regular:x",
    )  # fmt: skip
    events: list[Event] = [FIRST, ENTRY, fill(3_000, ENTRY, "0.013", "0.013"), FLOOR]
    events += [close, fill(25_000, close, "0.013", "0"), change(25_000, FIRST, "CANCELED")]
    prices = Prices([{"kind": "price", "n": 0, "at_ms": 0, "last": "90743", "mark": "90743"}])

    causeless = closings(
        history(events), (), inbox_of(opening()), Limits(),
        prices=prices, flattened=[] if told_s is None else [told_s * 1_000],
    )  # fmt: skip

    assert len(list(causeless)) == found


ON = table("""
asked  dead      found  why
yes    -         0      refused at 4 s when price was beyond the stop, taken at 60 s: one close
no     4..59.9   0      decided just before a death, of which the log shows nothing
no     30..59.9  1      long before it
no     -         1      half a minute later nothing asks for it
""")


@pytest.mark.parametrize("row", ON, ids=ids(ON))
def test_a_close_goes_on_for_the_reason_it_began_with(row: list[str]) -> None:
    """RULES F11: until flat is proven, also after a death."""
    asked, found = row[0] == "yes", int(row[2])
    dead = [] if row[1] == "-" else [int(float(one) * 1_000) for one in row[1].split("..")]
    name = ENTRY.client_id.replace("e001", "x001")
    close = replace(
        entry(60_000), client_id=name.replace("x001", "x002"), side="SELL", reduce_only=True,
        exchange_id="regular:x",
    )  # fmt: skip
    events: list[Event] = [FIRST, ENTRY, fill(3_000, ENTRY, "0.013", "0.013"), FLOOR]
    events += [close, fill(60_000, close, "0.013", "0"), change(60_000, FIRST, "CANCELED")]
    first = {
        "kind": "request", "n": 1, "at_ms": 4_000, "verb": "POST", "path": "/fapi/v1/order",
        "client_id": name, "code": None, "parameters": {}, "fault": "timeout_before",
    }  # fmt: skip
    told = ((0, "90743"), (3_500, "90000"), (3_900, "90743"))
    prices = Prices(
        [
            {"kind": "price", "n": 0, "at_ms": at_ms, "last": price, "mark": price}
            for at_ms, price in told
        ]
    )

    causeless = closings(
        history(events), [first] if asked else [], inbox_of(opening()), Limits(), prices=prices,
        imposed=[Span(*dead)] if dead else [],
    )  # fmt: skip

    assert len(list(causeless)) == found
