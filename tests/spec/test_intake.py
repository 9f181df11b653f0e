"""Decisions at the door: what is accepted, what is refused with which code, what a refusal does."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.domain.decision import Decided, Inbox, LiquidationZone, Refusal, TrailMode
from engine.domain.limits import Limits
from engine.intake import MEANINGS, Code, Intake
from engine.intake import folder as folder_module

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "decisions" / "examples"
MADE_MS = 1_764_929_100_000  # 2025-12-05T10:05:00Z
NOW_MS = MADE_MS + 40_000
SAMPLE: dict[str, Any] = json.loads((EXAMPLES / "long.json").read_text())
MIRROR: dict[str, Any] = json.loads((EXAMPLES / "short.json").read_text())
GONE = object()


def changed(base: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return a copy of a document with one field replaced, or removed for ``GONE``."""
    document: dict[str, Any] = json.loads(json.dumps(base))
    *outer, last = path.split(".")
    place = document
    for part in outer:
        place = place[part]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return document


def an_intake(path: Path) -> Intake:
    return Intake(path, "BTCUSDT", Limits())


def put(folder: Path, name: str, document: Mapping[str, Any] | str, *, at_s: int = 1000) -> Path:
    """Write a document as an atomic writer would; ``at_s`` orders files on the disk's clock."""
    path = folder / name
    text = document if isinstance(document, str) else json.dumps(document)
    temporary = folder / "being-written.tmp"
    temporary.write_text(text)
    os.utime(temporary, (at_s, at_s))
    temporary.replace(path)
    return path


def looked_at(folder: Path, document: Mapping[str, Any] | str, *, adopted_ms: int = 0) -> Inbox:
    put(folder, "decision.json", document)
    return an_intake(folder).look(NOW_MS, adopted_ms)


def the_refusal(inbox: Inbox) -> Refusal:
    assert len(inbox.refusals) == 1, inbox
    return inbox.refusals[0]


def at(second: str) -> str:
    return f"2025-12-05T10:{second}Z"


def test_the_sample_becomes_a_decision_with_exact_numbers(tmp_path: Path) -> None:
    inbox = looked_at(tmp_path, SAMPLE)

    decision = inbox.decision
    assert decision is not None
    assert decision.action is Decided.LONG
    assert (decision.zone_low, decision.zone_high) == (Decimal(90700), Decimal(90900))
    assert (decision.stop_loss, decision.tp1, decision.tp2) == (
        Decimal(90380),
        Decimal(91600),
        Decimal(92900),
    )
    assert (decision.size_usdt, decision.leverage) == (Decimal(1200), 3)
    assert decision.confidence == Decimal("0.74")
    assert decision.risk_level == 2
    assert dict(decision.risk_checks) == SAMPLE["risk_checks"]
    assert decision.tp1_fraction == Decimal("0.5")
    assert decision.is_trailing_enabled
    assert decision.trail_mode is TrailMode.STRUCTURE_PLUS_LIQ
    assert decision.zone_id == "cluster_1"
    assert decision.made_ms == MADE_MS
    assert decision.file_name == "decision.json"
    assert replace(inbox, decision=None) == Inbox(consecutive_looks=1)


def test_numbers_are_read_from_their_text_never_through_a_float(tmp_path: Path) -> None:
    text = json.dumps(SAMPLE).replace("0.74", "0.740000000000001").replace("90380", "90380.1")

    decision = looked_at(tmp_path, text).decision

    assert decision is not None
    assert decision.confidence == Decimal("0.740000000000001")
    assert decision.stop_loss == Decimal("90380.1")


def test_noise_behind_the_fifteenth_digit_is_cut_because_the_store_keeps_fifteen(
    tmp_path: Path,
) -> None:
    text = json.dumps(SAMPLE).replace("90380", "90380.10000000000582")

    decision = looked_at(tmp_path, text).decision

    assert decision is not None
    assert decision.stop_loss == Decimal("90380.1")


REFUSED = [
    # field                                value                       code
    ("symbol", "ETHUSDT", Code.WRONG_SYMBOL),
    ("symbol", "btcusdt", Code.WRONG_SYMBOL),
    ("symbol", GONE, Code.MISSING_FIELD),
    ("symbol", 7, Code.INVALID_TYPE),
    ("timestamp_iso", GONE, Code.MISSING_FIELD),
    ("timestamp_iso", "2025-12-05T10:05:00", Code.TIMESTAMP_WITHOUT_OFFSET),
    ("timestamp_iso", "yesterday", Code.TIMESTAMP_INVALID),
    ("timestamp_iso", 1764929100, Code.TIMESTAMP_INVALID),
    ("timestamp_iso", "2025-12-05T10:05:45.001Z", Code.FROM_FUTURE),
    ("action", "buy", Code.UNKNOWN_ACTION),
    ("action", "LONG", Code.UNKNOWN_ACTION),
    ("action", None, Code.UNKNOWN_ACTION),
    ("action", GONE, Code.MISSING_FIELD),
    ("entry_zone", GONE, Code.MISSING_FIELD),
    ("entry_zone", None, Code.INVALID_TYPE),
    ("entry_zone", [90700], Code.INVALID_TYPE),
    ("entry_zone", [90700, 90800, 90900], Code.INVALID_TYPE),
    ("entry_zone", [90900, 90700], Code.ZONE_REVERSED),
    ("entry_zone", [0, 90700], Code.NOT_POSITIVE),
    ("entry_zone", [-90900, -90700], Code.NOT_POSITIVE),
    ("entry_zone", "90700-90900", Code.INVALID_TYPE),
    ("sl", 90700, Code.STOP_NOT_BEYOND_ZONE),
    ("sl", 90800, Code.STOP_NOT_BEYOND_ZONE),
    ("sl", 91000, Code.STOP_NOT_BEYOND_ZONE),
    ("sl", None, Code.INVALID_TYPE),
    ("sl", 0, Code.NOT_POSITIVE),
    ("sl", -90380, Code.NOT_POSITIVE),
    ("sl", "90380", Code.INVALID_TYPE),
    ("sl", True, Code.INVALID_TYPE),
    ("sl", float("nan"), Code.NOT_A_NUMBER),
    ("sl", float("inf"), Code.NOT_A_NUMBER),
    ("tp1", 90900, Code.TARGET_WRONG_SIDE),
    ("tp1", 90000, Code.TARGET_WRONG_SIDE),
    ("tp1", GONE, Code.MISSING_FIELD),
    ("tp2", 91500, Code.TARGETS_OUT_OF_ORDER),
    ("tp2", None, Code.MISSING_FIELD),
    ("tp2", GONE, Code.MISSING_FIELD),
    ("risk_level", 1.5, Code.INVALID_TYPE),
    ("risk_level", -1, Code.OUT_OF_RANGE),
    ("position_size_usdt", 0, Code.NOT_POSITIVE),
    ("position_size_usdt", -1200, Code.NOT_POSITIVE),
    ("position_size_usdt", 1e300, Code.NOT_A_NUMBER),
    ("leverage", 0, Code.NOT_POSITIVE),
    ("leverage", 126, Code.OUT_OF_RANGE),
    ("leverage", 2.5, Code.INVALID_TYPE),
    ("confidence", 1.01, Code.OUT_OF_RANGE),
    ("confidence", -0.1, Code.OUT_OF_RANGE),
    ("confidence", float("nan"), Code.NOT_A_NUMBER),
    ("risk_checks", GONE, Code.MISSING_FIELD),
    ("risk_checks", {}, Code.INVALID_TYPE),
    ("risk_checks.session_ok", "true", Code.INVALID_TYPE),
    ("risk_checks.session_ok", 1, Code.INVALID_TYPE),
    ("position_management", GONE, Code.MISSING_FIELD),
    ("position_management", None, Code.INVALID_TYPE),
    ("position_management.tp1_fraction", GONE, Code.MISSING_FIELD),
    ("position_management.tp1_fraction", 0, Code.OUT_OF_RANGE),
    ("position_management.tp1_fraction", 1.5, Code.OUT_OF_RANGE),
    ("position_management.enable_trailing", "yes", Code.INVALID_TYPE),
    ("position_management.trail_mode", "magic", Code.UNKNOWN_TRAIL_MODE),
    ("position_management.trail_mode", GONE, Code.MISSING_FIELD),
    (
        "position_management.structure",
        {"swing_low": 91000, "swing_high": 90500},
        Code.STRUCTURE_REVERSED,
    ),
    ("position_management.structure", {"swing_low": -1}, Code.NOT_POSITIVE),
    (
        "position_management.liquidation_zones",
        [{"id": "a", "price": 92350, "zone": [92400, 92310], "strength": 0.5}],
        Code.ZONE_REVERSED,
    ),
    (
        "position_management.liquidation_zones",
        [{"id": "a", "price": 92350, "zone": [92310, 92400], "strength": 1.5}],
        Code.OUT_OF_RANGE,
    ),
    (
        "position_management.liquidation_zones",
        [{"id": "a", "price": 92350, "zone": [92310, 92400], "strength": 0.5}] * 2,
        Code.DUPLICATE_ZONE_ID,
    ),
]


@pytest.mark.parametrize(
    ("path", "value", "code"), REFUSED, ids=[f"{row[0]}={row[1]!r:.20}" for row in REFUSED]
)
def test_a_wrong_field_is_refused_by_name(
    tmp_path: Path, path: str, value: object, code: Code
) -> None:
    """Whoever wrote it learns the field, what stood there, and what to write instead."""
    inbox = looked_at(tmp_path, changed(SAMPLE, path, value))

    refusal = the_refusal(inbox)
    assert inbox.decision is None
    assert refusal.code == code.value
    assert refusal.field is not None
    assert refusal.field.startswith(path.split(".", maxsplit=1)[0])
    assert refusal.remedy == MEANINGS[code].remedy
    assert (refusal.value is None) == (code is Code.MISSING_FIELD)
    assert refusal.suspends == (value != "ETHUSDT")


MIRRORED = [
    # field  value  code
    ("sl", 90900, Code.STOP_NOT_BEYOND_ZONE),
    ("sl", 90380, Code.STOP_NOT_BEYOND_ZONE),
    ("tp1", 90700, Code.TARGET_WRONG_SIDE),
    ("tp1", 91600, Code.TARGET_WRONG_SIDE),
    ("tp2", 90100, Code.TARGETS_OUT_OF_ORDER),
]


@pytest.mark.parametrize(("path", "value", "code"), MIRRORED)
def test_a_short_contradicts_itself_in_the_mirror(
    tmp_path: Path, path: str, value: object, code: Code
) -> None:
    document = changed(changed(MIRROR, path, value), "timestamp_iso", at("05:00"))

    assert the_refusal(looked_at(tmp_path, document)).code == code.value


TEXTS = [
    ("", Code.UNREADABLE_JSON),
    ("{", Code.UNREADABLE_JSON),
    (json.dumps(SAMPLE)[:-20], Code.UNREADABLE_JSON),
    (json.dumps(SAMPLE) + "}", Code.UNREADABLE_JSON),
    ("[" * 100_000, Code.UNREADABLE_JSON),
    ("[]", Code.NOT_AN_OBJECT),
    ("null", Code.NOT_AN_OBJECT),
    ('"long"', Code.NOT_AN_OBJECT),
    (json.dumps(SAMPLE)[:-1] + ', "sl": 90000}', Code.DUPLICATE_KEY),
    (json.dumps(SAMPLE).replace("90380", "9" * 5000), Code.NOT_A_NUMBER),
    (json.dumps(SAMPLE).replace("90380", "1e999999999"), Code.NOT_A_NUMBER),
    (json.dumps(SAMPLE) + " " * (1 << 20), Code.TOO_LARGE),
]


@pytest.mark.parametrize(
    ("text", "code"), TEXTS, ids=[f"{i}-{row[1].value}" for i, row in enumerate(TEXTS)]
)
def test_a_text_that_is_no_decision_is_refused_and_suspends(
    tmp_path: Path, text: str, code: Code
) -> None:
    """It may be the newer decision, cut off: until it can be read nothing is opened."""
    inbox = looked_at(tmp_path, text)

    assert inbox.decision is None
    assert the_refusal(inbox).code == code.value
    assert inbox.suspended_since_ms == NOW_MS


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "decision.json").write_bytes(b'{"symbol": "\xff\xfe"}')

    assert the_refusal(an_intake(tmp_path).look(NOW_MS, 0)).code == Code.UNREADABLE_JSON.value


def test_the_stored_original_holds_nothing_a_database_refuses(tmp_path: Path) -> None:
    """Postgres takes neither NUL nor a lone surrogate as text."""
    (tmp_path / "broken.json").write_bytes(b'{"symbol": "BTC\x00')
    put(tmp_path, "decision.json", changed(SAMPLE, "reason", "a\u0000b\ud800"))
    intake = an_intake(tmp_path)

    inbox = intake.look(NOW_MS, 0)

    assert inbox.decision is not None
    assert inbox.decision.reason == "a\ufffdb?"
    broken = the_refusal(inbox)
    assert intake.original(broken.digest) == '{"symbol": "BTC\ufffd'


def test_a_tp2_may_be_missing_when_everything_leaves_at_tp1(tmp_path: Path) -> None:
    document = changed(changed(SAMPLE, "tp2", None), "position_management.tp1_fraction", 1)

    decision = looked_at(tmp_path, document).decision

    assert decision is not None
    assert (decision.tp2, decision.tp1_fraction) == (None, Decimal(1))


def test_a_null_verdict_is_not_a_true_one(tmp_path: Path) -> None:
    decision = looked_at(tmp_path, changed(SAMPLE, "risk_checks.session_ok", None)).decision

    assert decision is not None
    assert dict(decision.risk_checks)["session_ok"] is False


FLATS: list[dict[str, Any]] = [
    {},
    {"entry_zone": None, "sl": None, "tp1": None, "tp2": None},
    {"entry_zone": [0, 0], "sl": 0, "tp1": 0, "tp2": 0, "position_size_usdt": 0, "leverage": 0},
    {"entry_zone": 0, "sl": 0.0},
    {"entry_zone": [None, None], "risk_checks": None, "position_management": {}},
    {"entry_zone": [90700, 90900], "sl": 91000, "tp1": 1},
]


@pytest.mark.parametrize("extra", FLATS)
def test_flat_needs_no_prices(tmp_path: Path, extra: dict[str, Any]) -> None:
    bare = {"symbol": "BTCUSDT", "timestamp_iso": at("05:00"), "action": "flat"}

    inbox = looked_at(tmp_path, {**bare, **extra})

    assert inbox.refusals == ()
    assert inbox.reads_flat
    assert inbox.decision is not None
    assert inbox.decision.side is None
    assert inbox.decision.zone_low is None


BROKEN_FLATS = [
    '{"action":"flat","confidence":NaN}',
    '{"action" : "Flat", "symbol":"BTCUSDT"}',
    '{"action":"flat","confid',
    '{"action":"long","action":"flat","symbol":"BTCUSDT"}',
    '{"symbol":"BTCUSDT","timestamp_iso":"2025-12-05T10:06:00Z","action":"flat","sl":"x"}',
]


@pytest.mark.parametrize("text", BROKEN_FLATS)
def test_what_reads_as_flat_is_flat_for_entries_whatever_else_is_broken(
    tmp_path: Path, text: str
) -> None:
    """The long of 10:05 must not stay free to fill because its withdrawal was badly written."""
    put(tmp_path, "a.json", SAMPLE)
    intake = an_intake(tmp_path)
    intake.look(NOW_MS, 0)
    put(tmp_path, "b.json", text, at_s=1001)

    inbox = intake.look(NOW_MS + 60_000, MADE_MS)

    assert inbox.reads_flat
    assert inbox.suspended_since_ms == NOW_MS + 60_000
    assert the_refusal(inbox).suspends


def test_an_old_broken_flat_says_nothing(tmp_path: Path) -> None:
    put(tmp_path, "old.json", '{"action":"flat","confidence":NaN}', at_s=900)
    put(tmp_path, "new.json", SAMPLE, at_s=1000)

    inbox = an_intake(tmp_path).look(NOW_MS, 0)

    assert inbox.decision is not None
    assert not inbox.reads_flat
    assert inbox.suspended_since_ms is None
    assert not the_refusal(inbox).suspends


def test_the_newest_valid_timestamp_wins_whatever_the_file_is_called(tmp_path: Path) -> None:
    put(tmp_path, "z.json", SAMPLE)
    put(tmp_path, "a.json", changed(SAMPLE, "timestamp_iso", at("05:20")), at_s=900)
    put(tmp_path, "m.json", changed(SAMPLE, "timestamp_iso", at("04:00")), at_s=1100)

    inbox = an_intake(tmp_path).look(NOW_MS, 0)

    assert inbox.decision is not None
    assert inbox.decision.file_name == "a.json"
    assert inbox.refusals == ()  # history is no refusal


def test_moments_are_compared_not_texts(tmp_path: Path) -> None:
    put(tmp_path, "utc.json", SAMPLE)
    put(tmp_path, "east.json", changed(SAMPLE, "timestamp_iso", "2025-12-05T11:05:10+01:00"))

    decision = an_intake(tmp_path).look(NOW_MS, 0).decision

    assert decision is not None
    assert decision.made_ms == MADE_MS + 10_000


def test_of_two_with_one_timestamp_the_last_name_wins_and_the_other_is_recorded(
    tmp_path: Path,
) -> None:
    put(tmp_path, "a.json", SAMPLE)
    put(tmp_path, "b.json", changed(SAMPLE, "sl", 90300))

    inbox = an_intake(tmp_path).look(NOW_MS, 0)

    assert inbox.decision is not None
    assert inbox.decision.file_name == "b.json"
    refusal = the_refusal(inbox)
    assert (refusal.code, refusal.file_name) == (Code.SAME_TIMESTAMP.value, "a.json")
    assert not refusal.suspends


def test_a_copy_of_the_decision_is_not_a_second_one(tmp_path: Path) -> None:
    put(tmp_path, "a.json", SAMPLE)
    put(tmp_path, "b.json", json.dumps(SAMPLE, indent=4, sort_keys=True))

    assert an_intake(tmp_path).look(NOW_MS, 0).refusals == ()


def test_only_json_directly_in_the_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    put(tmp_path / "examples", "decision.json", SAMPLE)
    put(tmp_path, "decision.json.tmp", SAMPLE)
    put(tmp_path, ".decision.json", SAMPLE)
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "dangling.json").symlink_to(tmp_path / "nowhere")

    assert an_intake(tmp_path).look(NOW_MS, 0) == Inbox()


def test_one_file_can_be_the_inbox(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    intake = an_intake(path)
    before = intake.look(NOW_MS, 0)
    put(tmp_path, "mine.json", SAMPLE)
    put(tmp_path, "other.json", changed(SAMPLE, "timestamp_iso", at("05:30")))

    after = intake.look(NOW_MS, 0)

    assert before == Inbox()
    assert after.decision is not None
    assert after.decision.file_name == "mine.json"


def test_looks_are_counted_while_they_give_the_same_decision(tmp_path: Path) -> None:
    """Closing needs a document read in two looks running (RULES D5)."""
    put(tmp_path, "decision.json", SAMPLE)
    intake = an_intake(tmp_path)

    counts = [intake.look(NOW_MS, 0).consecutive_looks for _ in range(3)]
    put(tmp_path, "decision.json", changed(SAMPLE, "timestamp_iso", at("05:10")))
    counts.append(intake.look(NOW_MS, 0).consecutive_looks)
    (tmp_path / "decision.json").unlink()
    counts.append(intake.look(NOW_MS, 0).consecutive_looks)

    assert counts == [1, 2, 3, 1, 0]


def test_a_refusal_is_shown_once_however_often_the_file_is_rewritten(tmp_path: Path) -> None:
    wrong = changed(SAMPLE, "sl", 91000)
    put(tmp_path, "decision.json", wrong)
    intake = an_intake(tmp_path)

    shown = [len(intake.look(NOW_MS, 0).refusals) for _ in range(3)]
    put(tmp_path, "decision.json", json.dumps(wrong, indent=2))
    shown.append(len(intake.look(NOW_MS, 0).refusals))
    put(tmp_path, "decision.json", changed(wrong, "sl", 91001))
    shown.append(len(intake.look(NOW_MS, 0).refusals))

    assert shown == [1, 0, 0, 0, 1]


def test_many_refusals_come_in_shares_and_none_is_lost(tmp_path: Path) -> None:
    for number in range(120):
        put(tmp_path, f"{number}.json", changed(SAMPLE, "sl", 91000 + number))
    intake = an_intake(tmp_path)

    counts = [len(intake.look(NOW_MS, 0).refusals) for _ in range(4)]

    assert counts == [50, 50, 20, 0]


def test_a_half_written_file_suspends_until_it_is_whole(tmp_path: Path) -> None:
    put(tmp_path, "decision.json", SAMPLE)
    intake = an_intake(tmp_path)
    intake.look(NOW_MS, 0)
    newer = changed(SAMPLE, "timestamp_iso", at("05:40"))
    put(tmp_path, "decision.json", json.dumps(newer)[:100], at_s=1001)

    half = intake.look(NOW_MS + 1_000, MADE_MS)
    put(tmp_path, "decision.json", newer, at_s=1001)
    whole = intake.look(NOW_MS + 2_000, MADE_MS)

    assert (half.decision, half.suspended_since_ms) == (None, NOW_MS + 1_000)
    assert whole.decision is not None
    assert whole.suspended_since_ms is None


def test_a_newer_refused_document_suspends_from_its_first_sight_on(tmp_path: Path) -> None:
    put(tmp_path, "a.json", SAMPLE)
    intake = an_intake(tmp_path)
    newer = changed(changed(SAMPLE, "timestamp_iso", at("05:20")), "confidence", 7)
    put(tmp_path, "b.json", newer)

    first = intake.look(NOW_MS, MADE_MS)
    later = intake.look(NOW_MS + 5_000, MADE_MS)

    assert first.decision is not None
    assert first.decision.file_name == "a.json"  # what it says about an open position stays
    assert (first.suspended_since_ms, later.suspended_since_ms) == (NOW_MS, NOW_MS)


def test_deleting_the_refused_document_does_not_bring_the_old_decision_back(
    tmp_path: Path,
) -> None:
    """Nothing is sent until a valid newer one arrives (RULES D4)."""
    put(tmp_path, "a.json", SAMPLE)
    intake = an_intake(tmp_path)
    put(tmp_path, "b.json", changed({**SAMPLE, "sl": 0}, "timestamp_iso", at("05:20")))
    intake.look(NOW_MS, MADE_MS)

    (tmp_path / "b.json").unlink()
    deleted = intake.look(NOW_MS + 1_000, MADE_MS)
    put(tmp_path, "c.json", changed(SAMPLE, "timestamp_iso", at("05:30")), at_s=1002)
    renewed = intake.look(NOW_MS + 2_000, MADE_MS)

    assert deleted.suspended_since_ms == NOW_MS
    assert renewed.suspended_since_ms is None


def test_a_valid_document_of_the_same_moment_lifts_only_in_the_refused_ones_place(
    tmp_path: Path,
) -> None:
    """Beside it, nobody can know which of the two was meant; in its place it is a correction."""
    broken = changed(SAMPLE, "confidence", 7)
    put(tmp_path, "b.json", broken)
    intake = an_intake(tmp_path)
    intake.look(NOW_MS, 0)

    put(tmp_path, "a.json", SAMPLE, at_s=1001)
    beside = intake.look(NOW_MS, 0)
    put(tmp_path, "b.json", changed(SAMPLE, "confidence", 0.7), at_s=1002)
    corrected = intake.look(NOW_MS, 0)

    assert beside.decision is not None
    assert beside.suspended_since_ms == NOW_MS
    assert corrected.suspended_since_ms is None


def test_an_older_refused_document_suspends_nothing(tmp_path: Path) -> None:
    put(tmp_path, "a.json", SAMPLE)
    put(tmp_path, "b.json", changed({**SAMPLE, "sl": 0}, "timestamp_iso", at("04:00")), at_s=1001)

    inbox = an_intake(tmp_path).look(NOW_MS, 0)

    assert inbox.suspended_since_ms is None
    assert not the_refusal(inbox).suspends


def test_a_refused_document_older_than_what_was_adopted_suspends_nothing(tmp_path: Path) -> None:
    """The adopted decision's file is gone; the older, broken one was there before it."""
    inbox = looked_at(tmp_path, {**SAMPLE, "sl": 0}, adopted_ms=MADE_MS + 1)

    assert inbox.suspended_since_ms is None


def test_another_symbols_broken_document_suspends_nothing(tmp_path: Path) -> None:
    put(tmp_path, "a.json", SAMPLE)
    put(tmp_path, "b.json", '{"symbol": "ETHUSDT", "action": "flat", "confid', at_s=1001)

    inbox = an_intake(tmp_path).look(NOW_MS, 0)

    assert inbox.suspended_since_ms is None
    assert not inbox.reads_flat


def test_a_document_from_the_future_is_refused_and_becomes_valid_in_its_time(
    tmp_path: Path,
) -> None:
    put(tmp_path, "decision.json", changed(SAMPLE, "timestamp_iso", at("05:50")))
    intake = an_intake(tmp_path)

    early = intake.look(NOW_MS, 0)
    due = intake.look(NOW_MS + 5_000, 0)

    assert the_refusal(early).code == Code.FROM_FUTURE.value
    assert (early.decision, early.suspended_since_ms) == (None, NOW_MS)
    assert due.decision is not None
    assert (due.refusals, due.suspended_since_ms) == ((), None)


def test_a_timestamp_of_the_next_century_does_not_suspend_for_ever(tmp_path: Path) -> None:
    put(tmp_path, "a.json", changed(SAMPLE, "timestamp_iso", "2125-12-05T10:05:00Z"), at_s=1000)
    intake = an_intake(tmp_path)
    intake.look(NOW_MS, 0)

    put(tmp_path, "b.json", SAMPLE, at_s=1001)
    inbox = intake.look(NOW_MS, 0)

    assert inbox.decision is not None
    assert inbox.suspended_since_ms is None


def test_a_document_older_than_the_adopted_one_is_refused(tmp_path: Path) -> None:
    inbox = looked_at(tmp_path, SAMPLE, adopted_ms=MADE_MS + 1)

    refusal = the_refusal(inbox)
    assert inbox.decision is None
    assert (refusal.code, refusal.suspends) == (Code.OLDER_THAN_ADOPTED.value, False)


def test_a_late_arrival_is_refused_even_beside_the_adopted_one(tmp_path: Path) -> None:
    put(tmp_path, "a.json", SAMPLE)
    intake = an_intake(tmp_path)
    intake.look(NOW_MS, 0)

    put(tmp_path, "b.json", changed(SAMPLE, "timestamp_iso", at("04:00")))
    inbox = intake.look(NOW_MS, MADE_MS)

    assert inbox.decision is not None
    assert the_refusal(inbox).code == Code.OLDER_THAN_ADOPTED.value


def test_the_adopted_decision_itself_stays_valid(tmp_path: Path) -> None:
    assert looked_at(tmp_path, SAMPLE, adopted_ms=MADE_MS).decision is not None


def test_two_writes_that_share_a_signature_are_told_apart_and_then_nothing_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a coarse file system clock: a change is read once more at the next look, then trusted."""
    monkeypatch.setattr(folder_module, "_signature", lambda status: (1, status.st_size, 1, 1))
    intake = an_intake(tmp_path)
    stops = (90380, 90381, 90382, 90383)
    seen = []

    for stop in stops:
        put(tmp_path, "decision.json", changed(SAMPLE, "sl", stop))
        decision = intake.look(NOW_MS, 0).decision
        assert decision is not None
        seen.append(decision.stop_loss)
        if stop == 90382:
            intake.look(NOW_MS, 0)

    assert seen == [90380, 90381, 90382, 90382]


def test_a_file_touched_without_a_change_is_watched_like_a_changed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rewrite that matters may follow within the same tick of the file system's clock."""
    moment = 1
    monkeypatch.setattr(folder_module, "_signature", lambda status: (moment, status.st_size, 1, 1))
    put(tmp_path, "decision.json", SAMPLE)
    intake = an_intake(tmp_path)
    intake.look(NOW_MS, 0)
    intake.look(NOW_MS, 0)

    moment = 2
    intake.look(NOW_MS, 0)
    put(tmp_path, "decision.json", changed(SAMPLE, "sl", 90381))
    decision = intake.look(NOW_MS, 0).decision

    assert decision is not None
    assert decision.stop_loss == Decimal(90381)


def test_the_original_text_is_kept_for_the_store(tmp_path: Path) -> None:
    text = json.dumps({**SAMPLE, "analyst": "unknown fields are kept"}, indent=3)
    put(tmp_path, "decision.json", text)
    intake = an_intake(tmp_path)

    decision = intake.look(NOW_MS, 0).decision

    assert decision is not None
    assert intake.original(decision.digest) == text
    assert intake.original("0" * 64) is None


def test_a_folder_that_is_not_there_is_a_problem_with_a_remedy(tmp_path: Path) -> None:
    inbox = an_intake(tmp_path / "nowhere").look(NOW_MS, 0)

    assert inbox.problem is not None
    assert "nowhere" in inbox.problem
    assert "create it" in inbox.problem
    assert inbox.suspended_since_ms == NOW_MS


def test_a_folder_that_vanishes_suspends_and_keeps_what_was_decided(tmp_path: Path) -> None:
    """A lost mount must not change what is meant for an open position; it only stops entries."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    put(folder, "decision.json", SAMPLE)
    intake = an_intake(folder)
    intake.look(NOW_MS, 0)

    folder.rename(tmp_path / "elsewhere")
    gone = intake.look(NOW_MS + 1_000, 0)
    again = intake.look(NOW_MS + 2_000, 0)
    (tmp_path / "elsewhere").rename(folder)
    back = intake.look(NOW_MS + 3_000, 0)

    assert gone.decision is not None
    assert (gone.consecutive_looks, gone.suspended_since_ms) == (0, NOW_MS + 1_000)
    assert again.suspended_since_ms == NOW_MS + 1_000
    assert (back.problem, back.suspended_since_ms, back.consecutive_looks) == (None, None, 1)


def test_a_file_that_cannot_be_opened_is_a_problem_and_suspends(tmp_path: Path) -> None:
    put(tmp_path, "a.json", SAMPLE)
    (tmp_path / "b.json").symlink_to("b.json")  # a loop: there, and unreadable for everybody

    inbox = an_intake(tmp_path).look(NOW_MS, 0)

    assert the_refusal(inbox).code == Code.UNREADABLE_FILE.value
    assert inbox.problem is not None
    assert "b.json" in inbox.problem


def zone(name: str, price: int, strength: str, *, given: bool) -> LiquidationZone:
    """Return a zone of the example map by its rounded numbers."""
    edges = {92350: (92310, 92400), 90150: (90100, 90210), 89640: (89600, 89690)}
    low, high = edges.get(price, (93400, 93550))
    return LiquidationZone(
        name, Decimal(price), Decimal(low), Decimal(high), Decimal(strength), given
    )


MAP_ZONES = (
    zone("cluster_2", 90150, "0.55", given=False),
    zone("weekly_low", 89640, "0.41", given=True),
    zone("cluster_1", 92350, "0.86", given=False),
    zone("cluster_4", 93480, "0.33", given=False),
)


def test_a_map_beside_the_decision_brings_its_zones() -> None:
    inbox = an_intake(EXAMPLES / "with-map").look(NOW_MS, 0)

    assert inbox.refusals == ()
    assert inbox.decision is not None
    assert inbox.decision.zones == MAP_ZONES


def test_the_map_is_found_beside_a_single_file_too() -> None:
    decision = an_intake(EXAMPLES / "with-map" / "decision.json").look(NOW_MS, 0).decision

    assert decision is not None
    assert decision.zones == MAP_ZONES


def test_zones_inline_win_over_the_map(tmp_path: Path) -> None:
    put(tmp_path, "d.json", (EXAMPLES / "long-with-zones.json").read_text())
    put(
        tmp_path,
        "liquidation_map.json",
        (EXAMPLES / "with-map" / "liquidation_map.json").read_text(),
    )

    decision = an_intake(tmp_path).look(NOW_MS, 0).decision

    assert decision is not None
    assert [z.id for z in decision.zones] == ["asia_highs", "weekly_low"]


MAP: dict[str, Any] = json.loads((EXAMPLES / "with-map" / "liquidation_map.json").read_text())
WRONG_MAPS: list[tuple[dict[str, Any] | str, Code]] = [
    (json.dumps(MAP)[:50], Code.MAP_UNREADABLE),
    (" " * (1 << 20) + "{}", Code.MAP_UNREADABLE),
    ("[]", Code.MAP_INVALID),
    (changed(MAP, "as_of", GONE), Code.MAP_INVALID),
    (changed(MAP, "as_of", "2025-12-05T10:04:30"), Code.MAP_INVALID),
    (changed(MAP, "above_price", None), Code.MAP_INVALID),
    (
        changed(MAP, "above_price", [{"price": 1, "zone": [1, 2], "strength": 9}]),
        Code.MAP_INVALID,
    ),
    (
        changed(MAP, "above_price", [{"price": 1, "zone": [2, 1], "strength": 1}]),
        Code.MAP_INVALID,
    ),
    (changed(MAP, "symbol", "ETHUSDT"), Code.MAP_WRONG_SYMBOL),
]


@pytest.mark.parametrize(("document", "code"), WRONG_MAPS)
def test_a_wrong_map_is_reported_once_and_never_costs_the_decision(
    tmp_path: Path, document: dict[str, Any] | str, code: Code
) -> None:
    put(tmp_path, "decision.json", SAMPLE)
    put(tmp_path, "liquidation_map.json", document)
    intake = an_intake(tmp_path)

    inbox = intake.look(NOW_MS, 0)

    assert inbox.decision is not None
    assert inbox.decision.zones == ()
    assert inbox.suspended_since_ms is None
    refusal = the_refusal(inbox)
    assert (refusal.code, refusal.suspends) == (code.value, False)
    assert intake.look(NOW_MS, 0).refusals == ()


def test_a_new_map_reaches_the_decision_without_making_another_of_it(tmp_path: Path) -> None:
    put(tmp_path, "decision.json", SAMPLE)
    intake = an_intake(tmp_path)
    before = intake.look(NOW_MS, 0)

    put(tmp_path, "liquidation_map.json", MAP)
    after = intake.look(NOW_MS, 0)

    assert before.decision is not None
    assert after.decision == replace(before.decision, zones=MAP_ZONES)
    assert after.consecutive_looks == 2


EXAMPLE_FILES = [
    # file                   action         zones
    ("long.json", Decided.LONG, 0),
    ("short.json", Decided.SHORT, 0),
    ("flat.json", Decided.FLAT, 0),
    ("long-with-zones.json", Decided.LONG, 2),
    ("with-map/decision.json", Decided.LONG, 4),
]


@pytest.mark.parametrize(("name", "action", "zones"), EXAMPLE_FILES)
def test_the_examples_are_valid(name: str, action: Decided, zones: int) -> None:
    inbox = an_intake(EXAMPLES / name).look(MADE_MS + 86_400_000, 0)

    assert inbox.refusals == ()
    assert inbox.decision is not None
    assert (inbox.decision.action, len(inbox.decision.zones)) == (action, zones)


def test_every_example_is_in_the_table_above() -> None:
    found = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.json")}

    assert found == {row[0] for row in EXAMPLE_FILES} | {"with-map/liquidation_map.json"}


def test_the_format_page_lists_every_code_as_the_engine_reports_it() -> None:
    page = (ROOT / "decisions" / "README.md").read_text(encoding="utf-8")

    rows = [f"| `{code.value}` | {m.says} | {m.remedy} |" for code, m in MEANINGS.items()]

    assert set(MEANINGS) == set(Code)
    assert [row for row in rows if row not in page] == []
