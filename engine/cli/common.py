"""What several verbs need: settings and credentials from the command line, the store, our name."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from engine import paper
from engine.config import (
    Credentials,
    Settings,
    account_of,
    credentials,
    load,
    required_credentials,
)
from engine.loop import wall_guess_ms

if TYPE_CHECKING:
    from engine.read.status import Host
    from engine.store.reading import ReadStore


def settings_of(arguments: Namespace) -> Settings:
    """Return the settings of ``--config`` and the environment; raises ``InvalidInput``."""
    return load(arguments.config, os.environ)


def credentials_of(settings: Settings) -> Credentials | None:
    """Return the API key, None where paper mode brings its own; raises ``CredentialsMissing``."""
    if settings.starts_paper_venue:
        return None
    return required_credentials(os.environ)


def reader_of(settings: Settings, api_key: str | None = None) -> ReadStore:
    """Return a reader of the store; raises ``StoreUnavailable``.

    Reading needs no key: without one the only account the store knows is meant.
    """
    from engine.store.reading import ReadStore

    key = api_key or _known_key(settings)
    account = None if key is None else account_of(key)
    return ReadStore.open(settings.store.url, account=account, symbol=settings.symbol)


def this_host() -> Host:
    """Return this machine as the status document needs it."""
    from engine.read.status import Host

    return Host(socket.gethostname(), wall_guess_ms(), paper.is_alive)


def command(*words: object) -> str:
    """Return a command line that works from any folder: our program by its full path."""
    program = Path(sys.argv[0])
    if program.name == "keeper" and program.exists():
        start = [str(program.absolute())]
    else:
        start = [sys.executable, "-m", "engine.cli.main"]
    return shlex.join([*start, *(str(word) for word in words)])


def config_words(arguments: Namespace) -> tuple[str, str]:
    """Return ``--config FILE`` with the file's full path."""
    return "--config", str(Path(arguments.config).absolute())


def _known_key(settings: Settings) -> str | None:
    if settings.starts_paper_venue:
        return paper.known_key(settings.paper.state)
    found = credentials(os.environ)
    return None if found is None else found.api_key
