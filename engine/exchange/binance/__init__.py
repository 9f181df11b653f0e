"""Binance USDⓈ-M futures through python-binance: translation, fates, lanes, clock, stream.

The library imports ``dateparser`` for dates in words, which nothing here ever gives it: 10 MB and
a tenth of a start. A stand-in takes its place until somebody asks for one of its names.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

UNUSED = "dateparser"


class _Later(ModuleType):
    """Imports the real module when one of its names is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(UNUSED) is self:
            del sys.modules[UNUSED]
        return getattr(import_module(UNUSED), name)


sys.modules.setdefault(UNUSED, _Later(UNUSED))
