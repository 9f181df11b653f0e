"""How every command speaks: the answer on stdout, the rest on stderr, one exit code.

Invariants: stdout carries nothing but the answer, one JSON document with ``--json``; every failure
is one line "what, and what to do" on stderr and, with ``--json``, one ``keeper/error/1`` document
on stdout; exit codes are named here alone (contracts.md).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TextIO

from engine.domain.errors import (
    Indeterminate,
    InvariantBroken,
    KeeperError,
    Rejected,
    Unavailable,
)

CREDENTIAL_CODES = frozenset({-2014, -2015, -1022, -1099})
"""Refusals that are about the key or its signature (binance-usdm.md section 6)."""


class ExitCode(IntEnum):
    """What the process says when it ends (contracts.md, exit codes)."""

    DONE = 0
    NO = 1
    USAGE = 2
    CONFIG = 3
    CREDENTIALS = 4
    EXCHANGE = 5
    STORE = 6
    LEASE = 7
    ACCOUNT = 8
    STATE = 9
    INTERNAL = 70


@dataclass(eq=False)
class Problem(KeeperError):
    """A failure in the words of the error document; ``remedy`` says what to do.

    Not frozen: Python writes an exception's traceback and context into it while it travels.
    """

    code: str
    message: str
    exit_code: ExitCode
    field: str | None = None
    value: str | None = None
    remedy: str | None = None
    others: tuple[Mapping[str, str | None], ...] = ()

    def document(self) -> dict[str, object]:
        """Return the ``keeper/error/1`` document."""
        document: dict[str, object] = {
            "schema": "keeper/error/1",
            "code": self.code,
            "message": self.message,
            "field": self.field,
            "value": self.value,
            "remedy": self.remedy,
        }
        return document | ({"others": [dict(one) for one in self.others]} if self.others else {})

    def line(self) -> str:
        """Return the failure as one line: what, where, what to do."""
        place = f"{self.field}: " if self.field else ""
        found = f" (found {self.value})" if self.value else ""
        advice = f"; {self.remedy}" if self.remedy else ""
        return " ".join(f"keeper: {place}{self.message}{found}{advice}".split())


class Output:
    """Where answers and progress of one command go."""

    def __init__(
        self, *, as_json: bool, out: TextIO | None = None, err: TextIO | None = None
    ) -> None:
        self.as_json = as_json
        self._out = sys.stdout if out is None else out
        self._err = sys.stderr if err is None else err

    @property
    def is_terminal(self) -> bool:
        """Return whether a person watches stdout."""
        return not self.as_json and self._out.isatty()

    def answer(self, document: Mapping[str, object], human: Callable[[], str]) -> None:
        """Give the answer: the document with ``--json``, what ``human`` returns without."""
        text = json_line(document) if self.as_json else human()
        self._out.write(text if text.endswith("\n") else text + "\n")
        self._out.flush()

    def text(self, text: str) -> None:
        """Give text as the answer to a person; with ``--json`` it is progress."""
        stream = self._err if self.as_json else self._out
        stream.write(text + "\n")
        stream.flush()

    def progress(self, text: str) -> None:
        """Tell what goes on, beside the answer."""
        self._err.write(_harmless(text) + "\n")
        self._err.flush()

    def fail(self, problem: Problem) -> int:
        """Report the failure and return its exit code."""
        self._err.write(_harmless(problem.line()) + "\n")
        self._err.flush()
        if self.as_json:
            self._out.write(_harmless(json_line(problem.document())) + "\n")
            self._out.flush()
        return int(problem.exit_code)

    def trace(self, error: BaseException) -> None:
        """Show where a defect of ours was, for whoever mends it."""
        from traceback import format_exception

        self._err.write(_harmless("".join(format_exception(error))))


def _harmless(text: str) -> str:
    """Return the text without key, secret and signatures: exceptions carry whole addresses.

    Before the configuration was imported nothing of ours has read a secret.
    """
    if "engine.config" not in sys.modules:
        return text
    from engine.config import hidden, secrets_in

    return hidden(text, secrets_in(os.environ))


def json_line(document: Mapping[str, object]) -> str:
    """Return the document on one line, readable by any JSON parser."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))


def problem_of(error: BaseException) -> Problem | None:
    """Return the failure that ``error`` means, None when it is a defect of ours.

    An error class of another layer takes part by carrying ``code``, ``exit_code`` and optionally
    ``message``, ``field``, ``value`` and ``remedy``.
    """
    match error:
        case Problem():
            return error
        case Rejected() | Unavailable() | Indeterminate():
            return _of_exchange(error)
        case InvariantBroken():
            text = f"an invariant broke: {error}"
            return Problem("internal", text, ExitCode.INTERNAL, remedy=REPORT_IT)
        case KeeperError() if isinstance(getattr(error, "exit_code", None), int):
            return _carried(error)
        case _:
            return None


REPORT_IT = "this is a defect; keep the log and report it"


def _of_exchange(error: Rejected | Unavailable | Indeterminate) -> Problem:
    if not isinstance(error, Rejected):
        return Problem(
            "exchange_unreachable",
            f"the exchange cannot be reached or gives no usable answer: {error}",
            ExitCode.EXCHANGE,
            remedy="check the network and exchange.rest_url, then try again",
        )
    if error.code in CREDENTIAL_CODES:
        return Problem(
            "credentials_refused",
            f"the exchange refuses the API key: {error}",
            ExitCode.CREDENTIALS,
            remedy="check KEEPER_API_KEY and KEEPER_API_SECRET, its rights and its IP list",
        )
    return Problem(
        "exchange_rejected",
        f"the exchange refused a request: {error}",
        ExitCode.EXCHANGE,
        remedy="see `keeper check`",
    )


def _carried(error: KeeperError) -> Problem:
    def word(*names: str) -> str | None:
        found = (getattr(error, name, None) for name in names)
        return next((str(value) for value in found if value not in (None, "")), None)

    exit_code = ExitCode(getattr(error, "exit_code", int(ExitCode.INTERNAL)))
    return Problem(
        word("code") or _CODE[exit_code],
        word("message", "text") or str(error),
        exit_code,
        word("field"),
        word("value", "place"),
        word("remedy") or _REMEDY.get(exit_code),
        tuple(getattr(error, "others", ())),
    )


_CODE = {
    ExitCode.DONE: "internal",
    ExitCode.NO: "answered_no",
    ExitCode.USAGE: "usage",
    ExitCode.CONFIG: "config_invalid",
    ExitCode.CREDENTIALS: "credentials_missing",
    ExitCode.EXCHANGE: "exchange_unreachable",
    ExitCode.STORE: "store_unusable",
    ExitCode.LEASE: "lease_held",
    ExitCode.ACCOUNT: "account_unusable",
    ExitCode.STATE: "refused_in_this_state",
    ExitCode.INTERNAL: "internal",
}
_REMEDY = {
    ExitCode.LEASE: "stop the other keeper (`keeper status` names its process), or add --standby",
    ExitCode.ACCOUNT: "see `keeper check`",
    ExitCode.INTERNAL: REPORT_IT,
}
