"""The planner: one Situation in, one Plan out; pure."""
