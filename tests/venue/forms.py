"""The forms of wire values: a table of `name:form` words, and what a row has that is not in it.

    i   whole number          b   true or false       n   null           f   any JSON number
    s   text, not empty       e   empty text          dN  decimal text with exactly N decimals
    sh  decimal text without trailing zeros           av  decimal text with at least one decimal

`a|b` allows either. A field that is not in the table, one that is missing and one in another form
are all wrong.
"""

from __future__ import annotations

import re

PATTERNS = {
    "sh": re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?"),
    "av": re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+"),
    **{f"d{n}": re.compile(rf"-?(0|[1-9][0-9]*)\.[0-9]{{{n}}}") for n in range(1, 9)},
}


def fits(form: str, value: object) -> bool:
    """Say whether a value has the form."""
    match form:
        case "i":
            return type(value) is int
        case "b":
            return type(value) is bool
        case "n":
            return value is None
        case "f":
            return type(value) in (int, float)
        case "s":
            return isinstance(value, str) and value != ""
        case "e":
            return value == ""
        case _:
            return isinstance(value, str) and PATTERNS[form].fullmatch(value) is not None


def wrong(row: object, table: str) -> list[str]:
    """Name everything in which a row differs from its table."""
    assert isinstance(row, dict), row
    forms = dict(word.split(":") for word in table.split())
    said = [f"{name} is missing" for name in forms.keys() - row.keys()]
    said += [f"{name} is not in the table" for name in row.keys() - forms.keys()]
    said += [
        f"{name} is {row[name]!r}, not {form}"
        for name, form in forms.items()
        if name in row and not any(fits(one, row[name]) for one in form.split("|"))
    ]
    return sorted(said)
