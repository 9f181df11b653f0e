"""What a keeper says while it runs: one line per change, for people on a terminal, else JSON.

Invariants: log lines go to stderr and never to stdout, which belongs to answers; every line carries
tick, decision and order where there is one; no key, secret or signature gets out, whoever wrote the
words; losing its audience ends no keeper. structlog is imported with the first line, so that the
first tick does not wait for it.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, TextIO

from engine.config import LogFormat, hidden
from engine.loop import wall_guess_ms
from engine.read.documents import moment_of

Level = Literal["info", "warning", "error"]
_FIRST = ("at", "level", "event", "tick", "decision", "order", "text")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to say: ``event`` is a stable code, ``text`` the words; ``at_ms`` exchange time."""

    event: str
    text: str
    at_ms: int | None = None
    tick: int | None = None
    decision: str | None = None
    order: str | None = None
    level: Level = "info"

    def plain(self) -> str:
        """Return the line as a person reads it: the time of day and the words."""
        words = " ".join(self.text.split())  # an answer's body may bring lines of its own
        return f"{moment_of(self.at_ms or wall_guess_ms())[11:19]} {words}"

    def fields(self) -> dict[str, Any]:
        """Return what there is to know, in the order a program finds it."""
        known = {
            "at": moment_of(self.at_ms or wall_guess_ms()),
            "level": self.level,
            "event": self.event,
            "tick": self.tick,
            "decision": self.decision,
            "order": self.order,
            "text": self.text,
        }
        return {name: value for name, value in known.items() if value is not None}


class Log:
    """Writes lines to one stream in one format."""

    def __init__(
        self,
        stream: TextIO,
        *,
        as_json: bool,
        symbol: str,
        secrets: tuple[str, ...] = (),
    ) -> None:
        """Write to ``stream``; ``secrets`` never appear, ``symbol`` is in every JSON line."""
        self._stream = stream
        self._as_json = as_json
        self._symbol = symbol
        self._secrets = secrets
        self._logger: Any = None
        self._is_heard = True
        self._lock = threading.Lock()

    def say(self, line: Line) -> None:
        """Write one line; nothing any more once nobody listens."""
        with self._lock:  # followers and libraries speak from threads of their own
            if not self._is_heard:
                return
            if self._logger is None:
                self._logger = self._made()
            try:
                fields = line.fields()
                getattr(self._logger, line.level)(fields.pop("event"), line=line, **fields)
            except (OSError, ValueError):  # a closed pipe, a full disk, a closed stream
                self._is_heard = False

    def note(self, text: str) -> None:
        """Write what a part of the keeper has to tell, outside any tick."""
        self.say(Line("note", text, level="warning"))

    def hide(self, text: str) -> str:
        """Return the text without anything secret."""
        return hidden(text, self._secrets)

    def _made(self) -> Any:
        """Return the logger; it is our own and no global one, so that many keepers fit in."""
        with _without_rich():
            import structlog
        renderer = self._as_program if self._as_json else self._as_person
        return structlog.wrap_logger(
            structlog.WriteLogger(self._stream),
            processors=[self._without_secrets, renderer],
            wrapper_class=structlog.BoundLogger,
            cache_logger_on_first_use=False,
        )

    def _without_secrets(
        self, _logger: object, _method: str, fields: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        for name, value in fields.items():
            if isinstance(value, str):
                fields[name] = self.hide(value)
        return fields

    def _as_program(self, _logger: object, _method: str, fields: MutableMapping[str, Any]) -> str:
        ordered = {name: fields[name] for name in _FIRST if name in fields}
        return json.dumps(ordered | {"symbol": self._symbol}, ensure_ascii=False)

    def _as_person(self, _logger: object, _method: str, fields: MutableMapping[str, Any]) -> str:
        line: Line = fields["line"]
        words = self.hide(line.plain())
        tags = [] if line.tick is None else [f"tick {line.tick}"]
        named = set(line.text.split())  # what the words say already needs no second mention
        for name, value in (("decision", line.decision), ("order", line.order)):
            if value is not None and value not in named:
                tags.append(f"{name} {value}")
        return f"{words}  ({', '.join(tags)})" if tags else words


def open_log(stream: TextIO, form: LogFormat, *, symbol: str, secrets: tuple[str, ...] = ()) -> Log:
    """Return a log on ``stream`` in the format the settings ask for."""
    as_json = form is LogFormat.JSON or (form is LogFormat.AUTO and not stream.isatty())
    return Log(stream, as_json=as_json, symbol=symbol, secrets=secrets)


@contextmanager
def speaking_for_everybody(log: Log) -> Iterator[None]:
    """Bring what libraries and dying threads say into the log, without their secrets."""
    handler = _Libraries(log)
    root = logging.getLogger()
    before = threading.excepthook
    for name in ("apscheduler", "urllib3", "binance", "websockets", "asyncio", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    root.addHandler(handler)
    threading.excepthook = _thread_ended(log)
    try:
        yield
    finally:
        root.removeHandler(handler)
        threading.excepthook = before


class _Libraries(logging.Handler):
    """Takes other people's warnings as lines of ours."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Say it; a record that cannot be put into words is not worth an exception."""
        with suppress(Exception):
            text = f"{record.name}: {record.getMessage()}"
            if record.exc_info and record.exc_info[1] is not None:
                text += f": {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
            level: Level = "error" if record.levelno >= logging.ERROR else "warning"
            self._log.say(Line("library", text, level=level))


def _thread_ended(log: Log) -> Callable[[threading.ExceptHookArgs], None]:
    """Return the hook for a thread that ends with an exception: a defect, and only half a keeper.

    The tick does not depend on it, so it is told and the keeper goes on.
    """

    def hook(ended: threading.ExceptHookArgs) -> None:
        name = "?" if ended.thread is None else ended.thread.name
        text = f"thread {name} ended: {ended.exc_type.__name__}: {ended.exc_value}"
        log.say(Line("thread_ended", text, level="error"))

    return hook


@contextmanager
def _without_rich() -> Iterator[None]:
    """Keep structlog from importing rich for tracebacks we never print: 3 MB and 25 ms."""
    name = "rich"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # what makes an import fail at once
    try:
        yield
    finally:
        del sys.modules[name]
