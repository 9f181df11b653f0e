"""The door of the configuration: one file, the environment, and nothing that was not understood.

`load` gives `Settings` or raises `InvalidInput` (exit code 3) with field, value and remedy; when
several settings are wrong the message lists them all, each with its remedy. Order of precedence:
the caller's overrides, the environment (``KEEPER__EXCHANGE__REST_URL``), the file, the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from engine.config.credentials import (
    Credentials,
    CredentialsMissing,
    account_of,
    credentials,
    hidden,
    required_credentials,
    secrets_in,
)
from engine.config.model import LogFormat, Mode, RecordTicks, Settings, without_password
from engine.config.problems import (
    Problem,
    contradictions,
    invalid_values,
    known_keys,
    only_known,
    raise_first,
    unknown_keys,
)
from engine.config.sources import environment_tree, file_tree, merged, override_tree, resolved

__all__ = [
    "Credentials",
    "CredentialsMissing",
    "LogFormat",
    "Mode",
    "RecordTicks",
    "Settings",
    "account_of",
    "credentials",
    "hidden",
    "known_keys",
    "load",
    "required_credentials",
    "secrets_in",
]


def load(
    path: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Return the settings of one keeper.

    ``path`` None means no file: defaults, relative to the working directory. Relative paths are
    relative to the file's directory. ``overrides`` is nested (``{"entry": {"post_only": True}}``)
    or dotted (``{"entry.post_only": True}``). Raises ``InvalidInput``.
    """
    source = "configuration" if path is None else str(path)
    from_file = {} if path is None else file_tree(path)
    from_environment = environment_tree(environ)
    tree = merged(from_file, from_environment, override_tree(overrides or {}))
    problems = [*_passwords(from_file), *unknown_keys(tree)]
    settings = None
    try:
        settings = Settings.model_validate(only_known(tree))
    except ValidationError as error:
        problems += invalid_values(error)
    if settings is not None:
        base = Path.cwd() if path is None else path.absolute().parent
        settings = resolved(settings, base)
        problems += contradictions(settings)
    raise_first(problems, source)
    # Without settings there was a problem, and raise_first has raised.
    return cast(Settings, settings)


def _passwords(from_file: Mapping[str, Any]) -> list[Problem]:
    """Refuse a password inside the file's ``store.url``; the environment may carry one."""
    store = from_file.get("store")
    url = store.get("url") if isinstance(store, Mapping) else None
    if not isinstance(url, str) or without_password(url) == url:
        return []
    return [
        Problem(
            "config_secret_in_file",
            "a password does not belong here",
            "store.url",
            without_password(url),
            "set KEEPER__STORE__URL in the environment, or leave the password to PGPASSFILE",
        )
    ]
