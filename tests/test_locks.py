"""The lock files say what is installed, and nothing about where from."""

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parent.parent / "requirements"
SETS = ("run", "dev", "clients")
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)(\[[a-z0-9,-]+\])?==(?P<version>[^ ;]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    text = (REQUIREMENTS / f"{name}.txt").read_text()
    return {match["name"]: match["version"] for match in PIN.finditer(text)}


@pytest.mark.parametrize("name", SETS)
def test_a_lock_holds_pins_with_hashes_and_nothing_else(name: str) -> None:
    """An index address, a folder of somebody's machine or a loose version would travel unseen."""
    text = (REQUIREMENTS / f"{name}.txt").read_text()
    entries = text.replace("\\\n", " ").splitlines()

    strange = [
        entry
        for entry in entries
        if not re.fullmatch(
            r"[a-z0-9-]+==[^ ;/@]+( ; [^/@]+?)?( +--hash=sha256:[0-9a-f]{64})+", entry
        )
    ]

    assert strange == []


def test_the_dev_set_contains_the_run_set_at_the_same_versions() -> None:
    """Set-up takes a finished dev set for a finished run set."""
    run, dev = pins("run"), pins("dev")

    assert {name: dev.get(name) for name in run} == run


def test_websockets_stays_where_python_binance_can_import_it() -> None:
    """python-binance imports a name of the legacy module (docs/dependencies.md)."""
    from websockets import WebSocketClientProtocol  # type: ignore[attr-defined]  # noqa: PLC0415

    assert WebSocketClientProtocol.__module__.startswith("websockets.legacy")
