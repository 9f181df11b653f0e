"""``keeper demo``: a scripted market, a real keeper, a real kill, a report from outside."""
