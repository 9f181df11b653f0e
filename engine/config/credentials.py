"""The API key and its secret: from the environment or from systemd's credentials, nowhere else.

Invariant: neither of the two appears in a ``repr``, a message or a document.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.domain.errors import InvalidInput

KEY_VARIABLE = "KEEPER_API_KEY"
SECRET_VARIABLE = "KEEPER_API_SECRET"  # noqa: S105 - the name of a variable, not its value
FOLDER_VARIABLE = "CREDENTIALS_DIRECTORY"
STORE_VARIABLE = "KEEPER__STORE__URL"
HIDDEN = "***"
_PASSWORD = re.compile(r"://[^:/@]*:([^@/]+)@")
_SIGNATURE = re.compile(r"(?<=signature=)[0-9a-fA-F]{16,}")
_SECRET_MIN = 8
"""Shorter words are no keys of an exchange, and hiding them would blot out half of a text."""
_REMEDY = (
    f"set {KEY_VARIABLE} and {SECRET_VARIABLE}, or put api_key and api_secret into "
    f"${FOLDER_VARIABLE} (systemd: LoadCredential=)"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key and its secret; printing it shows neither."""

    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)


def account_of(api_key: str) -> str:
    """Return the account's name in the store: a hash of the key, which itself is never stored."""
    return hashlib.sha256(api_key.encode()).hexdigest()[:12]


class CredentialsMissing(InvalidInput):
    """The exchange needs a key and there is none, or only half of one (exit code 4)."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__("credentials_missing", message, field=field, remedy=_REMEDY, exit_code=4)


def credentials(environ: Mapping[str, str]) -> Credentials | None:
    """Return the credentials, or None when neither place has any.

    Both halves come from the same place: a key of one account with the secret of another is
    refused by the exchange with a message that helps nobody. Raises ``CredentialsMissing`` when
    one half is missing or a credential file cannot be read.
    """
    key = environ.get(KEY_VARIABLE, "").strip()
    secret = environ.get(SECRET_VARIABLE, "").strip()
    if key and secret:
        return Credentials(key, secret)
    if key or secret:
        missing = SECRET_VARIABLE if key else KEY_VARIABLE
        raise CredentialsMissing(f"{missing} is not set, but its other half is", field=missing)
    folder = environ.get(FOLDER_VARIABLE, "")
    if not folder:
        return None
    key, secret = _read(Path(folder) / "api_key"), _read(Path(folder) / "api_secret")
    if key and secret:
        return Credentials(key, secret)
    if key or secret:
        missing = "api_secret" if key else "api_key"
        raise CredentialsMissing(f"{missing} is missing in {folder}", field=missing)
    return None


def required_credentials(environ: Mapping[str, str]) -> Credentials:
    """Return the credentials; raises ``CredentialsMissing`` when there are none."""
    found = credentials(environ)
    if found is None:
        raise CredentialsMissing("this exchange needs an API key and there is none")
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise CredentialsMissing(f"{path} cannot be read: {reason}", field=path.name) from None


def secrets_in(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return everything in the environment and in systemd's credentials that nobody may read."""
    found = [environ.get(name, "").strip() for name in (KEY_VARIABLE, SECRET_VARIABLE)]
    found += _PASSWORD.findall(environ.get(STORE_VARIABLE, ""))
    folder = environ.get(FOLDER_VARIABLE, "")
    for name in ("api_key", "api_secret") if folder else ():
        try:
            found.append((Path(folder) / name).read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError):
            continue
    return tuple(secret for secret in found if len(secret) >= _SECRET_MIN)


def hidden(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text without these secrets and without any request's signature."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return _SIGNATURE.sub(HIDDEN, text)
