"""Every reason code the planner gives stands in one table, with the rules it stands for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.commands import BY_HAND
from engine.domain import reasons
from engine.domain.situation import SECOND_WRITER
from engine.plan import halts
from engine.plan.gates import GATES

ENGINE = Path(__file__).parents[2] / "engine"
PLAN = ENGINE / "plan"
NAMED = {"why", "reason", "closing_why", "level_reason"}


def test_every_gate_stands_in_the_table_in_its_order() -> None:
    """A gate whose code nobody can look up explains nothing (RULES E3, B5)."""
    assert [gate.__name__ for gate in GATES] == list(reasons.GATES)


@pytest.mark.parametrize("module", sorted(PLAN.glob("*.py")), ids=lambda path: path.stem)
def test_every_reason_a_rule_gives_stands_in_the_table(module: Path) -> None:
    """Codes land in the store and in other people's queries (RULES B5)."""
    rules = {node.name for node in ast.walk(_tree(module)) if isinstance(node, ast.FunctionDef)}

    unknown = {code for code in _codes(_tree(module)) if code not in reasons.REASONS} - rules

    assert unknown == set()


def test_every_reason_names_rules_that_exist() -> None:
    """A reason points at the rule it stands for (RULES B5)."""
    named = {rule for reason in reasons.REASONS.values() for rule in reason.rules}

    assert named <= set(reasons.RULES)


def test_every_reason_of_ill_health_stands_in_the_table() -> None:
    """Alarms are named by these codes, and the runbook is looked up by them (RULES B5)."""
    vitals, status = ENGINE / "vitals.py", ENGINE / "read" / "status.py"
    said = set(_first_of_pairs(_tree(vitals))) | set(_values_of("code", _tree(status)))
    halting = {halts.KEY_REFUSED, halts.ACCOUNT_RESTRICTED, halts.REQUEST_WRONG}
    halting |= {halts.CLOSE_UNFINISHED, SECOND_WRITER}

    assert said | halting | {BY_HAND} == set(reasons.HEALTH)


def test_every_reason_of_ill_health_names_rules_that_exist() -> None:
    named = {rule for reason in reasons.HEALTH.values() for rule in reason.rules}

    assert named <= set(reasons.RULES)


def _first_of_pairs(tree: ast.Module) -> Iterator[str]:
    """Yield the codes of pairs of code and words: a text of one word, then more."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple) and len(node.elts) == 2:
            yield from _texts(node.elts[0])


def _values_of(key: str, tree: ast.Module) -> Iterator[str]:
    """Yield the texts that stand under a key of a literal dictionary."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for name, value in zip(node.keys, node.values, strict=True):
                if isinstance(name, ast.Constant) and name.value == key:
                    yield from _texts(value)


def _tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def _codes(tree: ast.Module) -> Iterator[str]:
    """Yield the texts that stand where a reason stands: in holds, actions, closes, returns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            places = {"Hold": 1, "PlaceOrder": 3, "cancel": 2, "Configure": 4, "Candidate": 1}
            if name in places and len(node.args) > places[name]:
                yield from _texts(node.args[places[name]])
            for keyword in node.keywords:
                if keyword.arg in NAMED:
                    yield from _texts(keyword.value)
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Constant):
            yield from _texts(node.value)


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
