"""Wrong usage, help and wrong configuration: one line, one document, one exit code."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import keeper

VERBS = {
    *("run", "once", "plan", "decide", "status", "history", "report", "check", "verify"),
    *("demo", "simulate", "db", "venue", "replay", "halt", "resume", "flatten", "adopt"),
}


def test_help_names_every_verb_and_costs_next_to_nothing(tmp_path: Path) -> None:
    """Help is what a new user types first; it must not import an exchange library."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = keeper("--help", cwd=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert ran.code == 0
    listed = {line.split()[0] for line in ran.out.splitlines() if line.startswith("    ")}
    assert listed >= VERBS
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.4


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    """Each verb brings its own imports; the parser needs none of them."""
    text = (
        "import sys; from engine.cli.main import build_parser; build_parser();"
        "heavy = {'pydantic', 'sqlalchemy', 'binance', 'requests', 'aiohttp', 'rich', 'yaml'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=tmp_path, env={**os.environ, "PYTHONPATH": root},
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--tics", "3"),
        ("run", "--ticks", "0"),
        ("decide", "sideways"),
        ("fly",),
        ("db", "downgrade"),
    ],
    ids=["misspelt option", "no ticks", "unknown choice", "unknown verb", "missing revision"],
)
def test_wrong_usage_is_two_with_a_document_and_a_line(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    """A script tells wrong usage from a wrong answer by the code alone."""
    (tmp_path / "config.yaml").write_text("mode: paper\n")

    ran = keeper(*words, "--json", cwd=tmp_path)

    assert ran.code == 2
    assert ran.document["code"] == "usage"
    assert ran.err.startswith("keeper: ")
    assert len(ran.err.splitlines()) == 1


def test_an_unknown_key_is_three_and_names_the_nearest_known_one(tmp_path: Path) -> None:
    """A misspelt setting that is ignored would be found out with real money."""
    (tmp_path / "config.yaml").write_text("entry: {post_onyl: true}\n")

    ran = keeper("status", "--json", cwd=tmp_path)

    assert ran.code == 3
    assert ran.document["field"] == "entry.post_onyl"
    assert "entry.post_only" in str(ran.document["remedy"])


def test_a_missing_configuration_is_three_and_says_which_file(tmp_path: Path) -> None:
    ran = keeper("status", "--config", tmp_path / "no.yaml", cwd=tmp_path)

    assert (ran.code, ran.out) == (3, "")
    assert str(tmp_path / "no.yaml") in ran.err


def test_options_may_stand_before_or_after_the_verb(tmp_path: Path) -> None:
    (tmp_path / "here.yaml").write_text("store: {url: 'sqlite:///here.db'}\n")

    before = keeper("--json", "--config", "here.yaml", "db", "current", cwd=tmp_path)
    after = keeper("db", "current", "--config", "here.yaml", "--json", cwd=tmp_path)

    assert before.document == after.document
    assert before.document["store"] == str(tmp_path / "here.db")


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    """`keeper ... | head` must end quietly."""
    (tmp_path / "config.yaml").write_text("mode: paper\n")
    root = str(Path(__file__).parents[2])
    child = subprocess.Popen(
        [sys.executable, "-m", "engine.cli.main", "db", "current", "--json"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    child.stdout.close()

    _, complaint = child.communicate(timeout=30)

    assert (child.returncode, complaint) == (0, b"")
