"""The store: what a tick recalls and records, for one account and symbol, on SQLite or Postgres.

Invariants: a tick in which nothing changed writes nothing; intents are committed before the
requests leave, protection first; the database refuses a wider stop by itself; every failure is
``StoreUnavailable`` with place and remedy, and what was committed before it stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.domain.action import Halt, Outcome, Plan
from engine.domain.condition import Command, HaltReason, OperatorCommand
from engine.domain.drift import Drift
from engine.domain.errors import InvariantBroken, StoreUnavailable
from engine.domain.identity import ClientOrderId
from engine.domain.ledger import Ledger
from engine.domain.situation import Situation
from engine.store import schema
from engine.store.changes import changes
from engine.store.connect import BUSY_MS, OPENING_BUSY_MS, Desk, Place, make_database, naming
from engine.store.events import Events
from engine.store.recall import Recall
from engine.store.shelf import EquitySample, Shelf
from engine.store.ticklog import Recording, TickLog
from engine.store.writing import Writer


class Store:
    """One keeper's memory; used by the thread that ticks, and by no other at the same time."""

    def __init__(self, desk: Desk, recording: Recording = "changes") -> None:
        self.desk = desk
        self._recording = recording
        self._events = Events(desk)
        self._recall = Recall(desk)
        self._writer = Writer(desk, self._events)
        self._ticks = TickLog(desk, self._events, recording)
        self._shelf = Shelf(desk, self._events)
        self._live: dict[str, Any] = {}

    @classmethod
    def open(
        cls,
        url: str,
        *,
        account: str,
        symbol: str,
        migrate: bool = True,
        recording: Recording = "changes",
    ) -> Store:
        """Return the store at ``url``, its schema brought up to date when ``migrate``.

        ``sqlite://`` is a new store in memory. Raises ``StoreUnavailable``: not writable, made by
        a newer version, behind while ``migrate`` is false, or a migration failed.
        """
        store = cls.at(url, account=account, symbol=symbol, recording=recording)
        try:
            store.reopen(migrate=migrate, creates=migrate, busy_ms=OPENING_BUSY_MS)
        except StoreUnavailable:
            store.close()
            raise
        return store

    @classmethod
    def at(cls, url: str, *, account: str, symbol: str, recording: Recording = "changes") -> Store:
        """Return the store at ``url`` without touching it: until ``reopen`` it is out of reach."""
        place = Place(url)
        desk = Desk(place, make_database(place), account, symbol)
        desk.shut(StoreUnavailable(f"store {place.shown}: not opened yet", place=place.shown))
        return cls(desk, recording)

    def reopen(self, *, migrate: bool = True, creates: bool = True, busy_ms: int = BUSY_MS) -> None:
        """Try whether the store can be written and has our schema; shut again when not.

        Waits at most ``busy_ms`` for another writer. Raises ``StoreUnavailable`` (``SchemaBehind``
        when only a migration is missing and ``migrate`` is false).
        """
        desk = self.desk
        desk.unshut()
        fence, desk.fence = desk.fence, None  # it asks for the schema that is only being looked for
        try:
            if desk.place.path is not None:
                with naming(desk.place, "making its folder"):
                    desk.place.path.parent.mkdir(parents=True, exist_ok=True)
            with naming(desk.place, "opening"):
                desk.wait_at_most(busy_ms)
            with desk.transaction("opening for writing"):
                pass
            schema.bring_up(desk, migrate=migrate, creates=creates)
            with naming(desk.place, "opening"):
                desk.wait_at_most(BUSY_MS)
        except StoreUnavailable as error:
            desk.shut(error)
            raise
        finally:
            desk.fence = fence

    @property
    def trouble(self) -> StoreUnavailable | None:
        """Return why the store is out of reach, None while it is not."""
        return self.desk.trouble

    def shut(self, trouble: StoreUnavailable) -> None:
        """Let the store be out of reach until ``reopen``: every use is refused at once."""
        self.desk.shut(trouble)

    def sibling(self, *, account: str | None = None, symbol: str | None = None) -> Store:
        """Return another store over this one's database in memory, remembering nothing.

        What a killed process's successor, or a second keeper, finds: a transaction left open is
        rolled back. For a store in a file, ``open`` it again instead.
        """
        old = self.desk
        if not old.place.is_memory:
            raise StoreUnavailable("only a store in memory has siblings", place=old.place.shown)
        if old.raw.in_transaction:
            old.raw.rollback()
        old.drop()
        desk = Desk(old.place, old.database, account or old.account, symbol or old.symbol)
        return Store(desk, self._recording)

    def recall(self) -> Ledger:
        """Return the ledger as last recorded: what a restarted process would know.

        Rows that spell no ledger are a store that cannot be read, like a broken file.
        """
        try:
            return self._recall.ledger()
        except (ArithmeticError, InvariantBroken, LookupError, TypeError, ValueError) as error:
            place = self.desk.place.shown
            raise StoreUnavailable(
                f"store {place}: what it holds cannot be understood: {error!r}",
                place=place,
                remedy="keep the file and report it; without it the keeper rebuilds from the"
                " exchange",
            ) from error

    def record_intent(
        self,
        now_ms: int,
        recalled: Ledger,
        situation: Situation,
        drifts: Sequence[Drift],
        plan: Plan,
        *,
        reasons: Sequence[str] = (),
    ) -> frozenset[ClientOrderId]:
        """Record what is about to be done; return the ids of orders that must not be sent.

        These are the stops whose level the database refused (never widen). Protection is
        committed first: when this raises ``StoreUnavailable``, nothing that can open may be sent.
        """
        self._events.tick = situation.condition.tick
        self._remember_live(situation, plan)
        change = changes(recalled, plan.ledger)
        epoch = situation.condition.epoch
        refused = self._writer.write(change, plan.ledger, now_ms=now_ms, epoch=epoch)
        for action in plan.actions:
            if isinstance(action, Halt):
                self._shelf.add_halt(HaltReason(action.code, action.detail, now_ms))
        self._ticks.record(
            now_ms,
            recalled,
            situation,
            drifts,
            plan,
            reasons=reasons,
            ledger_changed=not change.are_none,
        )
        return refused

    def record_outcomes(
        self, now_ms: int, before: Ledger, after: Ledger, outcomes: Sequence[Outcome]
    ) -> None:
        """Record what became of the requests; ``before`` is the plan's ledger."""
        change = changes(before, after)
        self._writer.write(change, after, now_ms=now_ms, epoch=self._writer.epoch)
        if not outcomes:
            return
        try:
            with self.desk.transaction("recording outcomes") as connection:
                for outcome in outcomes:
                    self._events.add_outcome(connection, outcome)
                self._ticks.record_outcomes(connection, outcomes)
        except StoreUnavailable:
            self._ticks.forget()
            raise

    def note(
        self,
        now_ms: int,
        kind: str,
        reason: str,
        text: str,
        *,
        order_id: str | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        """Add one event that belongs to no ledger change (a lost lease, a gap in the records)."""
        with self.desk.transaction("recording an event") as connection:
            self._events.add(connection, now_ms, kind, reason, text, order_id=order_id, data=data)

    def beat(self, now_ms: int, fields: dict[str, Any]) -> bool:
        """Write the heartbeat at most once a second; return whether it was written.

        ``fields`` as `keeper status` shows them; mark price, last price and what is next are
        added from the last recorded situation.
        """
        return self._shelf.beat(now_ms, self._live | fields)

    def live(self) -> dict[str, Any]:
        """Return what the heartbeat adds of the last recorded situation."""
        return self._live

    def is_beat_due(self, now_ms: int) -> bool:
        """Return whether a second passed since the last heartbeat."""
        return self._shelf.is_beat_due(now_ms)

    def beaten(self, now_ms: int) -> None:
        """Remember that the heartbeat was written with a lease's renewal."""
        self._shelf.beaten_ms = now_ms

    def halts(self) -> tuple[HaltReason, ...]:
        """Return the standing reasons why entries are stopped."""
        return self._shelf.halts()

    def add_halt(self, halt: HaltReason) -> None:
        """Stop entries until ``clear_halts``; a reason that stands already keeps its date."""
        self._shelf.add_halt(halt)

    def clear_halts(self, now_ms: int, by: str) -> int:
        """Lift every halt; return how many stood."""
        return self._shelf.clear_halts(now_ms, by)

    def pending_commands(self) -> tuple[OperatorCommand, ...]:
        """Return operator commands not yet finished, oldest first."""
        return self._shelf.pending_commands()

    def add_command(self, command: Command, *, by: str, why: str, at_ms: int) -> int:
        """Ask the keeper for something; return the command's id."""
        return self._shelf.add_command(command, by=by, why=why, at_ms=at_ms)

    def finish_command(self, command_id: int, result: str, now_ms: int) -> None:
        """Say what became of a command."""
        self._shelf.finish_command(command_id, result, now_ms)

    def get_state(self, key: str) -> str | None:
        """Return the JSON text kept under ``key``, None when there is none."""
        return self._shelf.get_state(key)

    def set_state(self, key: str, value: str, now_ms: int) -> None:
        """Keep JSON text under ``key``; the same text again writes nothing."""
        self._shelf.set_state(key, value, now_ms)

    def add_equity(self, sample: EquitySample) -> None:
        """Add an equity sample."""
        self._shelf.add_equity(sample)

    def equity_since(self, since_ms: int, kind: str | None = None) -> tuple[EquitySample, ...]:
        """Return equity samples from ``since_ms`` on, oldest first."""
        return self._shelf.equity_since(since_ms, kind)

    def record_settings(self, text: str, mode: str, now_ms: int) -> str:
        """Record the settings this process runs with, once per change; return their digest."""
        return self._shelf.record_settings(text, mode, now_ms)

    def take_originals_from(self, original: Callable[[str], str | None]) -> None:
        """Store each decision document as it came; ``original`` gives its text by digest."""
        self._ticks.original = original

    def close(self) -> None:
        """Let go of the database."""
        self.desk.drop()
        self.desk.database.dispose()

    def _remember_live(self, situation: Situation, plan: Plan) -> None:
        observation = situation.observation
        self._live = {
            "mark_price": observation.mark_price,
            "last_price": observation.last_price,
            "next": plan.nexts,
        }
