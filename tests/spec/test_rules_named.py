"""Which rules and field lessons the tests name: a table for people, printed with ``-s``.

Nothing fails here yet for a rule that no test names; the table says where to write next.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
COUNTS = {"A": 6, "B": 6, "C": 6, "D": 5, "E": 9, "F": 11, "G": 6, "H": 4}
RULES = tuple(f"{letter}{n}" for letter, count in COUNTS.items() for n in range(1, count + 1))
LESSONS = tuple(range(1, 51))
_RULE = re.compile(r"\b([A-H])(\d{1,2})\b")
_RULES_TEXT = re.compile(r"RULES ((?:[A-H]\d{1,2}(?:,? (?:to |and )?)?)+)")
_LESSONS_TEXT = re.compile(r"[Ll]essons? ((?:\d{1,2}(?:, | and )?)+)")


def documented(path: Path) -> Iterator[tuple[str, str]]:
    """Yield every test's name with its docstring, and the module's own."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield path.stem, ast.get_docstring(tree) or ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name, ast.get_docstring(node) or ""


def named() -> tuple[dict[str, list[str]], dict[int, list[str]]]:
    """Return the tests that name each rule, and each lesson."""
    rules: dict[str, list[str]] = defaultdict(list)
    lessons: dict[int, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for name, text in documented(path):
            for group in _RULES_TEXT.findall(text):
                for letter, number in _RULE.findall(group):
                    rules[f"{letter}{int(number)}"].append(name)
            for group in _LESSONS_TEXT.findall(text):
                for number in re.findall(r"\d+", group):
                    lessons[int(number)].append(name)
    return rules, lessons


def test_the_rules_and_lessons_that_tests_name(capsys: pytest.CaptureFixture[str]) -> None:
    """The table: rule, how many tests, the first of them."""
    rules, lessons = named()

    lines = [f"{rule:>10}  {len(rules[rule]):>4}  {_first(rules[rule])}" for rule in RULES]
    lines += [f"lesson {n:>3}  {len(lessons[n]):>4}  {_first(lessons[n])}" for n in LESSONS]
    missing = [r for r in RULES if not rules[r]] + [
        f"lesson {n}" for n in LESSONS if not lessons[n]
    ]
    with capsys.disabled():
        if missing:
            print(f"\nnot named in any test: {', '.join(missing)}")  # noqa: T201 - for people
    print("\n".join(lines))  # noqa: T201 - for people

    assert len(lines) == len(RULES) + len(LESSONS)
    assert len(rules) > len(RULES) // 2


def test_tests_name_only_rules_that_exist() -> None:
    """A rule that was renumbered must be renumbered here too."""
    rules, lessons = named()

    assert set(rules) - set(RULES) == set()
    assert set(lessons) - set(LESSONS) == set()


def _first(names: list[str]) -> str:
    return names[0] if names else "-"
