"""The tables, for both databases: what `docs/store.md` describes and the migrations build.

Every row carries account and symbol, so one database may serve several keepers. Moments are
exchange time in milliseconds. ``ledger_index`` is an entry's place in the ledger a tick recalls,
NULL once the ledger let go of it: recall reads these few rows by a partial index, however long
the history is. ``more`` holds, as canonical JSON, fields nobody queries. No tick deletes history.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, ForeignKeyConstraint, Index, Integer, Text

from engine.store.exact import Exact, ordered

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


_PARTIAL: list[tuple[Index, sa.ColumnElement[bool]]] = []


def _partial(
    name: str, *columns: Column[Any], where: sa.ColumnElement[bool], unique: bool = False
) -> None:
    _PARTIAL.append((Index(name, *columns, unique=unique, sqlite_where=where), where))


def speak_postgres() -> None:
    """Give the partial indexes their condition for Postgres too.

    Naming it at once would import all of SQLAlchemy's Postgres package for a keeper on SQLite.
    """
    for index, where in _PARTIAL:
        index.dialect_options["postgresql"]["where"] = where


def _owner() -> tuple[Column[str], Column[str]]:
    """Return the key columns every table begins with."""
    return Column("account", Text, primary_key=True), Column("symbol", Text, primary_key=True)


def _numbered() -> tuple[Column[int], Column[str], Column[str]]:
    """Return the columns an append-only table begins with: a running number and the owner."""
    number = BigInteger().with_variant(Integer, "sqlite")
    return (
        Column("id", number, primary_key=True, autoincrement=True),
        Column("account", Text, nullable=False),
        Column("symbol", Text, nullable=False),
    )


def _moment(name: str, *, nullable: bool = True) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def _price(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, ordered(), nullable=nullable)


def _amount(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, Exact(), nullable=nullable)


def _flag(name: str, *, nullable: bool = False) -> Column[bool]:
    return Column(name, Boolean, nullable=nullable)


ledgers = sa.Table(
    "ledgers",
    metadata,
    *_owner(),
    Column("generation", BigInteger, nullable=False),
    Column("life_generation", BigInteger),
    _price("position_quantity", nullable=False),
    Column("settled_streak", BigInteger, nullable=False),
    _moment("last_fill_ms", nullable=False),
    _moment("history_read_ms"),
    _flag("stop_while_flat", nullable=True),
    _moment("adopted_decision_ms", nullable=False),
    _text("more", nullable=True),
)

positions = sa.Table(
    "positions",
    metadata,
    *_owner(),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    _text("decision_id"),
    _moment("decision_made_ms", nullable=False),
    _text("origin"),
    _text("side"),
    _moment("armed_ms", nullable=False),
    _price("planned_quantity", nullable=False),
    _price("limit_price", nullable=False),
    _price("initial_stop", nullable=False),
    _price("zone_low"),
    _price("zone_high"),
    _price("basis_price"),
    _price("tp1_price"),
    _price("tp2_price"),
    _amount("tp1_fraction", nullable=False),
    Column("leverage", Integer, nullable=False),
    _amount("confidence", nullable=False),
    _text("terms"),
    _flag("is_trailing_enabled"),
    _text("trail_mode"),
    _text("zone", nullable=True),
    _price("swing"),
    _moment("swing_made_ms"),
    _price("stop_level"),
    _text("stop_reason"),
    _price("quantity", nullable=False),
    _amount("entry_price"),
    _amount("entry_commission", nullable=False),
    _amount("funding", nullable=False),
    _price("base_quantity"),
    _moment("opened_ms"),
    _moment("entry_final_ms"),
    _price("best_price"),
    _price("worst_price"),
    _moment("tp1_done_ms"),
    _text("withdrawing", nullable=True),
    _moment("withdrawing_ms"),
    _text("closing", nullable=True),
    _text("closing_why"),
    _moment("closing_ms"),
    _moment("cover_refused_since_ms"),
    _moment("crossed_since_ms"),
    _moment("flat_seen_ms"),
    Column("flat_reads", BigInteger, nullable=False),
    _moment("closed_ms"),
    _text("exit_reason", nullable=True),
    _text("closed_by"),
    Column("clean_reads", BigInteger, nullable=False),
    _moment("swept_ms"),
    _price("uncovered_quantity", nullable=False),
    Column("naked_ms", BigInteger, nullable=False),
    _amount("naked_quantity_s", nullable=False),
    _flag("is_loose"),
    Column("loose_ms", BigInteger, nullable=False),
    _moment("accounted_ms"),
    _text("more", nullable=True),
    sa.CheckConstraint("side IN ('long', 'short')", name="side"),
)

past_lives = sa.Table(
    "past_lives",
    metadata,
    *_owner(),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    _text("decision_id"),
    _text("terms"),
    _moment("opened_ms"),
    _moment("closed_ms", nullable=False),
    _text("exit_reason", nullable=True),
    _text("withdrawn", nullable=True),
    _text("side", nullable=True),
)

orders = sa.Table(
    "orders",
    metadata,
    *_owner(),
    Column("client_id", Text, primary_key=True),
    Column("ledger_index", Integer),
    Column("generation", BigInteger, nullable=False),
    _text("role"),
    Column("revision", BigInteger, nullable=False),
    _text("side"),
    _text("type"),
    _price("quantity"),
    _price("price"),
    _price("trigger_price"),
    _text("working_price"),
    _flag("reduce_only"),
    _flag("close_position"),
    _text("time_in_force"),
    _text("status"),
    _text("reason"),
    _text("action_class"),
    _moment("intended_ms", nullable=False),
    _moment("dead_after_ms", nullable=False),
    _text("exchange_id", nullable=True),
    _text("child_id", nullable=True),
    _price("quantity_filled", nullable=False),
    _moment("rested_ms"),
    _moment("doubtful_since_ms"),
    _moment("triggered_ms"),
    _moment("finished_ms"),
    _moment("cancel_sent_ms"),
    Column("code", Integer, nullable=False),
    _text("note"),
    _flag("is_adopted"),
    Column("epoch", BigInteger, nullable=False),
    _text("more", nullable=True),
    Index("ix_orders_generation", "account", "symbol", "generation"),
)

fills = sa.Table(
    "fills",
    metadata,
    *_owner(),
    Column("fill_id", Text, primary_key=True),
    Column("ledger_index", Integer),
    Column("generation", BigInteger, nullable=False),
    _text("role", nullable=True),
    _text("exchange_order_id"),
    _text("client_id"),
    _text("side"),
    _price("price", nullable=False),
    _price("quantity", nullable=False),
    _amount("commission", nullable=False),
    _text("commission_asset"),
    _amount("realized_pnl", nullable=False),
    _flag("is_maker"),
    _moment("at_ms", nullable=False),
    Index("ix_fills_generation", "account", "symbol", "generation"),
)

for _table in (orders, fills):
    _in_ledger = _table.c.ledger_index.is_not(None)
    _partial(
        f"ix_{_table.name}_ledger",
        _table.c.account,
        _table.c.symbol,
        _table.c.ledger_index,
        where=_in_ledger,
    )

stop_levels = sa.Table(
    "stop_levels",
    metadata,
    *_numbered(),
    Column("generation", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    _text("side"),
    _price("level", nullable=False),
    _text("reason"),
    _text("state"),
    _moment("proposed_ms", nullable=False),
    _moment("settled_ms"),
    ForeignKeyConstraint(
        ["account", "symbol", "generation"],
        ["positions.account", "positions.symbol", "positions.generation"],
    ),
    Index("ix_stop_levels_generation", "account", "symbol", "generation", "id"),
)

trades = sa.Table(
    "trades",
    metadata,
    *_owner(),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    _amount("quantity", nullable=False),
    _amount("entry_price"),
    _amount("exit_price"),
    _amount("realized_pnl", nullable=False),
    _amount("commission", nullable=False),
    _amount("funding", nullable=False),
    _amount("net_pnl", nullable=False),
    _amount("initial_risk"),
    _amount("r_multiple"),
    _amount("mae"),
    _amount("mfe"),
    _amount("entry_slippage"),
)

decisions = sa.Table(
    "decisions",
    metadata,
    *_owner(),
    Column("digest", Text, primary_key=True),
    Column("verdict", Text, primary_key=True),
    _text("decision_id", nullable=True),
    _text("action", nullable=True),
    _text("reason", nullable=True),
    _text("file_name"),
    _moment("made_ms"),
    _moment("seen_ms", nullable=False),
    _text("message", nullable=True),
    _text("field", nullable=True),
    _text("value", nullable=True),
    _text("remedy", nullable=True),
    Index("ix_decisions_seen_ms", "account", "symbol", "seen_ms"),
)

texts = sa.Table(
    "texts",
    metadata,
    *_owner(),
    Column("digest", Text, primary_key=True),
    _text("kind"),
    _text("body"),
    _moment("at_ms", nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    *_numbered(),
    _moment("at_ms", nullable=False),
    Column("tick", BigInteger, nullable=False),
    _text("kind"),
    _text("reason"),
    _text("order_id", nullable=True),
    Column("generation", BigInteger),
    _text("text"),
    _text("data", nullable=True),
    Index("ix_events_owner", "account", "symbol", "id"),
    Index("ix_events_order_id", "account", "symbol", "order_id"),
    Index("ix_events_at_ms", "account", "symbol", "at_ms"),
)

ticks = sa.Table(
    "ticks",
    metadata,
    *_numbered(),
    Column("tick", BigInteger, nullable=False),
    _moment("now_ms", nullable=False),
    _text("engine_version"),
    _text("reasons"),
    _text("settings_digest", nullable=True),
    _text("decision_digest", nullable=True),
    Column("actions", Integer, nullable=False),
    Column("drifts", Integer, nullable=False),
    Column("body", sa.LargeBinary, nullable=False),
    _text("previous_digest"),
    _text("digest"),
    Column("outcomes", sa.LargeBinary),
    _text("outcomes_digest", nullable=True),
    Index("ix_ticks_owner", "account", "symbol", "id"),
    Index("ix_ticks_now_ms", "account", "symbol", "now_ms"),
)

equity = sa.Table(
    "equity",
    metadata,
    *_numbered(),
    _text("kind"),
    _moment("at_ms", nullable=False),
    _amount("wallet", nullable=False),
    _amount("unrealized_pnl", nullable=False),
    _amount("equity", nullable=False),
    Index("ix_equity_at_ms", "account", "symbol", "kind", "at_ms"),
)

operator_commands = sa.Table(
    "operator_commands",
    metadata,
    *_numbered(),
    _text("command"),
    _text("asked_by"),
    _text("why"),
    _moment("at_ms", nullable=False),
    _moment("finished_ms"),
    _text("result", nullable=True),
)
_partial(
    "ix_operator_commands_pending",
    operator_commands.c.account,
    operator_commands.c.symbol,
    operator_commands.c.id,
    where=operator_commands.c.finished_ms.is_(None),
)

halts = sa.Table(
    "halts",
    metadata,
    *_numbered(),
    _text("code"),
    _text("detail"),
    _moment("since_ms", nullable=False),
    _moment("cleared_ms"),
    _text("cleared_by", nullable=True),
)
_partial(
    "ix_halts_standing",
    halts.c.account,
    halts.c.symbol,
    halts.c.code,
    unique=True,
    where=halts.c.cleared_ms.is_(None),
)

leases = sa.Table(
    "leases",
    metadata,
    *_owner(),
    Column("epoch", BigInteger, nullable=False),
    Column("pid", BigInteger, nullable=False),
    _text("host"),
    _text("lock_id"),
    _moment("claimed_ms", nullable=False),
    _moment("renewed_ms", nullable=False),
    _moment("expires_ms", nullable=False),
    _moment("released_ms"),
)

engine_state = sa.Table(
    "engine_state",
    metadata,
    *_owner(),
    Column("key", Text, primary_key=True),
    _text("value"),
    _moment("at_ms", nullable=False),
)

settings = sa.Table(
    "settings",
    metadata,
    *_numbered(),
    _text("digest"),
    _text("engine_version"),
    _text("mode"),
    _moment("at_ms", nullable=False),
    Index("ix_settings_owner", "account", "symbol", "id"),
)

spooled = sa.Table(
    "spooled",
    metadata,
    *_owner(),
    Column("digest", Text, primary_key=True),
    _moment("merged_ms", nullable=False),
)
