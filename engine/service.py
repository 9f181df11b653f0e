"""The service manager's own protocol: ready, alive, reloading, stopping (sd_notify(3)).

Invariants: READY and WATCHDOG are said by the loop alone and only after a tick that verified cover
by reading the exchange; nothing here waits or fails a tick; without ``NOTIFY_SOCKET`` it is silent.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping

from engine.tick import TickReport

ADDRESS = "NOTIFY_SOCKET"


class ServiceManager:
    """Tells systemd how one keeper fares."""

    def __init__(self, environ: Mapping[str, str], monotonic_ms: Callable[[], int]) -> None:
        """Take the socket's address from the environment; ``monotonic_ms`` as the loop's clock."""
        self._address = _address(environ.get(ADDRESS, ""))
        self._monotonic_ms = monotonic_ms
        self._patience_ms = _patience_ms(environ)
        self._silence_ends_ms: int | None = None
        self._alive_ms: int | None = None
        self._status = ""
        self.is_ready = False

    def look(self, report: TickReport, status: str) -> None:
        """Say what this tick allows to say; ``status`` is one line for people."""
        if self._address is None:
            return
        words = []
        if status != self._status:
            self._status = status
            words.append(f"STATUS={status}")
        if is_cover_verified(report):
            if not self.is_ready:
                self.is_ready = True
                words += ["READY=1", f"MAINPID={os.getpid()}"]
            words += self._alive()
        words += self._silence(report)
        if words:
            self._send(*words)

    def reloading(self) -> None:
        """Say that the configuration is being read again."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={self._monotonic_ms() * 1000}")

    def reloaded(self) -> None:
        """Say that it was; a keeper that is not ready yet says so by its first covered tick."""
        if self.is_ready:
            self._send("READY=1")

    def stopping(self) -> None:
        """Say that the process ends on purpose."""
        self._send("STOPPING=1", "STATUS=stopping; the stops stay on the exchange")

    def _alive(self) -> list[str]:
        """Return the watchdog's food when it is due: four times in its patience, not every tick."""
        if self._patience_ms is None:
            return []
        now_ms = self._monotonic_ms()
        if self._alive_ms is not None and now_ms - self._alive_ms < self._patience_ms // 4:
            return []
        self._alive_ms = now_ms
        return ["WATCHDOG=1"]

    def _silence(self, report: TickReport) -> list[str]:
        """Return the watchdog's patience for a silence the exchange asked for (RULES H4).

        A restart would forget the silence and break it. No food either: cover is not verified.
        """
        ends_ms = report.situation.condition.blocked_until_ms
        is_silent = ends_ms > report.now_ms
        if self._patience_ms is None or (ends_ms if is_silent else None) == self._silence_ends_ms:
            return []
        self._silence_ends_ms = ends_ms if is_silent else None
        unfed_ms = 0 if self._alive_ms is None else self._monotonic_ms() - self._alive_ms
        longer_ms = unfed_ms + ends_ms - report.now_ms if is_silent else 0
        return [f"WATCHDOG_USEC={(self._patience_ms + longer_ms) * 1000}"]

    def _send(self, *words: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
                door.settimeout(0)  # a full buffer is the manager's trouble, too
                door.sendto("\n".join(words).encode(), self._address)
        except OSError:
            return  # nobody listens: that is the manager's loss, not the position's


def is_cover_verified(report: TickReport) -> bool:
    """Return whether this tick read position and orders and left nothing without a stop.

    Flat counts as covered; a position that is somebody's, and which no stop of ours reaches yet,
    does not.
    """
    ledger = report.ledger
    if not report.situation.has_picture or report.situation.observation.is_unasked:
        return False
    if any(side.gone_ms is None and not side.is_covered for side in ledger.hedged):
        return False
    life = ledger.life
    if life is None or life.closed_ms is not None:
        return ledger.position_quantity == 0
    return life.uncovered_quantity <= 0


def _address(text: str) -> str | None:
    """Return the socket's address as Python spells it; other families than AF_UNIX are not ours."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else None


def _patience_ms(environ: Mapping[str, str]) -> int | None:
    """Return the watchdog's patience, None when there is none or it is another process's."""
    try:
        patience_us = int(environ.get("WATCHDOG_USEC", ""))
        pid = int(environ.get("WATCHDOG_PID", "") or os.getpid())
    except ValueError:
        return None
    return patience_us // 1_000 if patience_us > 0 and pid == os.getpid() else None
