"""Log lines: one per change, with tick, decision and order, for people or for programs.

The core returns reasons as data and only the shell logs; what it writes names no secret, whoever
chose the words.
"""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.cli.logs import Line, Log, open_log, speaking_for_everybody
from engine.cli.ticks import Teller, TickDocuments
from engine.config import LogFormat, Settings, hidden, secrets_in
from engine.domain.action import Outcome, PlaceOrder, Plan
from engine.domain.condition import Condition
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, Fate
from engine.tick import TickReport
from tests.builders import HASH, NOW, a_fill, a_situation, a_stop, an_open_situation

KEY, SECRET = "k3yk3yk3yk3yk3yk3y", "s3crets3crets3cret"
SIGNATURE = "d1" * 32
ORDER = f"kp{HASH}001s003"


class Terminal(io.StringIO):
    """A stream a person watches."""

    def isatty(self) -> bool:
        return True


class Closed(io.StringIO):
    """A stream nobody reads any more."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


def a_log(stream: io.StringIO, form: LogFormat = LogFormat.AUTO) -> Log:
    return open_log(stream, form, symbol="BTCUSDT", secrets=(KEY, SECRET))


def documents(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


FORMATS = [
    (LogFormat.AUTO, Terminal, False),
    (LogFormat.AUTO, io.StringIO, True),
    (LogFormat.HUMAN, io.StringIO, False),
    (LogFormat.JSON, Terminal, True),
]


@pytest.mark.parametrize(("form", "stream", "is_json"), FORMATS)
def test_people_get_words_and_programs_get_json(
    form: LogFormat, stream: type[io.StringIO], is_json: bool
) -> None:
    out = stream()

    a_log(out, form).say(Line("fill", "filled entry", NOW, 17, HASH, ORDER))

    if is_json:
        assert documents(out) == [
            {"at": "2026-11-19T12:00:00.000Z", "level": "info", "event": "fill", "tick": 17}
            | {"decision": HASH, "order": ORDER, "text": "filled entry", "symbol": "BTCUSDT"}
        ]
    else:
        tags = f"tick 17, decision {HASH}, order {ORDER}"
        assert out.getvalue() == f"12:00:00 filled entry  ({tags})\n"


def test_people_are_not_told_twice_what_the_words_say() -> None:
    """A tick's number may stand in any price; only whole words count."""
    out = Terminal()

    a_log(out).say(Line("outcome", f"place {ORDER} at 17170 done", NOW, 17, HASH, ORDER))

    assert out.getvalue() == (f"12:00:00 place {ORDER} at 17170 done  (tick 17, decision {HASH})\n")


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_no_secret_gets_out_whoever_chose_the_words(stream: type[io.StringIO]) -> None:
    """An exception of the HTTP library carries the whole address, signature and all."""
    out = stream()
    log = a_log(out)
    text = f"GET /fapi/v3/account?apiKey={KEY}&signature={SIGNATURE} refused ({SECRET})"

    log.say(Line("note", text, NOW))
    log.note(text)
    with speaking_for_everybody(log):
        logging.getLogger("urllib3").warning("%s", text)
        thread = threading.Thread(target=_die, args=(text,))
        thread.start()
        thread.join()

    said = out.getvalue()
    assert said.count("***") == 12
    assert [secret for secret in (KEY, SECRET, SIGNATURE) if secret in said] == []


def _die(text: str) -> None:
    raise RuntimeError(text)


def test_a_thread_that_dies_is_an_error_in_the_log_and_the_old_hook_comes_back() -> None:
    out, before = io.StringIO(), threading.excepthook

    with speaking_for_everybody(a_log(out)):
        thread = threading.Thread(target=_die, args=("half a keeper",), name="stream")
        thread.start()
        thread.join()

    (line,) = documents(out)
    assert (line["level"], line["event"]) == ("error", "thread_ended")
    assert line["text"] == "thread stream ended: RuntimeError: half a keeper"
    assert threading.excepthook is before


def test_losing_its_audience_ends_nothing() -> None:
    log = a_log(Closed())

    for _ in range(3):
        log.note("nobody hears this")


def test_secrets_come_from_the_environment_and_from_systemds_credentials(tmp_path: Path) -> None:
    (tmp_path / "api_secret").write_text(f"{SECRET}\n")
    environ = {"KEEPER_API_KEY": KEY, "CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert set(secrets_in(environ)) == {KEY, SECRET}
    assert secrets_in({"KEEPER_API_KEY": "short"}) == ()
    assert secrets_in({"KEEPER__STORE__URL": "postgresql://k:passw0rd1@db/k"}) == ("passw0rd1",)
    assert hidden(f"{KEY} and {SECRET}", secrets_in(environ)) == "*** and ***"


# -- what a tick is worth saying


def lines_of(*reports: TickReport) -> list[Line]:
    said: list[Line] = []
    teller = Teller(said.append, TickDocuments(Settings()))
    for report in reports:
        teller.tell(report)
    return said


def a_report(situation: Situation, *outcomes: Outcome) -> TickReport:
    plan = Plan(situation.ledger)
    return TickReport(NOW, (), situation, (), plan, outcomes, situation.ledger)


def at_tick(tick: int, situation: Situation, **condition: Any) -> Situation:
    return replace(situation, condition=Condition(tick=tick, **condition))


def test_every_line_of_a_tick_names_tick_decision_and_order_where_there_is_one() -> None:
    stop = a_stop()
    placed = PlaceOrder(stop.terms, ActionClass.PROTECT, "protect_position", "cover_missing")
    sent = Outcome(placed, Fate.ACCEPTED, NOW)
    held = an_open_situation()
    ledger = replace(held.ledger, fills=(*held.ledger.fills, a_fill(fill_id="99")))
    filled = replace(held, ledger=ledger)

    said = lines_of(a_report(at_tick(7, held)), a_report(at_tick(8, filled), sent))

    by_event = {line.event: line for line in said if line.tick == 8}
    assert {line.decision for line in said} == {HASH}
    assert by_event["outcome"].order == str(stop.id)
    assert by_event["fill"].order == a_fill().client_id
    assert "order" not in by_event.get("status", Line("status", "")).fields()


def test_a_tick_that_changed_nothing_says_nothing() -> None:
    """A month of quiet must not fill a disk."""
    quiet = a_situation()

    said = lines_of(*(a_report(at_tick(tick, quiet)) for tick in range(1, 100)))

    assert [line.tick for line in said] == [1]


def test_what_is_wrong_is_said_when_it_begins_and_when_it_ends() -> None:
    calm = a_situation()

    said = lines_of(
        a_report(at_tick(1, calm)),
        *(a_report(at_tick(tick, calm, is_breaker_open=True)) for tick in range(2, 5)),
        a_report(at_tick(5, calm)),
    )

    told = [(line.tick, line.level, line.text) for line in said if line.event == "breaker_open"]
    assert [(tick, level) for tick, level, _ in told] == [(2, "error"), (5, "info")]
    assert told[1][2] == "breaker_open: over"


def test_structlog_comes_with_the_first_line_and_without_rich() -> None:
    """The first tick, and every verb that never logs, must not wait for it."""
    text = (
        "import sys, io; import engine.cli.running, engine.cli.logs as logs;"
        "print('structlog' in sys.modules);"
        "logs.Log(io.StringIO(), as_json=True, symbol='S').note('x');"
        "print('structlog' in sys.modules, 'rich' in sys.modules)"
    )

    ran = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=60
    )

    assert ran.stdout.split() == ["False", "True", "False"]
