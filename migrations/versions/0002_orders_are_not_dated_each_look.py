"""Orders are not dated at each look.

When a list last showed an order is the look's to say; kept with the order, it made every tick a
change of every order.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine.store.guards import install, remove

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the moment."""
    remove(op.get_bind())
    op.drop_column("orders", "seen_ms")
    op.add_column("past_lives", sa.Column("side", sa.Text(), nullable=True))
    install(op.get_bind())


def downgrade() -> None:
    """Bring the column back, empty: the next look fills it."""
    remove(op.get_bind())
    op.drop_column("past_lives", "side")
    op.add_column("orders", sa.Column("seen_ms", sa.BigInteger(), nullable=True))
    install(op.get_bind())
