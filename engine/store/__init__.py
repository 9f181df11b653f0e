"""What the keeper wrote down, on SQLite or Postgres: recalled each tick, recorded before acting."""
