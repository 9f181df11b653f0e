"""YAML read exactly: numbers are `Decimal` from their text, time stamps stay text, no key twice.

JSON is YAML too, so one reader serves both.
"""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal

import yaml


class NotYaml(ValueError):
    """The text is not YAML; says where in one line."""


class _Loader(yaml.SafeLoader):
    """A safe loader with the changes below."""


def read_yaml(text: str) -> object:
    """Return what `text` says.

    Raises:
        NotYaml: with the line and the column.
    """
    try:
        value: object = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader, see above
    except yaml.YAMLError as error:
        raise NotYaml(f"is not YAML: {' '.join(str(error).split())}") from error
    return value


def _decimal_scalar(_: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    text = node.value.replace("_", "").lower().replace(".inf", "Infinity").replace(".nan", "NaN")
    return Decimal(text)


def _unique_mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Hashable, object]:
    seen: set[Hashable] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            mark = key_node.start_mark
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} stands twice", mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in rules if not tag.endswith(":timestamp")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_constructor("tag:yaml.org,2002:float", _decimal_scalar)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)
