# ruff: noqa: S608 - the SQL is made of this module's own constants
"""Triggers: what the database refuses by itself, whoever writes (RULES B2, F3).

* ``positions``: ``stop_level`` never widens and never goes back to NULL; the side of a life never
  changes; no row is deleted.
* ``stop_levels``: append-only. A new level (its first row, or a proposal) is not wider than the
  tightest confirmed one of its life and has the side of its position, whose row Postgres locks.

``install`` is idempotent and every migration ends with it: ``batch_alter_table`` drops a table's
triggers without a word.
"""

from __future__ import annotations

import sqlalchemy as sa

from engine.store import views

_OWNER = "o.account = NEW.account AND o.symbol = NEW.symbol"
_LIFE = f"{_OWNER} AND o.generation = NEW.generation"


def _wider(a: str, b: str, side: str) -> str:
    """Return the condition that stop ``a`` leaves more to lose than stop ``b``."""
    return f"(CASE {side} WHEN 'long' THEN {a} < {b} ELSE {a} > {b} END)"


def _real(name: str) -> str:
    """Return an exact number as one that SQLite can compare: 15 digits keep their order."""
    return f"CAST({name} AS REAL)"


_IS_FIRST_WORD = f"""(NEW.state = 'proposed' OR (NEW.state = 'confirmed' AND NOT EXISTS (
        SELECT 1 FROM stop_levels o WHERE {_LIFE} AND o.revision = NEW.revision
        AND o.level = NEW.level AND o.state = 'proposed')))"""

_NEVER_WIDEN = "never_widen: wider than the level in force"
_APPEND_ONLY = "append_only: stop levels are never changed or removed"
_SIDE = "side: not the side of its position"
_KEPT = "kept: the row of a position is never removed, renamed or turned"

SQLITE_TRIGGERS = {
    "positions_level_update": f"""BEFORE UPDATE OF stop_level ON positions
        WHEN OLD.stop_level IS NOT NULL AND (NEW.stop_level IS NULL OR
            {_wider(_real("NEW.stop_level"), _real("OLD.stop_level"), "OLD.side")})
        BEGIN SELECT RAISE(ABORT, '{_NEVER_WIDEN}'); END""",
    "positions_level_insert": f"""BEFORE INSERT ON positions WHEN NEW.stop_level IS NOT NULL
        BEGIN SELECT RAISE(ABORT, '{_NEVER_WIDEN}') FROM stop_levels o
            WHERE {_LIFE} AND o.state = 'confirmed' AND
            {_wider(_real("NEW.stop_level"), _real("o.level"), "NEW.side")}; END""",
    "positions_kept": f"""BEFORE UPDATE OF account, symbol, generation, side ON positions
        WHEN OLD.account <> NEW.account OR OLD.symbol <> NEW.symbol
            OR OLD.generation <> NEW.generation OR OLD.side <> NEW.side
        BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END""",
    "positions_delete": f"""BEFORE DELETE ON positions
        BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END""",
    "stop_levels_insert": f"""BEFORE INSERT ON stop_levels
        BEGIN
            SELECT RAISE(ABORT, '{_SIDE}') WHERE NOT EXISTS (
                SELECT 1 FROM positions o WHERE {_LIFE} AND o.side = NEW.side);
            SELECT RAISE(ABORT, '{_NEVER_WIDEN}') WHERE {_IS_FIRST_WORD} AND (
                EXISTS (SELECT 1 FROM stop_levels o WHERE {_LIFE} AND o.state = 'confirmed' AND
                    {_wider(_real("NEW.level"), _real("o.level"), "NEW.side")})
                OR EXISTS (SELECT 1 FROM positions o WHERE {_LIFE} AND o.stop_level IS NOT NULL AND
                    {_wider(_real("NEW.level"), _real("o.stop_level"), "NEW.side")}));
        END""",
    "stop_levels_update": f"""BEFORE UPDATE ON stop_levels
        BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY}'); END""",
    "stop_levels_delete": f"""BEFORE DELETE ON stop_levels
        BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY}'); END""",
}

_RAISE = "RAISE EXCEPTION '{}' USING ERRCODE = 'check_violation'"

_POSTGRES_FUNCTIONS = {
    "keeper_positions_guard": f"""
        IF TG_OP = 'UPDATE' THEN
            IF (OLD.account, OLD.symbol, OLD.generation, OLD.side)
                    IS DISTINCT FROM (NEW.account, NEW.symbol, NEW.generation, NEW.side) THEN
                {_RAISE.format(_KEPT)};
            END IF;
            IF OLD.stop_level IS NOT NULL AND (NEW.stop_level IS NULL OR
                    {_wider("NEW.stop_level", "OLD.stop_level", "OLD.side")}) THEN
                {_RAISE.format(_NEVER_WIDEN)};
            END IF;
        ELSIF NEW.stop_level IS NOT NULL AND EXISTS (SELECT 1 FROM stop_levels o
                WHERE {_LIFE} AND o.state = 'confirmed' AND
                {_wider("NEW.stop_level", "o.level", "NEW.side")}) THEN
            {_RAISE.format(_NEVER_WIDEN)};
        END IF;
        RETURN NEW;""",
    "keeper_stop_levels_guard": f"""
        PERFORM 1 FROM positions o WHERE {_LIFE} AND o.side = NEW.side FOR UPDATE;
        IF NOT FOUND THEN
            {_RAISE.format(_SIDE)};
        END IF;
        IF {_IS_FIRST_WORD} AND (
                EXISTS (SELECT 1 FROM stop_levels o WHERE {_LIFE} AND o.state = 'confirmed' AND
                    {_wider("NEW.level", "o.level", "NEW.side")})
                OR EXISTS (SELECT 1 FROM positions o WHERE {_LIFE} AND o.stop_level IS NOT NULL AND
                    {_wider("NEW.level", "o.stop_level", "NEW.side")})) THEN
            {_RAISE.format(_NEVER_WIDEN)};
        END IF;
        RETURN NEW;""",
    "keeper_positions_keep": f"{_RAISE.format(_KEPT)};",
    "keeper_stop_levels_keep": f"{_RAISE.format(_APPEND_ONLY)};",
}

POSTGRES_TRIGGERS = {
    "positions_guard": (
        "positions",
        "BEFORE INSERT OR UPDATE ON positions FOR EACH ROW"
        " EXECUTE FUNCTION keeper_positions_guard()",
    ),
    "positions_delete": (
        "positions",
        "BEFORE DELETE ON positions FOR EACH ROW EXECUTE FUNCTION keeper_positions_keep()",
    ),
    "positions_truncate": (
        "positions",
        "BEFORE TRUNCATE ON positions FOR EACH STATEMENT EXECUTE FUNCTION keeper_positions_keep()",
    ),
    "stop_levels_insert": (
        "stop_levels",
        "BEFORE INSERT ON stop_levels FOR EACH ROW EXECUTE FUNCTION keeper_stop_levels_guard()",
    ),
    "stop_levels_change": (
        "stop_levels",
        "BEFORE UPDATE OR DELETE ON stop_levels FOR EACH ROW"
        " EXECUTE FUNCTION keeper_stop_levels_keep()",
    ),
    "stop_levels_truncate": (
        "stop_levels",
        "BEFORE TRUNCATE ON stop_levels FOR EACH STATEMENT"
        " EXECUTE FUNCTION keeper_stop_levels_keep()",
    ),
}


def trigger_names(dialect: str) -> tuple[str, ...]:
    """Return the names of all triggers this version installs, sorted."""
    return tuple(sorted(SQLITE_TRIGGERS if dialect == "sqlite" else POSTGRES_TRIGGERS))


def removals(dialect: str) -> list[str]:
    """Return the statements that remove views and triggers, before a table changes."""
    found = [f"DROP VIEW IF EXISTS {name}" for name in reversed(views.NAMES)]
    if dialect == "sqlite":
        return found + [f"DROP TRIGGER IF EXISTS {name}" for name in SQLITE_TRIGGERS]
    return found + [
        f"DROP TRIGGER IF EXISTS {name} ON {table}"
        for name, (table, _) in POSTGRES_TRIGGERS.items()
    ]


def statements(dialect: str) -> list[str]:
    """Return the statements that put every trigger and view in place, in order."""
    found = removals(dialect)
    if dialect == "sqlite":
        found += [f"CREATE TRIGGER {name} {body}" for name, body in SQLITE_TRIGGERS.items()]
    else:
        found += [
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $keeper$ BEGIN {body} END $keeper$"
            for name, body in _POSTGRES_FUNCTIONS.items()
        ]
        found += [f"CREATE TRIGGER {name} {body}" for name, (_, body) in POSTGRES_TRIGGERS.items()]
    return found + [f"CREATE VIEW {n} AS {body}" for n, body in views.bodies(dialect).items()]


def are_in_place(connection: sa.Connection) -> bool:
    """Return whether no trigger and no view of ours is missing."""
    if connection.dialect.name == "sqlite":
        found = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view')"
        )
    else:
        found = connection.exec_driver_sql(
            "SELECT tgname FROM pg_trigger WHERE tgenabled <> 'D' AND NOT tgisinternal"
            " UNION ALL SELECT viewname FROM pg_views WHERE schemaname = current_schema()"
        )
    wanted = {*trigger_names(connection.dialect.name), *views.NAMES}
    return wanted <= set(found.scalars())


def install(connection: sa.Connection) -> None:
    """Put every trigger and view in place; running it twice changes nothing."""
    for statement in statements(connection.dialect.name):
        connection.exec_driver_sql(
            statement.replace("%", "%%") if _formats(connection) else statement
        )


def remove(connection: sa.Connection) -> None:
    """Take every trigger and view away, before a migration changes what they read."""
    for statement in removals(connection.dialect.name):
        connection.exec_driver_sql(statement)
    if connection.dialect.name != "sqlite":
        for name in _POSTGRES_FUNCTIONS:
            connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {name}()")


def _formats(connection: sa.Connection) -> bool:
    """Return whether the driver reads % in a statement as a parameter."""
    return connection.dialect.paramstyle in ("format", "pyformat")
