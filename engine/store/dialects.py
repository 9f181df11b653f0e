"""What differs between the two databases, imported only for the one in use.

SQLAlchemy's Postgres package alone costs a tenth of a keeper's start.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def dialect_of(name: str) -> Any:
    """Return SQLAlchemy's dialect as our driver speaks it: ``sqlite`` or ``postgresql``."""
    if name == "sqlite":
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - only the database in use

        return sqlite.dialect()
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - only the database in use

    return postgresql.psycopg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


def insert_for(name: str, table: sa.Table) -> Any:
    """Return an INSERT that knows ON CONFLICT."""
    if name == "sqlite":
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - only the database in use

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - only the database in use

    return postgresql.insert(table)
