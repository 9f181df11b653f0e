"""A scenario file becomes exact values, or a refusal that says where, what and what to write."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from engine.venue.feeds.scenario import scenario_feed
from engine.venue.scenario import FeedRow, ScenarioError, StartingPosition, load_scenario

TEXT = """\
scenario: 1
symbol: BTCUSDT
account: {wallet: "1500.5", position: {side: short, quantity: "0.010", entry_price: "90750"}}
config: {trailing: {min_step: "10"}}
feed:
  - [0, 90800]
  - [5.25, 90750.1, 90748]
  - {at: 60, bar: [90700, 90900, 90650, 90850], seconds: 60}
decisions:
  - {at: 1.5, decision: {action: long, sl: 90380.1, position_management: {tp1_fraction: 0.4}}}
hands:
  - {at: 30, do: cancel, role: stop_primary}
  - {at: 20, do: market, side: sell, quantity: "0.004"}
faults: [{at: 50, kind: reply_lost_after, match: {path: algoOrder, verb: POST}, times: 1}]
until: 200
expect: {final: {position: "0", orders: 0}}
why: one paragraph
"""
START = datetime(2026, 1, 5, 10, tzinfo=UTC)


def _file(folder: Path, text: str) -> Path:
    path = folder / "life.yaml"
    path.write_text(text)
    return path


def test_numbers_keep_the_digits_of_the_file(tmp_path: Path) -> None:
    """A price that went through float would not be the price that was written."""
    scenario = load_scenario(_file(tmp_path, TEXT))

    assert scenario.name == "life"
    assert scenario.account.wallet == Decimal("1500.5")
    assert scenario.account.position == StartingPosition("short", Decimal("0.010"), Decimal(90750))
    assert scenario.feed[1] == FeedRow(5250, Decimal("90750.1"), Decimal(90748))
    assert scenario.until_ms == 200_000
    assert str(scenario.decisions[0].fields["sl"]) == "90380.1"


def test_a_bar_is_four_points_inside_its_time(tmp_path: Path) -> None:
    """A rising bar is taken low first: the path that hurts a stop most."""
    scenario = load_scenario(_file(tmp_path, TEXT))

    assert [(row.at_ms, int(row.last)) for row in scenario.feed[2:]] == [
        (60_000, 90700),
        (80_000, 90650),
        (100_000, 90900),
        (119_999, 90850),
    ]


def test_what_happens_is_ordered_by_time(tmp_path: Path) -> None:
    scenario = load_scenario(_file(tmp_path, TEXT))

    assert [(hand.at_ms, hand.terms["do"]) for hand in scenario.hands] == [
        (20_000, "market"),
        (30_000, "cancel"),
    ]
    assert scenario.faults[0].terms == {
        "kind": "reply_lost_after",
        "match": {"path": "algoOrder", "verb": "POST"},
        "times": 1,
    }


def test_a_decision_is_filled_up_from_the_sample_and_dated_from_its_time(tmp_path: Path) -> None:
    scenario = load_scenario(_file(tmp_path, TEXT))

    decision = json.loads(scenario.decisions[0].text(START), parse_float=Decimal)

    assert decision["timestamp_iso"] == "2026-01-05T10:00:01.500Z"
    assert decision["sl"] == Decimal("90380.1")
    assert decision["entry_zone"] == [90700, 90900]
    assert decision["risk_checks"]["no_major_news"] is True
    assert decision["position_management"] == {
        "tp1_fraction": Decimal("0.4"),
        "enable_trailing": True,
        "trail_mode": "structure_plus_liq",
        "liq_tp_zone_id": "cluster_1",
    }


def test_a_raw_decision_reaches_the_inbox_as_written(tmp_path: Path) -> None:
    """Broken documents are part of a life: half written, with NaN, not JSON at all."""
    raw = '{"action":"flat","confidence":NaN}'
    text = TEXT.replace("decisions:", f"decisions:\n  - {{at: 9, raw: '{raw}', file: late.json}}")

    written = load_scenario(_file(tmp_path, text)).decisions[1]

    assert (written.at_ms, written.text(START), written.file) == (9000, raw, "late.json")


def test_the_feed_is_stepwise_and_faster_when_asked(tmp_path: Path) -> None:
    scenario = load_scenario(_file(tmp_path, TEXT))

    points = list(scenario_feed(scenario, start_ms=1000, speed=Decimal(2)))

    assert [(point.at_ms, point.last) for point in points[:3]] == [
        (1000, Decimal(90800)),
        (3625, Decimal("90750.1")),
        (31_000, Decimal(90700)),
    ]


def test_the_feed_draws_lines_on_the_tick_when_steps_are_asked_for(tmp_path: Path) -> None:
    text = "scenario: 1\nsymbol: BTCUSDT\nfeed_step: 1\nfeed: [[0, 100], [3, 101], [4, 99]]\n"

    points = scenario_feed(load_scenario(_file(tmp_path, text)), start_ms=0)

    assert [(point.at_ms, str(point.last)) for point in points] == [
        (0, "100"),
        (1000, "100.3"),
        (2000, "100.7"),
        (3000, "101"),
        (4000, "99"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "field", "part"),
    [
        ("until: 200", "untill: 200", "untill", "did you mean until?"),
        ("scenario: 1", "scenario: 2", "scenario", "this version reads 'scenario: 1'"),
        ("symbol: BTCUSDT\n", "", "symbol", "add symbol"),
        ("side: short", "side: sell", "account.position.side", "'long' or 'short'"),
        ('quantity: "0.010"', 'quantity: "0"', "account.position.quantity", "greater than 0"),
        ("[0, 90800]", "[0, -1]", "feed.0", "write [seconds, last]"),
        ("[0, 90800]", "[0]", "feed.0", "write [seconds, last]"),
        ("[0, 90800]", "[0, true]", "feed.0", "write [seconds, last]"),
        ("[0, 90800]", "[0, .nan]", "feed.0", "write [seconds, last]"),
        ("[0, 90800]", "[9, 90800]", "feed.1", "order the rows by their seconds"),
        ("[90700, 90900,", "[90700, 90800,", "feed.2", "is not a feed row"),
        ("{at: 50,", "{at: 50.0001,", "faults.0.at", "3 decimal places"),
        ("kind: reply_lost_after, ", "", "faults.0.kind", "add kind"),
        ("do: cancel, ", "", "hands.0.do", "add do"),
        ("{at: 1.5, decision:", "{at: 1.5, raw: x, decision:", "decisions.0", "either decision"),
        ("final:", "finale:", "expect.finale", "did you mean final?"),
        ("why:", "until: 3\nwhy:", "", "stands twice"),
        ("scenario: 1", "scenario: [", "", "is not YAML"),
    ],
)
def test_a_refusal_names_field_value_and_remedy(
    tmp_path: Path, old: str, new: str, field: str, part: str
) -> None:
    assert old in TEXT
    path = _file(tmp_path, TEXT.replace(old, new, 1))

    with pytest.raises(ScenarioError) as refusal:
        load_scenario(path)

    assert refusal.value.field == field
    assert part in str(refusal.value)
    assert "life.yaml" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load_scenario(tmp_path / "nowhere.yaml")


def test_every_scenario_of_the_project_can_be_read() -> None:
    """Each says why, if only whose mirror it is, and promises what must hold at its end."""
    folder = Path(__file__).parent.parent / "scenarios"
    scenarios = [load_scenario(path) for path in sorted(folder.glob("*.yaml"))]

    assert len(scenarios) >= 6
    for scenario in scenarios:
        assert len(scenario.why.split()) >= 4, scenario.name
        assert scenario.expect["final"], scenario.name
