"""Judges a document that a command wrote against its schema in docs/schemas."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SCHEMAS = Path(__file__).parent.parent / "docs" / "schemas"


def validate(document: Mapping[str, object]) -> None:
    """Check `document` against the schema its key `schema` names.

    Raises:
        AssertionError: no such schema, or the document breaks it; says where and how.
    """
    name = document.get("schema")
    assert isinstance(name, str), f"no schema named: {str(document)[:200]}"
    assert next(iter(document)) == "schema", "schema must be the first key"
    complaints = sorted(
        f"/{'/'.join(str(part) for part in error.absolute_path)}: {error.message[:300]}"
        for error in validator(name).iter_errors(document)
    )
    assert not complaints, f"{name}: " + "; ".join(complaints)


@functools.cache
def validator(name: str) -> Draft202012Validator:
    """Return the validator of a schema such as `keeper/status/1`."""
    prefix, _, rest = name.partition("/")
    file = SCHEMAS / f"{rest.replace('/', '-')}.json"
    assert prefix == "keeper", f"{name!r} is not one of ours"
    assert file.is_file(), f"{name!r} has no schema in docs/schemas"
    common = json.loads((SCHEMAS / "common.json").read_text())
    registry = Registry().with_resource("common.json", Resource.from_contents(common))
    return Draft202012Validator(json.loads(file.read_text()), registry=registry)
