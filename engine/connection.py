"""From settings to the exchange they name: where it is, with which key, behind which lanes.

Paper mode's venue is found or started here; nothing else of a keeper is needed for it, so that
``keeper verify`` and ``keeper decide`` ask the exchange without store or lease. Whoever asks keeps
the silence that the keeper of these settings was asked for.
"""

from __future__ import annotations

from engine.config import Credentials, Settings
from engine.domain.errors import InvalidInput, KeeperError
from engine.domain.numbers import install_decimal_rules
from engine.exchange.binance.adapter import BinanceExchange
from engine.exchange.binance.client import BinanceAccess
from engine.exchange.binance.clock import ExchangeClock
from engine.exchange.binance.lanes import LanePool
from engine.loop import monotonic_ms, wall_guess_ms
from engine.silence import Silence


class ExchangeUnreachable(KeeperError):
    """The exchange gave no usable answer at the start (exit code 5)."""

    code = "exchange_unreachable"
    exit_code = 5
    remedy = "check exchange.rest_url and the network; stops on the exchange go on resting"


def connect(settings: Settings, credentials: Credentials | None) -> BinanceExchange:
    """Return the exchange of the settings; in paper mode its venue is found or started."""
    install_decimal_rules()
    return exchange_of(access_of(settings, credentials), settings)


def access_of(settings: Settings, credentials: Credentials | None) -> BinanceAccess:
    """Return where the exchange is and with which key; starts paper mode's venue when needed."""
    urls = settings.urls
    if urls is None:
        from engine import paper  # only paper mode starts processes

        venue = paper.ensure(
            settings.paper.state,
            options=paper.options_of(settings.paper, settings.symbol),
            port=settings.paper.port,
        )
        return BinanceAccess(
            rest_url=venue.rest_url,
            stream_url=venue.stream_url,
            api_key=venue.api_key,
            api_secret=venue.api_secret,
            symbol=settings.symbol,
        )
    if credentials is None:
        raise InvalidInput(
            "credentials_missing",
            "the exchange needs a key",
            field="KEEPER_API_KEY",
            remedy="set KEEPER_API_KEY and KEEPER_API_SECRET in the environment",
            exit_code=4,
        )
    return BinanceAccess(
        rest_url=urls[0],
        stream_url=urls[1],
        api_key=credentials.api_key,
        api_secret=credentials.api_secret,
        symbol=settings.symbol,
    )


def exchange_of(access: BinanceAccess, settings: Settings) -> BinanceExchange:
    """Return the exchange there, its clock not yet measured; nothing is asked.

    A silence that the settings' keeper was asked for holds from the start (RULES H4).
    """
    wall_ms = wall_guess_ms()
    exchange = BinanceExchange(
        access, LanePool(access), ExchangeClock(monotonic_ms, guess_ms=wall_ms)
    )
    silence_of(settings, exchange).restore(wall_ms)
    return exchange


def silence_of(settings: Settings, exchange: BinanceExchange) -> Silence:
    """Return where the silences of the settings' keeper are written down, beside its spool."""
    return Silence(settings.store.spool.with_suffix(".silence"), exchange.gate)
