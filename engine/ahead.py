"""What the next tick would see and do: a look by somebody who neither writes nor sends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from engine.config import Credentials, Settings, account_of
from engine.connection import ExchangeUnreachable, access_of, exchange_of
from engine.domain.action import Plan
from engine.domain.drift import Drift
from engine.domain.errors import KeeperError
from engine.domain.numbers import install_decimal_rules
from engine.domain.situation import Situation
from engine.exchange.gateway import Gateway
from engine.intake import Intake
from engine.keeper import Keeper, Parts
from engine.leasehold import Tenure
from engine.store.store import Store

Note = Callable[[str], None]

SETTLING_LOOKS = 2


def look_ahead(
    settings: Settings, credentials: Credentials | None, *, note: Note | None = None
) -> tuple[Situation, tuple[Drift, ...], Plan]:
    """Return what the next tick would see and do, without recording or doing it.

    No lease is taken, so that it works beside a running keeper; the plan is made as if we had it.
    """
    install_decimal_rules()
    access = access_of(settings, credentials)
    limits, note = settings.limits(), note or (lambda _: None)
    with (
        closing(
            Store.open(
                settings.store.url, account=account_of(access.api_key), symbol=settings.symbol
            )
        ) as store,
        closing(exchange_of(access, settings)) as exchange,
    ):
        gateway = Gateway(exchange, patience_ms=settings.exchange.patience_ms)
        try:
            gateway.anchor_clock()
        except KeeperError as error:
            raise ExchangeUnreachable(
                f"{access.rest_url} gives no usable answer: {error}"
            ) from error
        keeper = Keeper(
            Parts(
                store=store,
                intake=Intake(settings.decisions, settings.symbol, limits),
                gateway=gateway,
                limits=limits,
                patience_ms=settings.exchange.patience_ms,
                tenure=lambda _: Tenure(),
                is_stream_up=lambda: False,
                note=note,
                obeys=False,
            )
        )
        # The first looks of a process read history and settle the picture; a keeper that runs has
        # long done both, so what it would do next is what comes after them.
        situation, drifts, plan = keeper.preview()
        for _ in range(SETTLING_LOOKS):
            situation, drifts, plan = keeper.preview(situation.ledger)
        return situation, drifts, plan
