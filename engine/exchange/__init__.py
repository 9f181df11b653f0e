"""The world of the exchange: what it promises (port), the one door out (gateway), adapters."""
