"""Each way a start can fail has an exit code of its own, a document and one line with a remedy."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from engine.loop import wall_guess_ms
from tests.cli.home import Home, configure, end, home_in
from tests.cli.program import keeper


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with home_in(tmp_path_factory.mktemp("refusals")) as home:
        yield home


NOWHERE: Mapping[str, object] = {"rest_url": "http://127.0.0.1:9", "patience_ms": 500}


@pytest.mark.parametrize(
    "words", [("run", "--ticks", "1"), ("once",), ("plan",), ("verify",), ("decide", "long")]
)
def test_an_exchange_out_of_reach_is_five(words: tuple[str, ...], home: Home) -> None:
    """`could not tell` must never look like `covered`."""
    configure(home, exchange=NOWHERE)

    ran = home.keeper(*words, "--json")

    assert ran.code == 5
    assert ran.document["schema"] == "keeper/error/1"
    assert ran.document["remedy"]
    assert len(ran.err.splitlines()) == 1


def test_check_of_an_exchange_out_of_reach_reports_the_rest(home: Home) -> None:
    configure(home, exchange=NOWHERE)

    ran = home.keeper("check", "--json")

    checks = {c["name"]: c["ok"] for c in ran.document["checks"]}  # type: ignore[attr-defined]
    assert ran.code == 5
    assert (checks["config"], checks["exchange"], checks["clock"]) == (True, False, None)


@pytest.mark.parametrize(
    "words", [("run", "--ticks", "1"), ("plan",), ("verify",), ("check",), ("decide", "long")]
)
def test_inside_a_silence_nobody_asks_the_exchange(words: tuple[str, ...], home: Home) -> None:
    """RULES H4: a ban counts by address; whoever asks on the side prolongs the keeper's."""
    configure(home)
    end_ms = wall_guess_ms() + 60_000
    (home.folder / "var").mkdir(exist_ok=True)
    told = home.folder / "var" / "keeper.silence"
    told.write_text(str(end_ms), encoding="ascii")
    before = len(home.log())

    ran = home.keeper(*words, "--json")

    told.unlink()
    assert ran.code == 5
    assert "asked for silence" in ran.err + str(ran.document)
    assert [e for e in home.log()[before:] if e["kind"] == "request"] == []


@pytest.mark.parametrize("words", [("run", "--ticks", "1"), ("verify",), ("plan",)])
def test_a_missing_key_is_four(words: tuple[str, ...], home: Home) -> None:
    configure(home)

    ran = home.keeper(*words, "--json", env={})

    assert (ran.code, ran.document["code"]) == (4, "credentials_missing")
    assert "KEEPER_API_KEY" in str(ran.document["remedy"])


@pytest.mark.parametrize("words", [("run", "--ticks", "1"), ("once",), ("verify",), ("check",)])
def test_a_refused_key_is_four(words: tuple[str, ...], home: Home) -> None:
    """The venue takes one key only; another one is refused with -2015."""
    configure(home)

    ran = home.keeper(*words, "--json", env={"KEEPER_API_KEY": "x", "KEEPER_API_SECRET": "y"})

    assert ran.code == 4, ran


def test_a_store_that_is_not_there_is_six(home: Home) -> None:
    configure(home, store={"url": "sqlite:///not-there.db"})

    for verb in ("status", "history", "report", "replay"):
        ran = home.keeper(verb, "--json")
        assert ran.code == 6, verb
        assert "keeper run" in str(ran.document["remedy"])


def test_a_store_that_cannot_be_written_is_six(home: Home) -> None:
    (home.folder / "in-the-way").write_text("")
    configure(home, store={"url": "sqlite:///in-the-way/keeper.db"})

    ran = home.keeper("run", "--ticks", "1", "--json")

    assert ran.code == 6
    assert "in-the-way" in str(ran.document["message"])


def test_a_second_keeper_is_seven_and_the_first_goes_on(home: Home) -> None:
    """Two writers on one account would undo each other's stops."""
    configure(home)
    first = home.start("run")
    home.await_ticks(first)

    second = home.keeper("run", "--ticks", "1", "--json")
    ahead = home.keeper("plan", "--json")

    assert second.code == 7
    assert "--standby" in str(second.document["remedy"])
    assert ahead.code == 0, "looking ahead takes no lease"
    assert first.poll() is None
    assert end(first, signal.SIGTERM)[0] == 0


def test_sigterm_ends_a_keeper_after_a_whole_tick(home: Home) -> None:
    configure(home)
    child = home.start("run")
    home.await_ticks(child)

    code, out = end(child, signal.SIGTERM)

    assert code == 0
    assert "Traceback" not in out


def test_a_start_without_a_decision_says_what_it_waits_for(home: Home) -> None:
    """The command is complete: pasted from anywhere it gives the keeper what it waits for."""
    configure(home)

    ran = home.keeper("run", "--ticks", "1")

    hints = [line for line in ran.err.splitlines() if "waiting for a fresh decision" in line]
    assert len(hints) == 1
    assert f"decide long --config {home.config}" in hints[0]


def test_an_account_in_hedge_mode_is_eight(home: Home) -> None:
    """One-way payloads on a hedge account would be refused when it matters."""
    configure(home)
    home.hand(do="position_mode", dual_side="true")

    ran = home.keeper("run", "--ticks", "1", "--json")
    checked = home.keeper("check", "--json")

    home.hand(do="position_mode", dual_side="false")
    assert ran.code == 8
    assert checked.code == 8


def test_saying_flat_needs_neither_key_nor_exchange(home: Home) -> None:
    """The one decision that must always be possible."""
    configure(home, exchange=NOWHERE, decisions="flat")

    ran = home.keeper("decide", "flat", "--json", env={})

    assert ran.code == 0
    assert ran.document["decision"]["action"] == "flat"  # type: ignore[index]  # JSON inside
    assert (home.folder / "flat" / "decision.json").exists()


def test_a_decision_nobody_can_make_is_three(home: Home) -> None:
    configure(home)

    ran = home.keeper("decide", "long", "--sl", "99999", "--json")

    assert ran.code == 3
    assert not list((home.folder / "decisions").glob("*.json"))


def test_a_number_that_is_none_is_two(home: Home) -> None:
    configure(home)

    ran = home.keeper("decide", "long", "--sl", "ninety", "--json")

    assert (ran.code, ran.document["field"]) == (2, "--sl")


def test_an_uncovered_position_is_one(home: Home) -> None:
    """`keeper verify || page-somebody` is the whole point of the command."""
    configure(home)
    home.hand(do="market", side="buy", quantity="0.004")

    naked = home.keeper("verify", "--json")
    home.hand(do="stop", side="sell", quantity="0.001", trigger="90000", reduce_only="true")
    partly = home.keeper("verify", "--json")
    home.hand(do="stop", side="sell", quantity="0.003", trigger="89000", reduce_only="true")
    covered = home.keeper("verify", "--json")

    home.hand(do="close")
    home.hand(do="cancel_all")
    assert (naked.code, naked.document["verdict"]) == (1, "uncovered")
    assert (partly.code, partly.document["uncovered_quantity"]) == (1, "0.003")
    assert (covered.code, covered.document["worst_stop"]) == (0, "89000")


def test_paper_mode_needs_neither_key_nor_exchange(tmp_path: Path) -> None:
    """`make run` from a bare clone: the exchange is brought along and outlives the keeper."""
    (tmp_path / "config.yaml").write_text("{}\n")
    (tmp_path / "decisions").mkdir()

    first = keeper("once", "--json", cwd=tmp_path)
    again = keeper("verify", "--json", cwd=tmp_path)
    stopped = keeper("venue", "stop", "--json", cwd=tmp_path)
    status = keeper("status", "--json", cwd=tmp_path)

    assert (first.code, first.document["mode"]) == (0, "paper")
    assert (again.code, again.document["verdict"]) == (0, "flat")
    assert (stopped.code, stopped.document["was_running"]) == (0, True)
    assert status.code == 0, "the account is still known when its exchange is gone"


def test_a_keeper_whose_output_nobody_reads_goes_on_keeping(home: Home) -> None:
    """A closed terminal or `| head` must not leave a position without its keeper."""
    configure(home)
    child = home.start("run", "--json")  # its answers and its log share one pipe here
    assert child.stdout is not None
    child.stdout.readline()
    child.stdout.close()
    home.await_ticks(child)
    tick = home.ticks()

    home.until(lambda: home.ticks() > tick + 3, "it ticks on")
    child.send_signal(signal.SIGTERM)

    assert child.wait(30) == 0
