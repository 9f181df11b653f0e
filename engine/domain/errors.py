"""Errors named by what is known: of a request's fate, of an input, of an invariant.

Nothing is retried where the fate is unknown; the next tick looks (RULES C4).
"""

from __future__ import annotations

from collections.abc import Mapping


class KeeperError(Exception):
    """Base of every error the engine raises on purpose."""


class Rejected(KeeperError):
    """The exchange said no: the request certainly did not execute.

    ``code`` is the exchange's error code (0 when it gave none), ``text`` its message.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class Unavailable(KeeperError):
    """The request never left or was certainly not executed; it may be sent again later.

    ``retry_after_s`` is the pause the exchange asked for (429/418), if it named one.
    """

    def __init__(self, text: str, *, code: int = 0, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.retry_after_s = retry_after_s


class Indeterminate(KeeperError):
    """The request may or may not have executed."""

    def __init__(self, text: str, *, code: int = 0) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class InvalidInput(KeeperError):
    """An input is wrong: names the field, the value and the remedy.

    ``code`` is stable (contracts.md, error documents); ``exit_code`` is the process's. ``others``
    are further mistakes in the same input, each with code, field, message, value and remedy.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str | None = None,
        value: str | None = None,
        remedy: str | None = None,
        exit_code: int = 3,
        others: tuple[Mapping[str, str | None], ...] = (),
    ) -> None:
        super().__init__(message)
        self.others = others
        self.code = code
        self.message = message
        self.field = field
        self.value = value
        self.remedy = remedy
        self.exit_code = exit_code


class InvariantBroken(KeeperError):
    """Something the design promises is not so: a defect of the engine, never of its inputs."""


class StoreUnavailable(KeeperError):
    """The store cannot be opened, read or written; no entry may be sent (RULES G5).

    ``place`` is the path or URL without its password, ``remedy`` what an operator can do.
    """

    exit_code = 6

    def __init__(self, text: str, *, place: str = "", remedy: str = "") -> None:
        super().__init__(f"{text} ({remedy})" if remedy else text)
        self.text = text
        self.place = place
        self.remedy = remedy


class LeaseHeld(KeeperError):
    """Another keeper holds the lease of this account and symbol (RULES G4)."""

    exit_code = 7


class LeaseLost(KeeperError):
    """Our lease has passed to another epoch: from now on this process only adds cover, if that."""

    exit_code = 7


def require(condition: object, text: str) -> None:
    """Raise ``InvariantBroken`` unless ``condition`` holds (an ``assert`` can be switched off)."""
    if not condition:
        raise InvariantBroken(text)
