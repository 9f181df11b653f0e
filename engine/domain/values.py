"""Copies of values with some fields changed; what would not differ is not copied.

A tick folds one look into the ledger field by field, and in the steady state hardly anything is
new. The very same object then says so: later steps compare by identity, and nothing is written.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same promise to the type checker, which knows this one by name
    from dataclasses import replace
else:

    def replace(value: Any, /, **changes: Any) -> Any:
        """Return ``value`` with these fields changed, or ``value`` itself when none differs.

        For dataclasses whose fields all are arguments of their constructor, by place.
        """
        fresh = None
        for name, new in changes.items():
            old = getattr(value, name)
            if old is not new and (type(old) is not type(new) or old != new):
                if fresh is None:
                    read, places = _shape(type(value))
                    fresh = list(read(value))
                fresh[places[name]] = new
        return value if fresh is None else type(value)(*fresh)


@cache
def _shape(kind: type) -> tuple[attrgetter[tuple[Any, ...]], dict[str, int]]:
    names = [field.name for field in fields(kind)]
    return attrgetter(*names), {name: place for place, name in enumerate(names)}


__all__ = ["replace"]
