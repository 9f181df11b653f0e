"""`keeper venue`: serve the simulated exchange, list its switches, or stop one that runs.

stdout carries the ready line and nothing else; progress and complaints go to stderr, one line each.
Exit codes are those of the contracts: 2 usage, 3 unusable option or file, 6 unusable books, 9 the
port or the folder is taken, 70 the venue itself broke.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NoReturn

from engine.venue.books import Books, BooksError, BooksInUse
from engine.venue.feeds.recorded import RecordingError
from engine.venue.feeds.walk import PROFILES
from engine.venue.opening import Opened, OpeningError, Options, open_venue
from engine.venue.scenario import ScenarioError
from engine.venue.server import CannotListen, VenueServer
from engine.venue.serving.admin import PREFIX
from engine.venue.stopping import DEFAULT_STATE, stop_venue
from engine.venue.switches import SWITCHES

log = logging.getLogger("venue")

DONE, USAGE, INVALID, STORE, REFUSED, INTERNAL = 0, 2, 3, 6, 9, 70


class _UsageError(Exception):
    """The command line cannot be understood."""


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would print and exit, so that errors have one form."""

    def error(self, message: str) -> NoReturn:
        raise _UsageError(message)


def main(argv: Sequence[str]) -> int:
    """Run `keeper venue` with the words after it and return the exit code."""
    as_json = "--json" in argv
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s"
    )
    try:
        if argv and argv[0] == "stop":
            return _stop(argv[1:])
        arguments = _parser().parse_args(argv)
        if arguments.switches:
            return _list_switches(as_json=as_json)
        return _serve(_options(arguments))
    except (
        _UsageError,
        OpeningError,
        ScenarioError,
        RecordingError,
        BooksError,
        CannotListen,
    ) as error:
        return _complain(_complaint(error), as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Complaint:
    """What goes wrong before a venue is served: exit code and the parts of the error document."""

    exit_code: int
    code: str
    message: str
    field: str = ""
    value: str = ""
    remedy: str = ""


def _complaint(error: Exception) -> _Complaint:
    match error:
        case OpeningError():
            parts = (error.option, error.value, error.remedy)
            return _Complaint(INVALID, "venue_option_invalid", str(error), *parts)
        case ScenarioError():
            parts = (error.field, error.value, error.remedy)
            return _Complaint(INVALID, "scenario_invalid", str(error), *parts)
        case RecordingError():
            parts = (error.column, error.value, "mend the file or give another one")
            return _Complaint(INVALID, "recording_invalid", str(error), *parts)
        case BooksError():
            taken = isinstance(error, BooksInUse)
            return _Complaint(
                REFUSED if taken else STORE,
                "venue_state_in_use" if taken else "venue_books_unusable",
                f"{error.file}: {error.message}",
                "--state",
                error.file,
                error.remedy,
            )
        case CannotListen():
            return _Complaint(
                REFUSED if error.in_use else INVALID,
                "venue_cannot_listen",
                str(error),
                "--port" if error.in_use else "--host",
                remedy="choose another port; --port 0 picks a free one"
                if error.in_use
                else "give an address of this machine",
            )
        case _:
            return _Complaint(USAGE, "usage", str(error), remedy="see keeper venue --help")


def _serve(options: Options) -> int:
    books = Books(options.state) if options.state is not None else None
    try:
        opened = open_venue(options, books)
        if opened.kept:
            log.info("books found in %s: account, symbol and switches are theirs", options.state)
        return asyncio.run(_run(options, opened, books))
    finally:
        if books is not None:
            books.close()


async def _run(options: Options, opened: Opened, books: Books | None) -> int:
    server = VenueServer(
        opened.venue,
        opened.clock,
        host=options.host,
        port=options.port,
        one_way_ms=options.latency_ms,
        books=books,
        timed=opened.timed,
    )
    await server.start()
    if options.host not in {"127.0.0.1", "::1"}:
        log.warning("listening on %s: anybody who reaches it commands this venue", options.host)
    key, secret = opened.key or (secrets.token_hex(32), secrets.token_hex(32))
    address = {
        "rest_url": server.rest_url,
        "stream_url": server.stream_url,
        "admin_url": server.rest_url + PREFIX.rstrip("/"),
        "api_key": key,
        "api_secret": secret,
    }
    if books is not None:
        server.save_now()
        started_at = _rfc3339(opened.clock.now_ms())
        books.announce({"pid": os.getpid(), **address, "started_at": started_at})
    if options.json:
        _say(json.dumps({"schema": "keeper/venue/1", "event": "ready", **address}))
    else:
        _say(
            f"venue ready: REST {server.rest_url}, streams {server.stream_url}, "
            f"admin {address['admin_url']}, key {key}, secret {secret}"
        )
    await server.run_until_stopped()
    return DONE if server.failure is None else INTERNAL


def _list_switches(*, as_json: bool) -> int:
    if as_json:
        rows = [
            {
                "name": switch.name,
                "values": list(switch.values),
                "default": str(switch.default),
                "meaning": switch.meaning,
                "reference": switch.reference,
            }
            for switch in SWITCHES
        ]
        _say(json.dumps({"schema": "keeper/venue/1", "event": "switches", "switches": rows}))
        return DONE
    for switch in SWITCHES:
        values = "|".join(switch.values) or "milliseconds"
        _say(f"{switch.name}={switch.default}  ({values})  {switch.meaning} [{switch.reference}]")
    return DONE


def _stop(argv: Sequence[str]) -> int:
    parser = _Parser(prog="keeper venue stop", description="End the venue that keeps a folder.")
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, metavar="DIR")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    ended = stop_venue(arguments.state)
    if arguments.json:
        document = {
            "schema": "keeper/venue/1",
            "event": "stopped",
            "was_running": ended.was_running,
            "stopped": ended.stopped,
            "pid": ended.pid,
        }
        _say(json.dumps(document))
    else:
        _say(ended.sentence)
    return DONE if ended.stopped else REFUSED


def _parser() -> _Parser:
    parser = _Parser(
        prog="keeper venue",
        description="Serve the simulated exchange on loopback.",
        epilog="keeper venue stop [--state DIR] ends the one that keeps a folder.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--port", type=int, default=0, help="0, the default, picks a free one")
    add("--host", default="127.0.0.1", help="address to listen on, 127.0.0.1 unless you know why")
    add("--json", action="store_true", help="the ready line as JSON")
    add("--state", type=Path, metavar="DIR", help="keep the books in this folder")
    add("--keys", type=Path, metavar="F", help="accept only these: a 'key secret [read]' a line")
    add("--symbol", help="BTCUSDT by default")
    add("--wallet", type=_decimal, help="balance to begin with, 1000 by default")
    add("--scenario", type=Path, metavar="FILE", help="prices, hands and faults of a scenario")
    add("--walk", choices=list(PROFILES), metavar="PROFILE", help=f"one of {', '.join(PROFILES)}")
    add("--seed", type=int, default=0, help="seed of the walk and of the venue")
    add("--start-price", type=_positive, help="90800 by default, 3150 for ETHUSDT")
    add("--trades", type=Path, metavar="FILE", help="recorded trades: trade_ms, price, qty")
    add("--candles", type=Path, metavar="FILE", help="recorded candles, four points each")
    add("--speed", type=_positive, default=Decimal(1), help="feed seconds in one real second")
    add("--offset", type=_decimal, default=Decimal(0), metavar="S", help="seconds to leave out")
    add("--touch-quantity", type=_positive, metavar="Q", help="resting orders fill Q at a touch")
    add("--latency-ms", type=float, default=0.0, help="one way, of every message")
    add("--switches", action="store_true", help="list the unconfirmed behaviours and leave")
    add("--switch", action="append", default=[], metavar="NAME=VALUE", type=_pair)
    add("--faults", type=Path, metavar="FILE", help="a YAML list of faults, 'at' optional")
    add("--trouble", type=_positive, metavar="N", help="N faults a minute, drawn from the seed")
    add("--clock", type=_moment, metavar="AT", help="time stands at AT until it is told to pass")
    add("--no-history", action="store_true", help="no made candles before the beginning")
    add("--log-limit", type=int, metavar="N", help="log entries to keep; all, with --state 20000")
    return parser


def _options(arguments: argparse.Namespace) -> Options:
    if not 0 <= arguments.port <= 65535:
        raise _UsageError(f"--port {arguments.port}: a port is 0 to 65535")
    return Options(
        # "localhost" may be two addresses, and port 0 would give each a port of its own.
        host="127.0.0.1" if arguments.host == "localhost" else arguments.host,
        port=arguments.port,
        json=arguments.json,
        state=arguments.state,
        keys=arguments.keys,
        symbol=arguments.symbol,
        wallet=arguments.wallet,
        scenario=arguments.scenario,
        walk=arguments.walk,
        trades=arguments.trades,
        candles=arguments.candles,
        seed=arguments.seed,
        start_price=arguments.start_price,
        speed=arguments.speed,
        offset_s=arguments.offset,
        touch_quantity=arguments.touch_quantity,
        latency_ms=arguments.latency_ms,
        switches=tuple(arguments.switch),
        faults=arguments.faults,
        trouble=arguments.trouble,
        log_limit=arguments.log_limit,
        clock_ms=arguments.clock,
        history=not arguments.no_history,
    )


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 up")
    return value


def _positive(text: str) -> Decimal:
    value = _decimal(text)
    if value == 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no moment with an offset")
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _say(line: str) -> None:
    # Whoever started the venue may have gone; that is no reason to end it.
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _complain(complaint: _Complaint, *, as_json: bool) -> int:
    if as_json:
        document = {
            "schema": "keeper/error/1",
            "code": complaint.code,
            "message": complaint.message,
            "field": complaint.field or None,
            "value": complaint.value or None,
            "remedy": complaint.remedy or None,
        }
        _say(json.dumps(document))
    advice = f"; {complaint.remedy}" if complaint.remedy not in complaint.message else ""
    sys.stderr.write(f"keeper venue: {complaint.message}{advice}\n")
    return complaint.exit_code


def _rfc3339(now_ms: int) -> str:
    moment = datetime.fromtimestamp(now_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{now_ms % 1000:03d}Z"
