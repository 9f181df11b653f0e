"""Composition: from settings to a keeper that runs, with everything real.

No module-level state: many keepers fit in one process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import __version__
from engine.beside import Beside
from engine.config import Credentials, Settings, account_of
from engine.config.reload import reload
from engine.connection import ExchangeUnreachable, access_of, exchange_of, silence_of
from engine.domain.drift import DriftKind
from engine.domain.errors import InvalidInput, KeeperError, StoreUnavailable
from engine.domain.numbers import install_decimal_rules
from engine.domain.situation import Situation
from engine.exchange.binance.adapter import BinanceExchange
from engine.exchange.binance.client import BinanceAccess
from engine.exchange.gateway import Gateway
from engine.exchange.port import NOTHING_HEARD
from engine.intake import Intake
from engine.interlock import require_acknowledged
from engine.keeper import Keeper, Parts
from engine.leasehold import Leasehold
from engine.loop import RELOAD, Loop, Reasons, monotonic_ms, wall_guess_ms
from engine.schedule import CLOCK, EQUITY, RETENTION, Schedule
from engine.store.connect import OPENING_BUSY_MS
from engine.store.retention import PORTION, retire_ticks
from engine.store.shelf import EquitySample
from engine.store.spool import Spool
from engine.store.store import Store
from engine.vitals import Process, vitals

if TYPE_CHECKING:
    from engine.exchange.binance.stream import UserStream
    from engine.tick import TickReport

Listener = Callable[["TickReport"], None]
Note = Callable[[str], None]

KEY_REFUSED = frozenset({-2014, -2015, -1022})
DAY_MS = 86_400_000

ANCHORED_MAX_MS = 60_000
"""How old a measurement of the clock may be by which a lease is judged to have ended."""


class CredentialsRefused(KeeperError):
    """The exchange does not accept the key (exit code 4)."""

    code = "credentials_refused"
    exit_code = 4
    remedy = "check KEEPER_API_KEY and KEEPER_API_SECRET, the key's IP list and its rights"


class AccountUnusable(KeeperError):
    """The account is in a mode this keeper cannot work in (exit code 8)."""

    code = "account_unusable"
    exit_code = 8
    remedy = "set one-way position mode and single-asset margin, or choose a trading symbol"


@dataclass(slots=True)
class _World:
    """Everything of a running keeper that must be let go of in the end."""

    access: BinanceAccess
    exchange: BinanceExchange
    store: Store
    lease: Leasehold
    stream: UserStream | None = None
    schedule: Schedule | None = None
    beside: Beside | None = None

    def close(self) -> None:
        """Let go of threads, connections, the lease and the database."""
        if self.beside is not None:
            self.beside.stop()
        if self.schedule is not None:
            self.schedule.stop()
        if self.stream is not None:
            self.stream.stop()
        self.lease.release(self.exchange.now_ms())
        self.exchange.close()
        self.store.close()


class Running:
    """A keeper with everything real around it, and its loop."""

    def __init__(
        self,
        settings: Settings,
        credentials: Credentials | None,
        *,
        listener: Listener | None = None,
        note: Note | None = None,
        standby: bool = False,
        check: Callable[[], None] | None = None,
    ) -> None:
        """Connect, take the lease, put the parts together. Raises what stands in the way of that.

        A store out of reach does not stand in the way while anything is held or rests (RULES G5).
        ``check`` raises what stands against the first start with real money.
        """
        install_decimal_rules()
        self._settings = settings
        self._listener = listener
        self._note = note or _nothing
        self._check = check or _pass
        self._reasons = Reasons()
        self._reread: Callable[[], Settings] | None = None
        self._is_flat = False  # until a look says so
        self._anchored_ms = 0
        self._is_recorded = False
        access = access_of(settings, credentials)
        account = account_of(access.api_key)
        store = Store.at(
            settings.store.url,
            account=account,
            symbol=settings.symbol,
            recording=settings.ticks.record.value,
        )
        exchange = exchange_of(access, settings)
        limits = settings.limits()
        lease = Leasehold(
            store,
            self._note,
            ttl_ms=int(settings.store.lease_s * 1000),
            window_ms=max(limits.recv_window_ms, limits.recv_window_open_ms),
            clock_error_ms=limits.clock_error_max_ms,
        )
        self._world = _World(access, exchange, store, lease)
        try:
            self._begin(standby=standby)
        except BaseException:
            self._world.close()
            raise

    def _begin(self, *, standby: bool) -> None:
        settings, world = self._settings, self._world
        limits = settings.limits()
        gateway = Gateway(world.exchange, patience_ms=settings.exchange.patience_ms)
        self._silence = silence_of(settings, world.exchange)
        self._anchor(gateway)
        self._loop = Loop(
            self._tick, self._reasons, interval_ms=int(settings.loop.interval_s * 1000)
        )
        if standby:
            self._loop.listen_to_signals()  # it may wait for days, and must leave like any other
        world.lease.take(self._measured_ms, waits=standby, is_over=lambda: self._loop.is_stopping)
        now_ms = world.exchange.now_ms()
        require_acknowledged(settings, world.exchange, world.store, self._check, now_ms=now_ms)
        intake = Intake(settings.decisions, settings.symbol, limits)
        world.store.take_originals_from(intake.original)
        self.keeper = Keeper(
            Parts(
                store=world.store,
                intake=intake,
                gateway=gateway,
                limits=limits,
                patience_ms=settings.exchange.patience_ms,
                tenure=world.lease.renew,
                watch=world.lease.watch,
                is_stream_up=lambda: world.stream is not None and world.stream.is_up,
                hear=lambda: NOTHING_HEARD if world.stream is None else world.stream.heard(),
                note=self._note,
                spool=_spool(settings.store.spool, self._note),
            )
        )
        world.beside = Beside(settings, world.store, self._note, now_ms=now_ms)
        self._process = Process(
            version=__version__,
            mode=settings.mode.value,
            symbol=settings.symbol,
            pid=os.getpid(),
            started_ms=now_ms,
            interval_ms=int(settings.loop.interval_s * 1000),
        )

    def _measured_ms(self) -> int | None:
        """Return exchange time as measured within the last minute, None when it cannot be.

        Who waits for a lease for weeks must not judge its expiry by a clock that has drifted.
        """
        if monotonic_ms() - self._anchored_ms > ANCHORED_MAX_MS:
            try:
                self._world.exchange.anchor_clock()
            except KeeperError:
                return None
            self._anchored_ms = monotonic_ms()
        return self._world.exchange.now_ms()

    def _anchor(self, gateway: Gateway) -> None:
        try:
            gateway.anchor_clock()
            self._anchored_ms = monotonic_ms()
        except KeeperError as error:
            raise ExchangeUnreachable(
                f"{self._world.access.rest_url} gives no usable answer: {error}"
            ) from error

    def reload_from(self, reread: Callable[[], Settings]) -> None:
        """Read the configuration again with ``reread`` whenever SIGHUP comes."""
        self._reread = reread

    def run(self, *, ticks: int | None = None) -> None:
        """Tick until a signal or ``ticks`` times; the stops on the exchange stay."""
        self._loop.listen_to_signals(self._world.exchange.hurry)
        self._loop.run(ticks)

    def once(self) -> TickReport:
        """Run one tick, and a second where the first had to do without the store (RULES G5)."""
        report = self._tick(("once",))
        was_away = not report.situation.condition.is_store_writable
        return self._tick(("once",)) if was_away and self.keeper.books.is_writable else report

    def close(self) -> None:
        """Let go of everything."""
        self._world.close()

    def _tick(self, reasons: tuple[str, ...]) -> TickReport:
        if CLOCK in reasons:
            self.keeper.anchor_clock()
        if RELOAD in reasons:
            self._reload()
        report = self.keeper.tick(reasons)
        self._is_flat = _is_flat(report)
        if self._world.lease.lost is not None:
            raise self._world.lease.lost
        self._require_store(report)
        if self.keeper.ticks == 1:
            self._after_first(report)
        if EQUITY in reasons:
            self._sample_equity(report)
        if RETENTION in reasons:
            self._retire_ticks(report.now_ms)
        stream = self._world.stream
        if stream is not None and any(d.kind is DriftKind.STREAM_SILENT for d in report.drifts):
            stream.rebuild()
        usage = self._world.exchange.usage()
        self._silence.keep(usage, self._world.exchange.now_ms(), wall_guess_ms())
        fields = vitals(report, self._process, self._loop.overruns) | {
            "requests_sent": usage.requests,
            "requests_weight": usage.weight_spent,
        }
        self._world.lease.fields = fields
        if self._world.beside is not None:
            self._world.beside.after(report, fields)
        if self._listener is not None:
            self._listener(report)
        return report

    def _after_first(self, report: TickReport) -> None:
        """Judge what makes going on pointless, then start what only helps."""
        for failure in report.situation.observation.failures:
            if failure.code in KEY_REFUSED:
                raise CredentialsRefused(f"the exchange refuses the key: {failure.text}")
        _require_usable(report.situation)
        self._world.schedule = Schedule(self._reasons.put)
        self._world.schedule.start()
        if self._settings.exchange.user_stream:
            from engine.exchange.binance.stream import UserStream  # the first tick does not wait

            world = self._world
            world.stream = UserStream(
                world.access, self._reasons.put, world.exchange.now_ms, world.exchange.gate
            )
            world.stream.start()

    def _reload(self) -> None:
        """Take what is safe of the configuration as it is now, and tell what was not taken."""
        world = self._world
        if self._reread is None or world.beside is None:
            return
        world.beside.service.reloading()
        try:
            found = reload(self._settings, self._reread(), is_open=not self._is_flat)
        except InvalidInput as error:
            self._told_of_reload(
                "reload_refused", f"nothing was taken: {error}; {error.remedy}", {}
            )
        else:
            self._take(found.settings)
            self._told_of_reload("reload", found.text(), {**found.document()})
        world.beside.service.reloaded()

    def _take(self, settings: Settings) -> None:
        self._settings = settings
        interval_ms = settings.loop.interval_ms
        self._process = replace(self._process, interval_ms=interval_ms)
        self._loop.keep_pace(interval_ms)
        self.keeper.take_limits(settings.limits())
        self._is_recorded = False  # the tick that follows records them
        if self._world.beside is not None:
            self._world.beside.follow(settings)

    def _told_of_reload(self, reason: str, text: str, data: dict[str, Any]) -> None:
        self._note(f"configuration read again: {text}")
        now_ms = self._world.exchange.now_ms()
        with suppress(StoreUnavailable):
            self._world.store.note(now_ms, "operator", reason, text, data=data)

    def _require_store(self, report: TickReport) -> None:
        """Record what runs here; end a start without a store when nothing is at stake (G5).

        While anything is held or rests the keeper goes on without its store and protects it. A
        locked one gets a moment before the start is given up.
        """
        store = self._world.store
        if store.trouble is None:
            if not self._is_recorded:
                settings = self._settings
                text, mode = settings.canonical(), settings.mode.value
                try:
                    store.record_settings(text, mode, report.now_ms)
                except StoreUnavailable as error:
                    self._note(str(error))  # the next tick tries again, or knows that it is away
                else:
                    self._is_recorded = True
            return
        if not self.keeper.books.was_ever_open and report.is_nothing_at_stake:
            store.reopen(busy_ms=OPENING_BUSY_MS)
            store.recall()

    def _retire_ticks(self, now_ms: int) -> None:
        """Remove a portion of old tick rows; the next tick takes the next one, if there is more."""
        keep_days = self._settings.ticks.keep_days
        if keep_days == 0:
            return
        try:
            retired = retire_ticks(self._world.store.desk, now_ms - keep_days * DAY_MS)
        except StoreUnavailable:
            return  # the tick says so itself; the job comes again
        if retired == PORTION:
            self._reasons.put(RETENTION)

    def _sample_equity(self, report: TickReport) -> None:
        account = report.situation.observation.account
        if account is None:
            return
        sample = EquitySample(
            kind="sample",
            at_ms=account.at_ms,
            wallet=account.value.wallet,
            unrealized_pnl=account.value.unrealized_pnl,
            equity=account.value.equity,
        )
        try:
            self._world.store.add_equity(sample)
        except StoreUnavailable as error:
            self._note(str(error))


def build(
    settings: Settings,
    credentials: Credentials | None,
    *,
    listener: Listener | None = None,
    note: Note | None = None,
    standby: bool = False,
    check: Callable[[], None] | None = None,
) -> Running:
    """Return a keeper ready to run; raises what stands in the way, named and with a remedy."""
    return Running(
        settings, credentials, listener=listener, note=note, standby=standby, check=check
    )


def _is_flat(report: TickReport) -> bool:
    """Return whether a look found nothing held and no life under way."""
    ledger = report.ledger
    is_idle = ledger.life is None and ledger.position_quantity == 0 and not ledger.hedged
    return is_idle and report.situation.has_picture


def _require_usable(situation: Situation) -> None:
    mode, instrument = situation.observation.account_mode, situation.instrument
    observation = situation.observation
    if observation.hedged is not None and observation.hedged.value:
        return  # somebody's positions: their stops are worth running for, and nothing else is done
    if observation.is_hedge and observation.position is not None:
        raise AccountUnusable("the account is in hedge mode")
    if mode is not None and mode.value.is_multi_assets:
        raise AccountUnusable("the account uses multi-assets margin")
    if instrument is not None and not instrument.is_trading:
        raise AccountUnusable(f"{instrument.symbol} is not trading")


def _spool(path: Path, note: Note) -> Spool | None:
    """Return the spool, None where it cannot be had: it is a second net, not a condition."""
    try:
        return Spool(path)
    except StoreUnavailable as error:
        note(f"no spool: {error}")
        return None


def _nothing(_: str) -> None:
    """Ignore a note."""


def _pass() -> None:
    """Check nothing: who builds a keeper for real money brings a check."""
