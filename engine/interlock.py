"""The deliberate step to real money: ``mode: live`` wants the account's alias repeated by hand.

Invariants: in live mode nothing but reads leaves before the exchange itself has named the account
that ``live.acknowledge`` names, and before a check has passed; once both are so they are kept with
the store, per key and symbol, so that no restart beside a position waits for them again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from engine.config import Mode, Settings
from engine.domain.errors import InvalidInput, StoreUnavailable
from engine.store.store import Store

KEY = "live_acknowledged"
"""Where the store keeps that the step was taken."""

PATIENCE_MS = 5_000


class TellsAlias(Protocol):
    """An exchange that says whose account the key opens."""

    def account_alias(self, patience_ms: int) -> str:
        """Return the account's alias; raises a fate."""


def require_acknowledged(
    settings: Settings,
    exchange: TellsAlias,
    store: Store,
    check: Callable[[], None],
    *,
    now_ms: int,
) -> None:
    """Pass when the mode is not live or the step was taken; ``check`` raises what stands against.

    A store out of reach remembers nothing: then the exchange is asked again. Raises
    ``InvalidInput`` (exit code 3) when the key opens another account than the one acknowledged.
    """
    if settings.mode is not Mode.LIVE:
        return
    wanted = settings.live.acknowledge
    if wanted is not None and _kept(store) == wanted:
        return
    alias = exchange.account_alias(PATIENCE_MS)
    if alias != wanted:
        raise InvalidInput(
            "live_not_acknowledged",
            "mode: live trades real money, and the key opens another account than the one named",
            field="live.acknowledge",
            value=wanted,
            remedy="`keeper check` shows the alias of the key's account: repeat it, or use the key "
            "of the account you mean",
        )
    check()
    with suppress(StoreUnavailable):
        store.set_state(KEY, json.dumps({"alias": alias, "at_ms": now_ms}), now_ms)


def _kept(store: Store) -> str | None:
    """Return the alias that was acknowledged and checked before, None when none was."""
    try:
        text = store.get_state(KEY)
    except StoreUnavailable:
        return None
    return None if text is None else str(json.loads(text).get("alias"))
