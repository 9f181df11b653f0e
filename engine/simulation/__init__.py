"""The campaign: seeded worlds, faults and kills, judged from the venue's log alone."""
