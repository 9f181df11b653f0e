"""Whoever follows the events, outside the tick: alerts and transaction logs (DESIGN section 7)."""
