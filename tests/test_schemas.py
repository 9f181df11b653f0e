"""Every document of the contracts has a schema that lets it through and stops a broken one."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.schemas import SCHEMAS, validate, validator

DOCUMENTS = Path(__file__).parent / "documents"
NAMES = sorted(file.stem for file in DOCUMENTS.glob("*.json"))
CONTRACT = (
    "status history report plan check verify replay explain simulate scenario venue bench error"
)
ADDED = "decide db command event"


def _document(name: str) -> dict[str, object]:
    document = json.loads((DOCUMENTS / f"{name}.json").read_text())
    assert isinstance(document, dict)
    return document


def _put(document: object, path: str, value: object) -> None:
    *places, last = path.split("/")
    for place in places:
        document = document[int(place) if isinstance(document, list) else place]  # type: ignore[index]
    document[int(last) if isinstance(document, list) else last] = value  # type: ignore[index]


def _is_refused(document: dict[str, object]) -> bool:
    return not validator(str(document["schema"])).is_valid(document)


def test_every_document_of_the_contracts_has_an_example_and_a_schema() -> None:
    schemas = {file.stem for file in SCHEMAS.glob("*.json")}

    assert set(NAMES) == {f"{name}-1" for name in f"{CONTRACT} {ADDED}".split()}
    assert schemas == {*NAMES, "common"}


@pytest.mark.parametrize("name", [*NAMES, "common"])
def test_a_schema_is_itself_valid(name: str) -> None:
    Draft202012Validator.check_schema(json.loads((SCHEMAS / f"{name}.json").read_text()))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_passes(name: str) -> None:
    validate(_document(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_key_that_was_added_changes_nothing(name: str) -> None:
    """Adding keys is free: readers of an older schema go on working."""
    validate({**_document(name), "added_later": {"any": 1}})


@pytest.mark.parametrize("name", NAMES)
def test_an_example_without_one_of_its_required_keys_is_refused(name: str) -> None:
    """Removing a key raises the number, so it must not pass unnoticed."""
    document = _document(name)
    required = json.loads((SCHEMAS / f"{name}.json").read_text())["required"]

    for key in required:
        broken = {k: v for k, v in document.items() if k != key}
        if key == "schema":
            with pytest.raises(AssertionError, match="no schema named"):
                validate(broken)
        else:
            assert _is_refused(broken), key


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("status-1", "at", "2026-03-04T09:20:00Z"),
        ("status-1", "at", "2026-03-04 09:20:00.000Z"),
        ("status-1", "health/state", "fine"),
        ("status-1", "process/last_tick_age_s", "0.6"),
        ("status-1", "position/quantity", "0"),
        ("status-1", "position/quantity", 0.021),
        ("status-1", "position/entry_price", "9.07412e4"),
        ("status-1", "protection/stops", ["kp41c9zd00bs002"]),
        ("status-1", "protection/stops/0/role", "stop"),
        ("status-1", "protection/stops/0/trigger_price", 90612.5),
        ("status-1", "phase", "OPEN"),
        ("history-1", "trades/0/net_pnl", None),
        ("history-1", "trades/0/exit_reason", "stopped"),
        ("history-1", "trades/0/fills/0/quantity", "-0.021"),
        ("history-1", "trades/0/naked_s", "0"),
        ("report-1", "checks/6/name", "covered_throughout"),
        ("report-1", "restarts/0/covered_after_s", -1),
        ("plan-1", "effective_zone", ["90690.0"]),
        ("plan-1", "gates/0/verdict", "fail"),
        ("plan-1", "actions/0/order", None),
        ("plan-1", "actions/0/class", "safety"),
        ("check-1", "checks/0/severity", "fatal"),
        ("verify-1", "verdict", "naked"),
        ("verify-1", "position/side", "sell"),
        ("replay-1", "digest", "5e5e"),
        ("explain-1", "events/0/kind", "thought"),
        ("simulate-1", "violations/0/checker", "naked"),
        ("simulate-1", "totals/kills", -1),
        ("scenario-1", "final/orders", "0"),
        ("venue-1", "rest_url", "127.0.0.1:40123"),
        ("venue-1", "event", "started"),
        ("bench-1", "results/0/name", "plan_ms"),
        ("error-1", "code", "Config Unknown"),
        ("error-1", "message", ""),
    ],
)  # fmt: skip
def test_a_broken_value_is_refused(name: str, path: str, value: object) -> None:
    document = copy.deepcopy(_document(name))
    _put(document, path, value)

    assert _is_refused(document)


def test_a_flat_status_that_names_a_stop_level_is_refused() -> None:
    """Flat has stop_level null: a level without a position would be read as protection."""
    document = _document("status-1")
    document["phase"], document["position"] = "flat", None

    assert _is_refused(document)
    _put(document, "protection/stop_level", None)
    validate(document)


def test_a_document_under_an_unknown_schema_is_refused() -> None:
    with pytest.raises(AssertionError, match="has no schema"):
        validate({"schema": "keeper/status/2"})
