"""Recorded and modelled prices: exact, lazy, in order, and precise about what cannot be used."""

from __future__ import annotations

import gzip
import itertools
from decimal import Decimal
from pathlib import Path

import pytest

from engine.venue.feeds.history import made_history
from engine.venue.feeds.recorded import (
    Placement,
    RecordingError,
    candles_feed,
    read_candles,
    trades_feed,
)
from engine.venue.feeds.walk import PROFILES, walk_feed
from engine.venue.values import PricePoint

TRADES = """\
trade_ms,trade_id,price,qty
1000,7,61800.30,0.006
1500,8,61800.20,0.199
3000,9,61799.90,1.5
"""
CANDLES = """\
open_time_ms,open,high,low,close,volume
60000,100.1,103,99,102,5
120000,102,104,98,99,6
120000,102,104,98,99,6
180000,99,99.5,98,99,1
"""


def _packed(folder: Path, text: str, name: str = "recording.csv.gz") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_trades_are_points_with_their_quantity(tmp_path: Path) -> None:
    path = _packed(tmp_path, TRADES)

    points = list(trades_feed(path))

    assert points[0] == PricePoint(1000, Decimal("61800.30"), quantity=Decimal("0.006"))
    assert [point.at_ms for point in points] == [1000, 1500, 3000]


def test_a_recording_can_be_laid_on_another_time_and_played_faster(tmp_path: Path) -> None:
    path = _packed(tmp_path, TRADES)
    placement = Placement(speed=Decimal(10), offset_ms=500, rebase_to_ms=1_000_000)

    points = list(trades_feed(path, placement))

    assert [point.at_ms for point in points] == [1_000_000, 1_000_150]


def test_a_plain_file_is_read_like_a_packed_one(tmp_path: Path) -> None:
    plain = tmp_path / "recording.csv"
    plain.write_text(TRADES)

    assert list(trades_feed(plain)) == list(trades_feed(_packed(tmp_path, TRADES)))


def test_a_feed_reads_no_further_than_it_is_asked(tmp_path: Path) -> None:
    """A bad row at the end of a long recording must not keep its beginning from being used."""
    feed = trades_feed(_packed(tmp_path, TRADES + "oops\n"))

    assert len(list(itertools.islice(feed, 3))) == 3
    with pytest.raises(RecordingError, match="line 5"):
        next(feed)


@pytest.mark.parametrize(
    ("old", "new", "line", "column"),
    [
        ("61800.20", "61800,20", 3, ""),
        ("61800.20", "x", 3, "price"),
        ("61800.20", "NaN", 3, "price"),
        ("61800.20", "-1", 3, "price"),
        ("0.199", "0", 3, "qty"),
        ("1500", "1.5e3", 3, "trade_ms"),
        ("3000", "1400", 4, "trade_ms"),
        ("price,", "cost,", 1, "price"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_by_line_and_column(
    tmp_path: Path, old: str, new: str, line: int, column: str
) -> None:
    path = _packed(tmp_path, TRADES.replace(old, new, 1))

    with pytest.raises(RecordingError) as refusal:
        list(trades_feed(path))

    assert (refusal.value.line, refusal.value.column) == (line, column)
    assert str(path) in str(refusal.value)


def test_a_file_cut_short_is_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress(TRADES.encode())[:-12])

    with pytest.raises(RecordingError, match="is damaged after this line"):
        list(trades_feed(path))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read: No such file"):
        list(trades_feed(tmp_path / "nowhere.csv.gz"))


def test_a_candle_is_four_points_and_the_direction_decides_their_order(tmp_path: Path) -> None:
    points = list(candles_feed(_packed(tmp_path, CANDLES)))

    assert [(point.at_ms, str(point.last)) for point in points[:8]] == [
        (60_000, "100.1"),
        (80_000, "99"),
        (100_000, "103"),
        (119_999, "102"),
        (120_000, "102"),
        (140_000, "104"),
        (160_000, "98"),
        (179_999, "99"),
    ]
    assert len(points) == 12  # the double row counts once


def test_candles_know_their_length(tmp_path: Path) -> None:
    candles = list(read_candles(_packed(tmp_path, CANDLES)))

    assert [(candle.open_ms, candle.interval_ms) for candle in candles] == [
        (60_000, 60_000),
        (120_000, 60_000),
        (180_000, 60_000),
    ]
    assert candles[0].volume == 5


@pytest.mark.parametrize(
    ("old", "new", "column"), [("103,99", "101,99", "high"), ("103,99", "103,101", "low")]
)
def test_a_candle_that_contradicts_itself_is_refused(
    tmp_path: Path, old: str, new: str, column: str
) -> None:
    path = _packed(tmp_path, CANDLES.replace(old, new, 1))

    with pytest.raises(RecordingError) as refusal:
        list(read_candles(path))

    assert (refusal.value.line, refusal.value.column) == (2, column)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_walk_is_the_same_for_the_same_seed_and_another_for_another(profile: str) -> None:
    def path(seed: int) -> list[PricePoint]:
        walk = walk_feed(profile, seed=seed, start_price=Decimal(90800), start_ms=5)
        return list(itertools.islice(walk, 500))

    assert path(7) == path(7)
    assert path(7) != path(8)
    assert path(7)[0].last == 90800


@pytest.mark.parametrize("profile", PROFILES)
def test_a_walk_stays_on_the_tick_and_moves_in_small_steps(profile: str) -> None:
    walk = walk_feed(profile, seed=3, start_price=Decimal(90800), start_ms=0, speed=Decimal(4))

    points = list(itertools.islice(walk, 2000))

    assert all(point.last % Decimal("0.1") == 0 for point in points)
    assert [point.at_ms for point in points[:3]] == [0, 250, 500]
    steps = [abs(b.last - a.last) / a.last for a, b in itertools.pairwise(points)]
    assert 0 < max(steps) < Decimal("0.002")
    assert all(point.mark is not None for point in points)


def test_a_made_past_is_whole_minutes_that_end_at_the_first_price() -> None:
    """A keeper that starts beside a fresh venue must find volatility and swings."""
    now_ms = 1_800_000_030_000

    past = list(made_history(Decimal(90800), now_ms=now_ms, seed=1))

    assert len(past) == 500
    assert past[-1].close == 90800
    assert past[-1].open_ms == now_ms - now_ms % 60_000 - 60_000
    for before, after in itertools.pairwise(past):
        assert after.open_ms - before.open_ms == 60_000
        assert after.open == before.close
        assert after.low <= min(after.open, after.close) <= max(after.open, after.close)
        assert max(after.open, after.close) <= after.high
    assert past == list(made_history(Decimal(90800), now_ms=now_ms, seed=1))
    assert past != list(made_history(Decimal(90800), now_ms=now_ms, seed=2))


def test_the_first_numbers_of_a_walk_are_these() -> None:
    """Pinned, so that a seed in a bug report still means the same path in a year."""
    walk = walk_feed("chop", seed=42, start_price=Decimal(90800), start_ms=0)

    assert [str(point.last) for point in itertools.islice(walk, 5)] == [
        "90800",
        "90787.2",
        "90750.3",
        "90759.5",
        "90738.4",
    ]


@pytest.mark.parametrize(
    ("profile", "price", "speed"), [("wild", "1", "1"), ("calm", "0", "1"), ("calm", "1", "0")]
)
def test_a_walk_that_makes_no_sense_is_refused(profile: str, price: str, speed: str) -> None:
    with pytest.raises(ValueError, match=r"no walk profile|must be positive"):
        walk_feed(profile, seed=0, start_price=Decimal(price), start_ms=0, speed=Decimal(speed))
