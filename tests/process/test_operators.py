"""An operator beside a position in trouble: halted keepers protect, flatten works until it is done.

Everything over loopback HTTP with a real process; judged from the venue's log.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from engine import paper
from engine.domain.identity import OrderRole
from tests.cli.home import Home, end, home_in

pytestmark = pytest.mark.slow
PRIMARY = OrderRole.STOP_PRIMARY


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with home_in(tmp_path) as home:
        yield home


def status(home: Home) -> dict[str, Any]:
    return home.keeper("status", "--json").document


def position(home: Home) -> Decimal:
    last = home.picture()
    return Decimal(0) if last is None else last.position


def primaries(home: Home) -> set[str]:
    last = home.picture()
    return set() if last is None else {str(order.own_id) for order in last.own(PRIMARY)}


def mend(home: Home) -> None:
    faults = f"{home.access.admin_url}/faults"
    urlopen(Request(faults, method="DELETE"), timeout=5).close()  # noqa: S310 - loopback


def operator_words(home: Home) -> list[str]:
    at = str(status(home)["at"])
    told = home.keeper("explain", at, "--json").document["events"]
    assert isinstance(told, list)
    return [event["text"] for event in told if event["kind"] == "operator"]


def test_a_halted_keeper_protects_and_flatten_goes_on_until_it_is_flat(home: Home) -> None:
    """RULES F11 and the exit codes: nine while it is unfinished, and it is never given up."""
    home.keeper("decide", "long")
    child = home.start("run")
    home.until(lambda: any(e.get("type") == "LIMIT" for e in home.log()), "an entry rests")
    entry = next(o for o in status(home)["orders"] if o["role"] == "entry")
    home.price(str(Decimal(entry["price"]) - 1))
    home.until(lambda: position(home) > 0 and bool(primaries(home)), "a covered position")

    # Halted, and somebody takes the stop away: it comes back, and nothing is entered.
    halted = home.keeper("halt", "--reason", "storm")
    before = primaries(home)
    home.hand(do="cancel", role="stop_primary")
    home.until(lambda: bool(primaries(home) - before), "the stop came back")
    held = position(home)

    # Every form of closing is refused for a while.
    fault = {"kind": "error", "code": -1008, "match": {"verb": "POST", "path": "/fapi/v1/order"}}
    paper.call(home.access.admin_url, "faults", {**fault, "times": 10_000})
    unfinished = home.keeper("flatten", "--reason", "enough", "--wait", "2", "--json")
    verified = home.keeper("verify", "--json")
    mend(home)
    home.until(lambda: position(home) == 0, "closed")
    home.until(lambda: home.beat()["phase"] == "flat", "swept")
    code, out = end(child, signal.SIGTERM)

    assert (halted.code, code) == (0, 0), out
    assert held > 0
    assert any(words.endswith(": flat") for words in operator_words(home))
    assert (unfinished.code, unfinished.document["code"]) == (9, "command_pending")
    assert verified.document["verdict"] == "covered", "closing takes no stop away"
    assert home.keeper("verify", "--json").document["verdict"] == "flat"
    last = home.picture()
    assert last is not None
    assert last.own() == ()


def test_a_hard_error_halts_by_itself_and_resume_is_refused_while_it_stands(home: Home) -> None:
    """Nine, with the reason named; by force, or when it is mended, the halt goes."""
    child = home.start("run")
    home.await_ticks(child)
    fault = {"kind": "error", "code": -2015, "match": {"verb": "GET", "path": "openAlgoOrders"}}
    paper.call(home.access.admin_url, "faults", {**fault, "times": 10_000})
    home.keeper("decide", "long")  # so that it looks in every tick
    home.until(lambda: home.beat()["health"] == "halted", "it halts")

    refused = home.keeper("resume", "--json")
    forced = home.keeper("resume", "--force", "--reason", "I know", "--json")
    mend(home)
    home.until(lambda: home.beat()["health"] == "ok", "all is well")
    code, out = end(child, signal.SIGTERM)

    assert (refused.code, refused.document["code"]) == (9, "command_refused")
    assert "key_refused" in str(refused.document["message"])
    assert "--force" in str(refused.document["remedy"])
    assert (forced.code, forced.document["result"]) == (0, "1 halts lifted by force")
    assert code == 0, out
