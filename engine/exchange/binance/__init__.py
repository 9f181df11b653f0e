"""Binance USDⓈ-M futures through python-binance: translation, fates, lanes, clock, stream."""
