"""The tables a keeper begins with: ledger, levels, feed, ticks, lease, commands.

Exact numbers are NUMERIC on Postgres and canonical text on SQLite; times are milliseconds.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine.store.guards import install, remove

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

EXACT = sa.Numeric().with_variant(sa.Text(), "sqlite")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TABLES = (
    "decisions",
    "engine_state",
    "equity",
    "events",
    "fills",
    "halts",
    "leases",
    "ledgers",
    "operator_commands",
    "orders",
    "past_lives",
    "positions",
    "settings",
    "spooled",
    "texts",
    "ticks",
    "trades",
    "stop_levels",
)


def upgrade() -> None:
    """Create every table, then the guards and views over them."""
    op.create_table(
        "decisions",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=True),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("remedy", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint(
            "account", "symbol", "digest", "verdict", name=op.f("pk_decisions")
        ),
    )
    op.create_index(
        "ix_decisions_seen_ms", "decisions", ["account", "symbol", "seen_ms"], unique=False
    )
    op.create_table(
        "engine_state",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "symbol", "key", name=op.f("pk_engine_state")),
    )
    op.create_table(
        "equity",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("wallet", EXACT, nullable=False),
        sa.Column("unrealized_pnl", EXACT, nullable=False),
        sa.Column("equity", EXACT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_equity")),
    )
    op.create_index(
        "ix_equity_at_ms", "equity", ["account", "symbol", "kind", "at_ms"], unique=False
    )
    op.create_table(
        "events",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("tick", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index("ix_events_at_ms", "events", ["account", "symbol", "at_ms"], unique=False)
    op.create_index("ix_events_order_id", "events", ["account", "symbol", "order_id"], unique=False)
    op.create_index("ix_events_owner", "events", ["account", "symbol", "id"], unique=False)
    op.create_table(
        "fills",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("fill_id", sa.Text(), nullable=False),
        sa.Column("ledger_index", sa.Integer(), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("exchange_order_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("price", EXACT, nullable=False),
        sa.Column("quantity", EXACT, nullable=False),
        sa.Column("commission", EXACT, nullable=False),
        sa.Column("commission_asset", sa.Text(), nullable=False),
        sa.Column("realized_pnl", EXACT, nullable=False),
        sa.Column("is_maker", sa.Boolean(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "symbol", "fill_id", name=op.f("pk_fills")),
    )
    op.create_index(
        "ix_fills_generation", "fills", ["account", "symbol", "generation"], unique=False
    )
    op.create_index(
        "ix_fills_ledger",
        "fills",
        ["account", "symbol", "ledger_index"],
        unique=False,
        sqlite_where=sa.text("ledger_index IS NOT NULL"),
        postgresql_where=sa.text("ledger_index IS NOT NULL"),
    )
    op.create_table(
        "halts",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("cleared_ms", sa.BigInteger(), nullable=True),
        sa.Column("cleared_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_halts")),
    )
    op.create_index(
        "ix_halts_standing",
        "halts",
        ["account", "symbol", "code"],
        unique=True,
        sqlite_where=sa.text("cleared_ms IS NULL"),
        postgresql_where=sa.text("cleared_ms IS NULL"),
    )
    op.create_table(
        "leases",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("lock_id", sa.Text(), nullable=False),
        sa.Column("claimed_ms", sa.BigInteger(), nullable=False),
        sa.Column("renewed_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("released_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account", "symbol", name=op.f("pk_leases")),
    )
    op.create_table(
        "ledgers",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("life_generation", sa.BigInteger(), nullable=True),
        sa.Column("position_quantity", EXACT, nullable=False),
        sa.Column("settled_streak", sa.BigInteger(), nullable=False),
        sa.Column("last_fill_ms", sa.BigInteger(), nullable=False),
        sa.Column("history_read_ms", sa.BigInteger(), nullable=True),
        sa.Column("stop_while_flat", sa.Boolean(), nullable=True),
        sa.Column("adopted_decision_ms", sa.BigInteger(), nullable=False),
        sa.Column("more", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("account", "symbol", name=op.f("pk_ledgers")),
    )
    op.create_table(
        "operator_commands",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("finished_ms", sa.BigInteger(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_commands")),
    )
    op.create_index(
        "ix_operator_commands_pending",
        "operator_commands",
        ["account", "symbol", "id"],
        unique=False,
        sqlite_where=sa.text("finished_ms IS NULL"),
        postgresql_where=sa.text("finished_ms IS NULL"),
    )
    op.create_table(
        "orders",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("ledger_index", sa.Integer(), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("quantity", EXACT, nullable=True),
        sa.Column("price", EXACT, nullable=True),
        sa.Column("trigger_price", EXACT, nullable=True),
        sa.Column("working_price", sa.Text(), nullable=False),
        sa.Column("reduce_only", sa.Boolean(), nullable=False),
        sa.Column("close_position", sa.Boolean(), nullable=False),
        sa.Column("time_in_force", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("action_class", sa.Text(), nullable=False),
        sa.Column("intended_ms", sa.BigInteger(), nullable=False),
        sa.Column("dead_after_ms", sa.BigInteger(), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=True),
        sa.Column("child_id", sa.Text(), nullable=True),
        sa.Column("quantity_filled", EXACT, nullable=False),
        sa.Column("rested_ms", sa.BigInteger(), nullable=True),
        sa.Column("seen_ms", sa.BigInteger(), nullable=True),
        sa.Column("doubtful_since_ms", sa.BigInteger(), nullable=True),
        sa.Column("triggered_ms", sa.BigInteger(), nullable=True),
        sa.Column("finished_ms", sa.BigInteger(), nullable=True),
        sa.Column("cancel_sent_ms", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("is_adopted", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("more", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("account", "symbol", "client_id", name=op.f("pk_orders")),
    )
    op.create_index(
        "ix_orders_generation", "orders", ["account", "symbol", "generation"], unique=False
    )
    op.create_index(
        "ix_orders_ledger",
        "orders",
        ["account", "symbol", "ledger_index"],
        unique=False,
        sqlite_where=sa.text("ledger_index IS NOT NULL"),
        postgresql_where=sa.text("ledger_index IS NOT NULL"),
    )
    op.create_table(
        "past_lives",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=True),
        sa.Column("closed_ms", sa.BigInteger(), nullable=False),
        sa.Column("exit_reason", sa.Text(), nullable=True),
        sa.Column("withdrawn", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("account", "symbol", "generation", name=op.f("pk_past_lives")),
    )
    op.create_table(
        "positions",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("decision_made_ms", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("armed_ms", sa.BigInteger(), nullable=False),
        sa.Column("planned_quantity", EXACT, nullable=False),
        sa.Column("limit_price", EXACT, nullable=False),
        sa.Column("initial_stop", EXACT, nullable=False),
        sa.Column("zone_low", EXACT, nullable=True),
        sa.Column("zone_high", EXACT, nullable=True),
        sa.Column("basis_price", EXACT, nullable=True),
        sa.Column("tp1_price", EXACT, nullable=True),
        sa.Column("tp2_price", EXACT, nullable=True),
        sa.Column("tp1_fraction", EXACT, nullable=False),
        sa.Column("leverage", sa.Integer(), nullable=False),
        sa.Column("confidence", EXACT, nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("is_trailing_enabled", sa.Boolean(), nullable=False),
        sa.Column("trail_mode", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.Column("swing", EXACT, nullable=True),
        sa.Column("swing_made_ms", sa.BigInteger(), nullable=True),
        sa.Column("stop_level", EXACT, nullable=True),
        sa.Column("stop_reason", sa.Text(), nullable=False),
        sa.Column("quantity", EXACT, nullable=False),
        sa.Column("entry_price", EXACT, nullable=True),
        sa.Column("entry_commission", EXACT, nullable=False),
        sa.Column("funding", EXACT, nullable=False),
        sa.Column("base_quantity", EXACT, nullable=True),
        sa.Column("opened_ms", sa.BigInteger(), nullable=True),
        sa.Column("entry_final_ms", sa.BigInteger(), nullable=True),
        sa.Column("best_price", EXACT, nullable=True),
        sa.Column("worst_price", EXACT, nullable=True),
        sa.Column("tp1_done_ms", sa.BigInteger(), nullable=True),
        sa.Column("withdrawing", sa.Text(), nullable=True),
        sa.Column("withdrawing_ms", sa.BigInteger(), nullable=True),
        sa.Column("closing", sa.Text(), nullable=True),
        sa.Column("closing_why", sa.Text(), nullable=False),
        sa.Column("closing_ms", sa.BigInteger(), nullable=True),
        sa.Column("cover_refused_since_ms", sa.BigInteger(), nullable=True),
        sa.Column("crossed_since_ms", sa.BigInteger(), nullable=True),
        sa.Column("flat_seen_ms", sa.BigInteger(), nullable=True),
        sa.Column("flat_reads", sa.BigInteger(), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.Column("exit_reason", sa.Text(), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=False),
        sa.Column("clean_reads", sa.BigInteger(), nullable=False),
        sa.Column("swept_ms", sa.BigInteger(), nullable=True),
        sa.Column("uncovered_quantity", EXACT, nullable=False),
        sa.Column("naked_ms", sa.BigInteger(), nullable=False),
        sa.Column("naked_quantity_s", EXACT, nullable=False),
        sa.Column("is_loose", sa.Boolean(), nullable=False),
        sa.Column("loose_ms", sa.BigInteger(), nullable=False),
        sa.Column("accounted_ms", sa.BigInteger(), nullable=True),
        sa.Column("more", sa.Text(), nullable=True),
        sa.CheckConstraint("side IN ('long', 'short')", name=op.f("ck_positions_side")),
        sa.PrimaryKeyConstraint("account", "symbol", "generation", name=op.f("pk_positions")),
    )
    op.create_table(
        "settings",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("engine_version", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settings")),
    )
    op.create_index("ix_settings_owner", "settings", ["account", "symbol", "id"], unique=False)
    op.create_table(
        "spooled",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("merged_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "symbol", "digest", name=op.f("pk_spooled")),
    )
    op.create_table(
        "texts",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "symbol", "digest", name=op.f("pk_texts")),
    )
    op.create_table(
        "ticks",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("tick", sa.BigInteger(), nullable=False),
        sa.Column("now_ms", sa.BigInteger(), nullable=False),
        sa.Column("engine_version", sa.Text(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("settings_digest", sa.Text(), nullable=True),
        sa.Column("decision_digest", sa.Text(), nullable=True),
        sa.Column("actions", sa.Integer(), nullable=False),
        sa.Column("drifts", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("previous_digest", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("outcomes", sa.LargeBinary(), nullable=True),
        sa.Column("outcomes_digest", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticks")),
    )
    op.create_index("ix_ticks_now_ms", "ticks", ["account", "symbol", "now_ms"], unique=False)
    op.create_index("ix_ticks_owner", "ticks", ["account", "symbol", "id"], unique=False)
    op.create_table(
        "trades",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("quantity", EXACT, nullable=False),
        sa.Column("entry_price", EXACT, nullable=True),
        sa.Column("exit_price", EXACT, nullable=True),
        sa.Column("realized_pnl", EXACT, nullable=False),
        sa.Column("commission", EXACT, nullable=False),
        sa.Column("funding", EXACT, nullable=False),
        sa.Column("net_pnl", EXACT, nullable=False),
        sa.Column("initial_risk", EXACT, nullable=True),
        sa.Column("r_multiple", EXACT, nullable=True),
        sa.Column("mae", EXACT, nullable=True),
        sa.Column("mfe", EXACT, nullable=True),
        sa.Column("entry_slippage", EXACT, nullable=True),
        sa.PrimaryKeyConstraint("account", "symbol", "generation", name=op.f("pk_trades")),
    )
    op.create_table(
        "stop_levels",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("level", EXACT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("proposed_ms", sa.BigInteger(), nullable=False),
        sa.Column("settled_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account", "symbol", "generation"],
            ["positions.account", "positions.symbol", "positions.generation"],
            name=op.f("fk_stop_levels_positions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stop_levels")),
    )
    op.create_index(
        "ix_stop_levels_generation",
        "stop_levels",
        ["account", "symbol", "generation", "id"],
        unique=False,
    )
    install(op.get_bind())


def downgrade() -> None:
    """Drop everything."""
    remove(op.get_bind())
    for table in reversed(TABLES):
        op.drop_table(table)
