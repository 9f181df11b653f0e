"""${message}.

Revision ${up_revision} after ${down_revision}.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine.store.guards import install, remove

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """${message}."""
    remove(op.get_bind())
    ${upgrades if upgrades else "pass"}
    install(op.get_bind())


def downgrade() -> None:
    """Undo it."""
    remove(op.get_bind())
    ${downgrades if downgrades else "pass"}
    install(op.get_bind())
