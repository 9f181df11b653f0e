"""Everything a person or a script types: one module per group of verbs, imported when asked for."""
