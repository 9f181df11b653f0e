"""Every rule and every field lesson is named by a test; the table is for people (``-s``)."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from engine.domain.reasons import RULES

TESTS = Path(__file__).parents[1]
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


def test_every_rule_and_every_lesson_is_named_by_a_test() -> None:
    """What no test names may be broken by anybody, and nobody would know."""
    rules, lessons = named()

    assert [f"{rule}: {RULES[rule]}" for rule in RULES if rule not in rules] == []
    assert [f"lesson {n}" for n in LESSONS if n not in lessons] == []


def test_the_rules_and_lessons_that_tests_name() -> None:
    """The table: rule, how many tests, the first of them."""
    rules, lessons = named()

    lines = [f"{rule:>10}  {len(rules[rule]):>4}  {_first(rules[rule])}" for rule in RULES]
    lines += [f"lesson {n:>3}  {len(lessons[n]):>4}  {_first(lessons[n])}" for n in LESSONS]
    print("\n".join(lines))  # noqa: T201 - for people

    assert len(lines) == len(RULES) + len(LESSONS)


def test_tests_name_only_rules_that_exist() -> None:
    """A rule that was renumbered must be renumbered here too."""
    rules, lessons = named()

    assert set(rules) - set(RULES) == set()
    assert set(lessons) - set(LESSONS) == set()


def _first(names: list[str]) -> str:
    return names[0] if names else "-"
