"""One life from decision to open position, asked about with every command that reads."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.home import Home, home_in
from tests.cli.program import Ran


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A keeper that entered long at the price, and stopped ticking: its stops rest."""
    with home_in(tmp_path_factory.mktemp("life")) as home:
        decided = home.keeper("decide", "long", "--json")
        assert decided.code == 0, decided.err
        low, high = decided.document["decision"]["entry_zone"]  # type: ignore[index]
        ran = home.keeper("run", "--ticks", "6")
        assert ran.code == 0, ran.err
        home.price(str((Decimal(low) + Decimal(high)) / 2 // 1))
        ran = home.keeper("run", "--ticks", "6")
        assert ran.code == 0, ran.err
        yield home


def asked(home: Home, *words: str) -> tuple[Ran, dict[str, Any]]:
    ran = home.keeper(*words, "--json")
    assert ran.err == "", "nothing went wrong, so nothing is said beside the answer"
    return ran, ran.document


def test_status_names_position_cover_and_what_comes_next(home: Home) -> None:
    """The one document an operator's scripts live on."""
    ran, status = asked(home, "status")

    assert ran.code == 0
    assert (status["phase"], status["mode"], status["store"]) == ("open", "paper", "sqlite")
    assert status["position"]["side"] == "long"
    assert status["protection"]["covered"] is True
    assert status["protection"]["uncovered_quantity"] == "0"
    roles = [stop["role"] for stop in status["protection"]["stops"]]
    assert sorted(roles) == ["stop_floor", "stop_primary"]
    assert status["decision"]["state"] == "used"


def test_status_of_a_keeper_that_is_gone_says_so(home: Home) -> None:
    """What it last wrote must not look as if it were still watching."""
    _, status = asked(home, "status")

    assert status["process"]["running"] is False
    assert (status["process"]["role"], status["health"]["state"]) == ("none", "stopped")
    assert [r["code"] for r in status["health"]["reasons"]] == ["not_running"]
    assert status["health"]["entries_allowed"] is False


def test_reading_needs_no_key(home: Home) -> None:
    """Whoever may read the store need not be trusted with the account."""
    ran = home.keeper("status", "--json", env={})

    assert ran.code == 0
    assert ran.document["phase"] == "open"


def test_verify_counts_stops_from_the_exchange_alone(home: Home) -> None:
    ran, verified = asked(home, "verify")

    assert ran.code == 0
    assert verified["verdict"] == "covered"
    assert verified["covered_quantity"] == verified["position"]["quantity"]
    assert {order["role"] for order in verified["counted"]} == {"stop_primary", "stop_floor"}


def test_plan_shows_what_would_be_done_without_doing_it(home: Home) -> None:
    before = len([e for e in home.log() if e.get("verb") in ("POST", "DELETE")])

    ran, plan = asked(home, "plan")

    assert ran.code == 0
    assert plan["actions"] == []
    assert len([e for e in home.log() if e.get("verb") in ("POST", "DELETE")]) == before


def test_check_answers_every_question_of_the_contract(home: Home) -> None:
    ran, checked = asked(home, "check")

    names = [check["name"] for check in checked["checks"]]
    assert (ran.code, checked["ok"]) == (0, True)
    schema = Path(__file__).parents[2] / "docs" / "schemas" / "check-1.json"
    wanted = json.loads(schema.read_text())["properties"]["checks"]["items"]["properties"]["name"]
    assert names == wanted["enum"]


def test_the_probe_leaves_a_position_alone(home: Home) -> None:
    """RULES E9: flat only."""
    before = len(home.log())

    _, checked = asked(home, "check", "--probe")

    probed = next(c for c in checked["checks"] if c["name"] == "stop_while_flat")
    assert probed["ok"] is None
    assert "not probed" in probed["detail"]
    assert all(e.get("verb") == "GET" for e in home.log()[before:] if e["kind"] == "request")


def test_replay_gives_the_same_plans(home: Home) -> None:
    ran, replayed = asked(home, "replay")

    assert (ran.code, replayed["different"]) == (0, [])
    assert replayed["identical"] == replayed["ticks"] > 5


def test_history_and_report_of_no_closed_position_are_empty(home: Home) -> None:
    _, history = asked(home, "history")
    _, report = asked(home, "report")

    assert history["trades"] == []
    assert report["totals"] == {
        "trades": 0, "net_pnl": "0", "commission": "0", "funding": "0", "naked_s": 0,
    }  # fmt: skip


def test_once_runs_one_tick_and_says_how_it_stands(home: Home) -> None:
    _, before = asked(home, "status")

    ran, status = asked(home, "once")

    assert ran.code == 0
    assert (status["phase"], status["process"]["running"]) == ("open", True)
    assert status["protection"] == before["protection"] | {
        "stop_distance_pct": status["protection"]["stop_distance_pct"]
    }


def test_run_with_json_writes_one_valid_status_per_tick(home: Home) -> None:
    ran = home.keeper("run", "--ticks", "3", "--json")

    lines = ran.out.splitlines()
    assert (ran.code, len(lines)) == (0, 3)
    assert [Ran(0, line, "").document["schema"] for line in lines] == ["keeper/status/1"] * 3


def test_people_get_text_and_the_same_exit_code(home: Home) -> None:
    status, verified = home.keeper("status"), home.keeper("verify")

    assert "position   long" in status.out
    assert "protection covered" in status.out
    assert verified.out.startswith("BTCUSDT: covered, long")
    assert (status.code, verified.code) == (0, 0)


def test_the_readme_queries_work_on_the_store(home: Home) -> None:
    """The first thing an operator copies must not be an error."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    queries = [q.strip() for q in readme.split("```sql")[1].split("```")[0].split(";")]

    with sqlite3.connect(home.folder / "var" / "keeper.db") as connection:
        answers = [connection.execute(query).fetchall() for query in queries if query]
    connection.close()

    assert len(answers) == 4
    assert answers[0][0][:2] == ("open", "long")


def test_explain_tells_an_order_from_intent_to_answer_with_its_rules(home: Home) -> None:
    """Every order sent can be explained afterwards (RULES B5)."""
    _, status = asked(home, "status")
    primary = next(s for s in status["protection"]["stops"] if s["role"] == "stop_primary")

    ran, explained = asked(home, "explain", primary["client_id"])

    assert ran.code == 0
    kinds = [event["kind"] for event in explained["events"]]
    assert kinds.index("intent") < kinds.index("answered")
    assert explained["events"][0]["reason"] == "arm_stop"
    assert explained["events"][0]["rules"] == ["E4"]


def test_explain_tells_a_whole_position_and_a_moment(home: Home) -> None:
    """A position is asked about by its own name, a moment by its time (RULES B5)."""
    _, status = asked(home, "status")

    _, life = asked(home, "explain", status["position"]["id"])
    _, moment = asked(home, "explain", status["position"]["opened_at"])

    assert {"intent", "fill"} <= {event["kind"] for event in life["events"]}
    assert any(event["kind"] == "fill" for event in moment["events"])


def test_explain_names_what_it_can_be_asked(home: Home) -> None:
    """A word that names nothing is a wrong question, not an empty answer."""
    ran = home.keeper("explain", "bogus", "--json")

    assert (ran.code, ran.document["code"]) == (2, "explain_subject_unknown")
