"""What several verbs need: settings and credentials from the command line, our own full name."""

from __future__ import annotations

import os
import shlex
import sys
from argparse import Namespace
from pathlib import Path

from engine.config import Credentials, Settings, credentials, load, required_credentials


def settings_of(arguments: Namespace) -> Settings:
    """Return the settings of ``--config`` and the environment; raises ``InvalidInput``."""
    return load(arguments.config, os.environ)


def credentials_of(settings: Settings) -> Credentials | None:
    """Return the API key, None where paper mode brings its own; raises ``CredentialsMissing``."""
    if settings.starts_paper_venue:
        return credentials({})
    return required_credentials(os.environ)


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
