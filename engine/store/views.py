# ruff: noqa: S608 - the SQL is made of this module's own constants
"""The views people read, one text for both databases (docs/store.md tells every column).

Numbers are plain numbers: on SQLite the exact text is cast, for reading and comparing only, so a
whole number comes out as an integer and ratios begin with ``1.0 *``. Moments come twice, as
milliseconds and as RFC 3339 text.
"""

from __future__ import annotations

import re

_RESTING = "('working', 'triggering', 'triggered', 'partially_filled')"
_STANDING = f"('intended', 'unknown', {_RESTING[1:]}"

_POSITION_COLUMNS = """p.generation, p.decision_id, p.origin, p.side,
    #n(p.planned_quantity) AS planned_quantity, #n(p.quantity) AS quantity,
    #n(p.limit_price) AS limit_price, #n(p.entry_price) AS entry_price,
    #n(p.initial_stop) AS initial_stop, #n(p.stop_level) AS stop_level, p.stop_reason,
    #n(p.tp1_price) AS tp1_price, #n(p.tp2_price) AS tp2_price, p.leverage,
    #n(p.best_price) AS best_price, #n(p.worst_price) AS worst_price,
    #n(p.funding) AS funding, #n(p.entry_commission) AS entry_commission,
    p.tp1_done_ms IS NOT NULL AS tp1_done, p.closing, p.exit_reason, p.closed_by,
    #n(p.uncovered_quantity) AS uncovered_quantity, p.naked_ms,
    #n(p.naked_quantity_s) AS naked_quantity_s, p.loose_ms,
    p.armed_ms, #t(p.armed_ms) AS armed_at, p.opened_ms, #t(p.opened_ms) AS opened_at,
    p.closed_ms, #t(p.closed_ms) AS closed_at, p.swept_ms, #t(p.swept_ms) AS swept_at"""

_STOP_OF = f"""(SELECT o.client_id FROM orders o WHERE o.account = p.account
    AND o.symbol = p.symbol AND o.generation = p.generation AND o.ledger_index IS NOT NULL
    AND o.role = '{{}}' AND o.status IN {_RESTING} ORDER BY o.revision DESC LIMIT 1)"""

_HAS_ENTRY = f"""EXISTS (SELECT 1 FROM orders o WHERE o.account = p.account
    AND o.symbol = p.symbol AND o.generation = p.generation AND o.ledger_index IS NOT NULL
    AND o.role = 'entry' AND o.status IN {_STANDING})"""

_TEMPLATES = {
    "v_positions": f"SELECT p.account, p.symbol, {_POSITION_COLUMNS} FROM positions p",
    "v_orders": f"""SELECT o.account, o.symbol, o.client_id, o.exchange_id, o.child_id,
        o.generation, o.role, o.revision, o.side, o.type, o.status,
        o.status IN {_STANDING} AS is_standing,
        #n(o.quantity) AS quantity, #n(o.quantity_filled) AS quantity_filled,
        #n(o.price) AS price, #n(o.trigger_price) AS trigger_price, o.working_price,
        o.reduce_only, o.close_position, o.time_in_force, o.action_class, o.reason, o.code,
        o.note, o.is_adopted, o.epoch, o.intended_ms, #t(o.intended_ms) AS intended_at,
        o.rested_ms, #t(o.rested_ms) AS rested_at, o.doubtful_since_ms,
        #t(o.doubtful_since_ms) AS doubtful_since, o.finished_ms, #t(o.finished_ms) AS finished_at
        FROM orders o""",
    "v_fills": """SELECT f.account, f.symbol, f.fill_id, f.generation, f.role, f.client_id,
        f.exchange_order_id, f.side, #n(f.price) AS price, #n(f.quantity) AS quantity,
        #n(f.commission) AS commission, f.commission_asset, #n(f.realized_pnl) AS realized_pnl,
        f.is_maker, f.at_ms, #t(f.at_ms) AS at FROM fills f""",
    "v_stop_levels": """SELECT s.account, s.symbol, s.generation, s.revision, s.side,
        #n(s.level) AS level, s.reason, s.state, s.proposed_ms, #t(s.proposed_ms) AS proposed_at,
        s.settled_ms, #t(s.settled_ms) AS settled_at
        FROM stop_levels s WHERE s.id = (SELECT max(o.id) FROM stop_levels o
        WHERE o.account = s.account AND o.symbol = s.symbol AND o.generation = s.generation
        AND o.revision = s.revision AND o.level = s.level)""",
    "v_trades": """SELECT p.account, p.symbol, p.generation, p.decision_id, p.side,
        #n(t.quantity) AS quantity, #n(t.entry_price) AS entry_price,
        #n(t.exit_price) AS exit_price, p.exit_reason, p.closed_by,
        #n(t.realized_pnl) AS realized_pnl, #n(t.commission) AS commission,
        #n(t.funding) AS funding, #n(t.net_pnl) AS net_pnl, #n(t.initial_risk) AS initial_risk,
        #n(t.r_multiple) AS r_multiple, #n(t.mae) AS mae, #n(t.mfe) AS mfe,
        #n(t.entry_slippage) AS entry_slippage, #n(p.initial_stop) AS initial_stop,
        #n(p.stop_level) AS last_stop_level, p.naked_ms, p.loose_ms,
        p.opened_ms, #t(p.opened_ms) AS opened_at, p.closed_ms, #t(p.closed_ms) AS closed_at
        FROM trades t JOIN positions p ON p.account = t.account AND p.symbol = t.symbol
        AND p.generation = t.generation""",
    "v_events": """SELECT e.id, e.account, e.symbol, e.at_ms, #t(e.at_ms) AS at, e.tick, e.kind,
        e.reason, e.order_id, e.generation, e.text, e.data FROM events e""",
    "position_state": f"""SELECT s.*,
        #gain(s.side, s.stop_level, s.mark_price) AS stop_distance,
        round(1.0 * #gain(s.side, s.stop_level, s.mark_price) / s.mark_price * 100, 4)
            AS stop_distance_pct,
        #gain(s.side, s.entry_price, s.mark_price) * s.quantity AS unrealized_pnl
        FROM (SELECT l.account, l.symbol,
            CASE WHEN p.generation IS NULL THEN 'flat' WHEN p.closed_ms IS NOT NULL THEN 'sweeping'
                WHEN p.opened_ms IS NULL AND {_HAS_ENTRY} THEN 'entering'
                WHEN p.opened_ms IS NULL THEN 'arming'
                WHEN p.closing IS NOT NULL THEN 'closing' ELSE 'open' END AS phase,
            p.generation, p.decision_id, p.side,
            coalesce(#n(p.quantity), 0) AS quantity, #n(p.entry_price) AS entry_price,
            #heart(mark_price) AS mark_price,
            #n(p.stop_level) AS stop_level, p.stop_reason, #n(p.initial_stop) AS initial_stop,
            coalesce(#n(p.quantity), 0) - coalesce(#n(p.uncovered_quantity), 0) AS covered_quantity,
            coalesce(#n(p.uncovered_quantity), 0) AS uncovered_quantity,
            {_STOP_OF.format("stop_primary")} AS primary_stop,
            {_STOP_OF.format("stop_floor")} AS floor_stop,
            #n(p.tp1_price) AS tp1_price, p.tp1_done_ms IS NOT NULL AS tp1_done,
            #n(p.tp2_price) AS tp2_price, #n(p.best_price) AS best_price,
            coalesce(p.naked_ms, 0) AS naked_ms, #t(p.opened_ms) AS opened_at,
            #next(reason) AS next_reason, #next(when) AS next_when, #next(then) AS next_then,
            h.at_ms AS seen_ms, #t(h.at_ms) AS seen_at
            FROM ledgers l
            LEFT JOIN positions p ON p.account = l.account AND p.symbol = l.symbol
                AND p.generation = l.life_generation
            LEFT JOIN engine_state h ON h.account = l.account AND h.symbol = l.symbol
                AND h.key = 'heartbeat') s""",
}

NAMES = tuple(_TEMPLATES)

_SQLITE = {
    "n": r"CAST(\1 AS NUMERIC)",
    "t": r"(strftime('%Y-%m-%dT%H:%M:%S', \1 / 1000, 'unixepoch') || printf('.%03dZ', \1 % 1000))",
    "heart": r"CAST(json_extract(h.value, '$.\1') AS NUMERIC)",
    "next": r"json_extract(h.value, '$.next[0].\1')",
}
_POSTGRES = {
    "n": r"\1",
    "t": (
        r"to_char(to_timestamp(\1 / 1000.0) AT TIME ZONE 'UTC',"
        r""" 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
    ),
    "heart": r"CAST(h.value::json ->> '\1' AS NUMERIC)",
    "next": r"(h.value::json -> 'next' -> 0 ->> '\1')",
}
_GAIN = r"(CASE WHEN \1 = 'short' THEN \2 - \3 ELSE \3 - \2 END)"


def bodies(dialect: str) -> dict[str, str]:
    """Return each view's SELECT for one dialect, in an order in which they can be created."""
    words = _SQLITE if dialect == "sqlite" else _POSTGRES
    return {name: _spelled(text, words) for name, text in _TEMPLATES.items()}


def _spelled(template: str, words: dict[str, str]) -> str:
    text = re.sub(r"#gain\(([^,()]+), ([^,()]+), ([^,()]+)\)", _GAIN, template)
    for word, spelling in words.items():
        text = re.sub(rf"#{word}\(([^()]+)\)", spelling, text)
    return " ".join(text.split())
