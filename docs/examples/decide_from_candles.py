"""Write decisions from one-minute candles: an example of the other side of the inbox, not advice.

It knows two toy rules, mirrored for the short side. *Breakout*: the last close lies above the
highest high of the window. *Pullback*: the trend is up and price came back into the lower half of
its range. Otherwise it writes ``flat``. Nobody should trade on it; it exists so that the keeper can
be watched while somebody else decides. Python's standard library is all it needs.

From a recording, one file for each decision, named by its moment (``20250504T164300Z.json``)::

    python docs/examples/decide_from_candles.py --candles BTCUSDT_1m.csv.gz --out /tmp/decisions

Beside a running exchange (the keeper's own paper venue, or a real one: only public data is asked
for), one ``decision.json`` that is replaced atomically, timestamped in the exchange's own time::

    python docs/examples/decide_from_candles.py --rest-url http://127.0.0.1:18923 --out decisions

The recording is CSV, gzipped or not, with the columns open_time_ms, open, high, low, close, volume.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import os
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path

MINUTE_MS = 60_000
RISK_CHECKS = (
    "daily_dd_ok",
    "weekly_dd_ok",
    "max_trades_per_day_ok",
    "session_ok",
    "no_major_news",
)


@dataclass(frozen=True)
class Candle:
    """One closed minute."""

    open_ms: int
    high: Decimal
    low: Decimal
    close: Decimal


@dataclass(frozen=True)
class Setup:
    """Why to open, on which side, and the structure the levels lean on."""

    action: str
    reason: str
    price: Decimal
    swing_low: Decimal
    swing_high: Decimal
    reach: Decimal
    confidence: Decimal


# --- the toy rules --------------------------------------------------------------------------------


def read_market(candles: Sequence[Candle], window: int) -> Setup:
    """Return what the last ``window`` closed candles say; flat where neither rule speaks."""
    last, past = candles[-1], candles[-window - 1 : -1]
    top, bottom = max(c.high for c in past), min(c.low for c in past)
    recent = candles[-max(window // 4, 5) :]
    mean = sum((c.close for c in past), Decimal(0)) / len(past)
    half = sum((c.close for c in past[len(past) // 2 :]), Decimal(0)) / (len(past) - len(past) // 2)
    place = (last.close - bottom) / max(top - bottom, Decimal("0.00000001"))

    def setup(action: str, reason: str, confidence: str) -> Setup:
        swing_low = min(c.low for c in recent)
        swing_high = max(c.high for c in recent)
        return Setup(
            action, reason, last.close, swing_low, swing_high, top - bottom, Decimal(confidence)
        )

    if last.close > top:
        return setup("long", "example_breakout_up", "0.78")
    if last.close < bottom:
        return setup("short", "example_breakout_down", "0.78")
    if half > mean and place < Decimal("0.5"):
        return setup("long", "example_pullback_in_rise", "0.68")
    if half < mean and place > Decimal("0.5"):
        return setup("short", "example_pullback_in_fall", "0.68")
    return setup("flat", "example_no_setup", "0.5")


def decision_of(setup: Setup, at_ms: int, options: argparse.Namespace) -> dict[str, object]:
    """Return the document: entry around the price, the stop behind the swing, two targets."""
    document: dict[str, object] = {
        "symbol": options.symbol,
        "timestamp_iso": iso(at_ms),
        "action": setup.action,
        "reason": setup.reason,
    }
    if setup.action == "flat":
        return document
    is_long = setup.action == "long"
    sign = 1 if is_long else -1
    price, tick = setup.price, options.tick

    low, high = price * Decimal("0.9992"), price * Decimal("1.0004")
    if not is_long:
        low, high = price * Decimal("0.9996"), price * Decimal("1.0008")
    # Behind the swing, yet neither nearer than the keeper's own least distance nor absurdly far.
    swing = setup.swing_low if is_long else setup.swing_high
    distance = min(max(sign * (price - swing), price * Decimal("0.0045")), price * Decimal("0.012"))
    risk = distance + price * Decimal("0.0004")
    reward = max(risk * Decimal("2.3"), setup.reach / 2)
    tp1, tp2 = price + sign * reward, price + sign * 2 * reward
    # A guess, labelled as one: orders cluster behind the last targets everybody sees.
    edge = price + sign * reward * Decimal("1.7")
    zone = sorted((edge, edge + sign * price * Decimal("0.001")))
    structure = {"swing_low": setup.swing_low, "swing_high": setup.swing_high}
    return document | {
        "entry_zone": [snap(low, tick), snap(high, tick)],
        "sl": snap(price - sign * distance, tick),
        "tp1": snap(tp1, tick),
        "tp2": snap(tp2, tick),
        "risk_level": 2,
        "position_size_usdt": options.size,
        "leverage": options.leverage,
        "confidence": setup.confidence,
        "risk_checks": dict.fromkeys(RISK_CHECKS, True),
        "position_management": {
            "tp1_fraction": Decimal("0.5"),
            "enable_trailing": True,
            "trail_mode": "structure_plus_liq",
            "liq_tp_zone_id": "beyond_targets",
            "structure": structure if setup.swing_low < setup.swing_high else None,
            "liquidation_zones": [
                {
                    "id": "beyond_targets",
                    "side": "short" if is_long else "long",
                    "price": snap(edge, tick),
                    "zone": [snap(zone[0], tick), snap(zone[1], tick)],
                    "strength": Decimal("0.5"),
                }
            ],
        },
    }


def snap(price: Decimal, tick: Decimal) -> Decimal:
    """Return the price on the exchange's grid."""
    return (price / tick).to_integral_value(ROUND_FLOOR) * tick


# --- documents and moments ------------------------------------------------------------------------


def iso(at_ms: int) -> str:
    """Return the moment with its offset; a decision without one is refused."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def plainly(value: object) -> object:
    """Return what `json` can write; a float keeps 15 digits, and prices have fewer."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: plainly(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plainly(item) for item in value]
    return value


def write(document: dict[str, object], path: Path) -> None:
    """Replace the file in one step: whoever reads sees the old document or the new one."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(plainly(document), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def say(text: str) -> None:
    """Tell the operator."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


# --- from a recording -----------------------------------------------------------------------------


def recorded(path: Path) -> Iterator[Candle]:
    """Yield the candles of a CSV file, gzipped or not."""
    with ExitStack() as opened:
        raw = opened.enter_context(path.open("rb"))
        plain = opened.enter_context(gzip.open(raw)) if path.suffix == ".gz" else raw
        file = opened.enter_context(io.TextIOWrapper(plain, encoding="utf-8", newline=""))
        for row in csv.DictReader(file):
            yield Candle(
                int(row["open_time_ms"]),
                Decimal(row["high"]),
                Decimal(row["low"]),
                Decimal(row["close"]),
            )


def from_recording(options: argparse.Namespace) -> int:
    """Write one file a decision, every ``--every`` seconds of candle time."""
    kept: list[Candle] = []
    written: dict[str, int] = {}
    due_ms = 0
    for candle in recorded(options.candles):
        kept = [*kept[-options.window :], candle]
        closed_ms = candle.open_ms + MINUTE_MS
        if len(kept) <= options.window or closed_ms < due_ms:
            continue
        due_ms = closed_ms + options.every * 1000
        setup = read_market(kept, options.window)
        moment = datetime.fromtimestamp(closed_ms // 1000, UTC)
        write(decision_of(setup, closed_ms, options), options.out / f"{moment:%Y%m%dT%H%M%SZ}.json")
        written[setup.reason] = written.get(setup.reason, 0) + 1
        if 0 < options.count <= sum(written.values()):
            break
    for reason, times in sorted(written.items()):
        say(f"{times:6} {reason}")
    if not written:
        say(f"no decision: fewer than {options.window + 1} candles")
    return 0 if written else 1


# --- beside a running exchange --------------------------------------------------------------------


def ask(options: argparse.Namespace, path: str, **parameters: str | int) -> object:
    """Return the exchange's public answer, numbers as `Decimal`."""
    query = urllib.parse.urlencode(parameters)
    url = f"{options.rest_url.rstrip('/')}/fapi/v1/{path}?{query}"
    with OPENER.open(url, timeout=5) as reply:
        return json.load(reply, parse_float=Decimal)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An exchange that points elsewhere is not the one that was named."""

    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())


def server_time(options: argparse.Namespace) -> int:
    """Return exchange time in milliseconds: the only clock this program uses."""
    answer = ask(options, "time")
    if not isinstance(answer, dict):
        raise TypeError("no server time")
    return int(answer["serverTime"])


def closed_candles(options: argparse.Namespace, now_ms: int) -> list[Candle]:
    """Return the closed minutes the exchange remembers; its last row is still open."""
    rows = ask(options, "klines", symbol=options.symbol, interval="1m", limit=options.window + 2)
    if not isinstance(rows, list):
        raise TypeError("no candles")
    candles = [Candle(int(r[0]), Decimal(r[2]), Decimal(r[3]), Decimal(r[4])) for r in rows]
    return [candle for candle in candles if candle.open_ms + MINUTE_MS <= now_ms]


def beside_exchange(options: argparse.Namespace) -> int:
    """Replace one decision every ``--every`` seconds of exchange time, until interrupted."""
    ended = threading.Event()
    target = options.out if options.out.suffix == ".json" else options.out / "decision.json"
    done, due_ms, told = 0, 0, ""
    while not 0 < options.count <= done:
        try:
            now_ms = server_time(options)
            if now_ms >= due_ms:
                candles = closed_candles(options, now_ms)
                if len(candles) > options.window:
                    setup = read_market(candles, options.window)
                    write(decision_of(setup, now_ms, options), target)
                    say(f"{iso(now_ms)} {setup.action} {setup.reason} at {setup.price}")
                    done, told = done + 1, ""
                    due_ms = now_ms + options.every * 1000
                    continue
                news = f"waiting for candles: {len(candles)} of {options.window + 1}"
            else:
                news = told
        except (OSError, ValueError, TypeError, LookupError, ArithmeticError) as error:
            news = f"no answer to use: {error}"
        if news != told:
            say(news)
            told = news
        ended.wait(1)
    return 0


# --- the command ----------------------------------------------------------------------------------


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line, checked."""
    parser = argparse.ArgumentParser(
        description="Write decisions from one-minute candles. An example, not advice."
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--candles", type=Path, help="recording: CSV, gzipped or not")
    source.add_argument("--rest-url", help="running exchange, such as http://127.0.0.1:18923")
    parser.add_argument("--out", type=Path, required=True, help="folder of the decisions")
    parser.add_argument("--every", type=int, default=300, help="seconds between two, default 300")
    parser.add_argument("--count", type=int, default=0, help="stop after so many; 0: do not")
    parser.add_argument("--window", type=int, default=60, help="minutes looked back on, default 60")
    parser.add_argument("--symbol", default="BTCUSDT")
    parser.add_argument("--tick", type=Decimal, default=Decimal("0.1"), help="price increment")
    parser.add_argument("--size", type=Decimal, default=Decimal(600), help="notional in USDT")
    parser.add_argument("--leverage", type=int, default=3)
    options = parser.parse_args(words)
    if options.window < 8 or options.every < 1:
        parser.error("--window is at least 8, --every at least 1")
    return options


def main(words: Sequence[str] | None = None) -> int:
    """Run until the recording ends, or the operator says so."""
    options = arguments(words)
    folder = options.out.parent if options.out.suffix == ".json" else options.out
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return from_recording(options) if options.candles else beside_exchange(options)
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
