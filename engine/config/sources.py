"""Where settings come from (a YAML file, the environment, the caller), laid over each other.

Invariants: a number reaches the models as the text that was written, so no float comes between;
a key given twice in one file is an error, never a silent choice.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from engine.config.model import Settings
from engine.config.problems import groups
from engine.domain.errors import InvalidInput

ENVIRONMENT_PREFIX = "KEEPER__"
Tree = dict[str, Any]


class _TextLoader(yaml.SafeLoader):
    """A safe loader that leaves numbers and dates as text and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Build a mapping whose keys are all different."""
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise InvalidInput(
                    "config_invalid_value",
                    f"{key.start_mark.name}: line {key.start_mark.line + 1}: {name} is given twice",
                    field=name,
                    remedy="keep one of the two",
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


_KEPT_TAGS = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:null")
_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if tag in _KEPT_TAGS]
    for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def file_tree(path: Path) -> Tree:
    """Return what a YAML file says; raises ``InvalidInput`` when it cannot be read as settings."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidInput(
            "config_missing",
            f"there is no configuration at {path}",
            field="--config",
            value=str(path),
            remedy="name it with --config, or copy config.yaml of the distribution",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InvalidInput(
            "config_unreadable",
            f"{path} cannot be read: {reason}",
            field="--config",
            value=str(path),
            remedy="make it a text file this user may read",
        ) from None
    try:
        tree = yaml.load(text, Loader=_TextLoader)  # noqa: S506 - a SafeLoader underneath
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = "" if place is None else f" in line {place.line + 1}"
        raise InvalidInput(
            "config_unreadable",
            f"{path} is not YAML{where}: {getattr(error, 'problem', error)}",
            field="--config",
            value=str(path),
            remedy="compare with config.yaml of the distribution",
        ) from None
    return _groups_of(tree, str(path))


def _groups_of(tree: object, source: str) -> Tree:
    """Return a mapping of groups, an empty group (only comments below it) as an empty mapping."""
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise InvalidInput(
            "config_invalid_value",
            f"{source} holds {type(tree).__name__}, not keys and values",
            field="--config",
            value=source,
            remedy="write `key: value` lines",
        )
    known = groups()
    return {str(k): v for k, v in tree.items() if not (v is None and str(k) in known)}


def environment_tree(environ: Mapping[str, str]) -> Tree:
    """Return the settings given as ``KEEPER__GROUP__KEY``; an empty value means null."""
    tree: Tree = {}
    for name in sorted(environ):
        if name.upper().startswith(ENVIRONMENT_PREFIX):
            path = name[len(ENVIRONMENT_PREFIX) :].lower().replace("__", ".")
            value = environ[name]
            _put(tree, path, None if value in ("", "null") else value, name)
    return tree


def override_tree(overrides: Mapping[str, Any]) -> Tree:
    """Return the caller's settings nested, whether they came nested or dotted."""
    tree: Tree = {}
    for key, value in overrides.items():
        if isinstance(value, Mapping):
            for inner, item in override_tree(value).items():
                _put(tree, f"{key}.{inner}", item, key)
        else:
            _put(tree, key, value, key)
    return tree


def _put(tree: Tree, path: str, value: object, name: str) -> None:
    *outer, last = path.split(".")
    for part in outer:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise InvalidInput(
                "config_invalid_value",
                f"{name}: {part} is given as a value and as a group",
                field=path,
                remedy="remove one of the two",
            )
    tree[last] = value


def merged(*trees: Mapping[str, Any]) -> Tree:
    """Return the trees laid over each other, the last one on top."""
    result: Tree = {}
    for tree in trees:
        for name, value in tree.items():
            below = result.get(name)
            if isinstance(value, Mapping):
                result[name] = merged(below, value) if isinstance(below, Mapping) else dict(value)
            else:
                result[name] = value
    return result


def resolved(settings: Settings, base: Path) -> Settings:
    """Return the settings with every relative path made absolute from ``base``."""
    store, logs = settings.store, settings.logs.folder
    return settings.model_copy(
        update={
            "decisions": base / settings.decisions.expanduser(),
            "store": store.model_copy(
                update={
                    "url": _resolved_url(store.url, base),
                    "spool": base / store.spool.expanduser(),
                }
            ),
            "logs": settings.logs.model_copy(
                update={"folder": None if logs is None else base / logs.expanduser()}
            ),
            "paper": settings.paper.model_copy(
                update={"state": base / settings.paper.state.expanduser()}
            ),
        }
    )


def _resolved_url(url: str, base: Path) -> str:
    scheme, found, rest = url.partition(":///")
    dialect = scheme.partition("+")[0]
    if dialect == "sqlite":
        name, mark, query = rest.partition("?")
        if not found or not name or name == ":memory:" or name.startswith("file:"):
            return url
        return f"{scheme}:///{base / Path(name).expanduser()}{mark}{query}"
    return url
