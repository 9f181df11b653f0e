"""The status document from ledger and heartbeat: what a reader may conclude, and what not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.domain.condition import HaltReason
from engine.domain.ledger import Ledger
from engine.domain.order import OrderStatus
from engine.read.status import Facts, Host, status_document
from engine.store.lease import LeaseRow
from tests.contract.ledgers import a_life, a_stop, an_entry, d
from tests.schemas import validate

NOW_MS = 1_795_150_000_000
LEASE = LeaseRow(3, 4711, "here", "", NOW_MS - 9_000, NOW_MS - 400, NOW_MS + 14_600, None)
BEAT: dict[str, Any] = {
    "version": "0.1.0",
    "mode": "paper",
    "interval_ms": 1_000,
    "tick": 18,
    "last_tick_ms": NOW_MS - 400,
    "overruns": 0,
    "role": "active",
    "stream": "up",
    "clock_error_ms": 3,
    "breaker": "closed",
    "weight_used": 612,
    "weight_limit": 2_400,
    "is_store_ok": True,
    "health": "ok",
    "troubles": [],
    "entries_allowed": True,
    "decision": None,
    "mark_price": "91000",
    "liquidation_price": "61000",
    "next": [],
}
OPEN = Ledger(
    generation=1,
    life=a_life(),
    orders=(
        replace(an_entry(), status=OrderStatus.FILLED, quantity_filled=d("0.013")),
        replace(a_stop("90380"), status=OrderStatus.WORKING),
    ),
)


def status(
    ledger: Ledger = OPEN,
    *,
    beat: dict[str, Any] | None = None,
    lease: LeaseRow | None = LEASE,
    halts: tuple[HaltReason, ...] = (),
    host: str = "here",
    alive: bool = True,
) -> dict[str, Any]:
    facts = Facts(
        "paper", "BTCUSDT", "sqlite", 1.0, ledger, BEAT if beat is None else beat, lease, halts, ()
    )
    document = status_document(facts, Host(host, NOW_MS, lambda _: alive))
    validate(document)
    return document


def test_an_open_covered_position_reads_whole() -> None:
    document = status()

    assert document["position"] == {
        "id": "7f3aq2-001", "generation": 1, "side": "long", "quantity": "0.013",
        "entry_price": "90743.3", "mark_price": "91000", "unrealized_pnl": "3.3371",
        "liquidation_price": "61000", "opened_at": "1970-01-01T00:00:01.100Z",
        "best_price": None, "r_multiple": "0.71",
    }  # fmt: skip
    assert document["protection"]["covered"] is True
    assert document["protection"]["stop_distance_pct"] == "0.681"
    assert document["health"]["state"] == "ok"


def test_uncovered_quantity_is_shown_and_never_called_covered() -> None:
    life = a_life(uncovered_quantity=d("0.005"), naked_ms=250)

    protection = status(replace(OPEN, life=life))["protection"]

    assert (protection["covered"], protection["uncovered_quantity"]) == (False, "0.005")
    assert (protection["covered_quantity"], protection["naked_s"]) == ("0.008", 0.25)


def test_an_empty_store_is_flat_and_says_that_nothing_is_known_yet() -> None:
    document = status(Ledger(), beat={}, lease=None)

    assert (document["phase"], document["position"]) == ("flat", None)
    assert document["protection"]["covered"] is True
    assert document["protection"]["stop_level"] is None
    assert document["process"]["last_tick_age_s"] is None


def test_a_missing_mark_price_is_unknown_and_not_zero() -> None:
    document = status(beat={**BEAT, "mark_price": None})

    assert document["position"]["mark_price"] is None
    assert document["position"]["r_multiple"] is None
    assert document["protection"]["stop_distance_pct"] is None


@pytest.mark.parametrize(
    ("lease", "host", "alive", "running"),
    [
        (LEASE, "here", True, True),
        (LEASE, "here", False, False),
        (replace(LEASE, released_ms=NOW_MS - 1), "here", True, False),
        (LEASE, "elsewhere", False, True),
        (replace(LEASE, renewed_ms=NOW_MS - 40_000), "elsewhere", True, False),
        (None, "here", True, False),
    ],
    ids=[
        "alive on this host",
        "killed on this host",
        "left in order",
        "renewed elsewhere",
        "silent elsewhere",
        "never started",
    ],
)
def test_whether_a_keeper_runs_is_asked_of_lease_and_host(
    lease: LeaseRow | None, host: str, alive: bool, running: bool
) -> None:
    """A killed keeper cannot say that it is gone."""
    document = status(lease=lease, host=host, alive=alive)

    assert document["process"]["running"] is running
    assert (document["health"]["state"] == "stopped") is not running


def test_a_keeper_that_hangs_is_degraded_although_it_lives() -> None:
    """Field lesson 43: a position nobody looks after must raise something."""
    document = status(beat={**BEAT, "last_tick_ms": NOW_MS - 20_000})

    assert document["health"]["state"] == "degraded"
    assert [r["code"] for r in document["health"]["reasons"]] == ["late"]


def test_a_halt_is_named_once_with_its_date() -> None:
    halt = HaltReason("equity_unknown", "no sample", NOW_MS - 60_000)
    beat = {**BEAT, "troubles": [{"code": "equity_unknown", "detail": "no sample"}]}

    health = status(beat=beat, halts=(halt,))["health"]

    assert (health["state"], health["entries_allowed"]) == ("halted", False)
    assert [(r["code"], r["since"] is not None) for r in health["reasons"]] == [
        ("equity_unknown", True)
    ]


@pytest.mark.parametrize(
    ("changes", "phase"),
    [
        ({}, "open"),
        ({"opened_ms": None}, "entering"),
        ({"closed_ms": 2_000}, "sweeping"),
        ({"closed_ms": 2_000, "swept_ms": 3_000}, "flat"),
    ],
)
def test_the_phase_follows_the_life(changes: dict[str, Any], phase: str) -> None:
    assert status(replace(OPEN, life=a_life(**changes)))["phase"] == phase


def test_a_target_that_rests_hides_the_plan_for_it() -> None:
    life = a_life(tp1_price=d("91600"), tp2_price=d("92900"))

    targets = status(replace(OPEN, life=life))["targets"]

    assert [(t["role"], t["state"]) for t in targets] == [("tp1", "planned"), ("tp2", "planned")]
