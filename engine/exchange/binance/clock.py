"""Exchange time: an anchor plus monotonic time, so that a step of the wall clock reaches nothing.

The bound on the error is half the round trip of the anchoring request plus what the local
oscillator may have drifted since (50 ppm by default). All values are integer milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DRIFT_PPM = 50


@dataclass(frozen=True, slots=True)
class Anchor:
    """One measurement: exchange time ``exchange_ms`` was ``monotonic_ms``, give or take."""

    exchange_ms: int
    monotonic_ms: int
    error_ms: int

    def at(self, monotonic_ms: int) -> int:
        """Return exchange time at a monotonic instant."""
        return self.exchange_ms + monotonic_ms - self.monotonic_ms

    def error_at(self, monotonic_ms: int, drift_ppm: int) -> int:
        """Return the bound on the error of ``at``, rounded up."""
        age_ms = abs(monotonic_ms - self.monotonic_ms)
        return self.error_ms + -(-age_ms * drift_ppm // 1_000_000)


def measured(sent_ms: int, received_ms: int, exchange_ms: int) -> Anchor:
    """Return the anchor that one question for the time gives.

    ``sent_ms`` and ``received_ms`` are monotonic; the exchange read its clock between them.
    """
    middle_ms = (sent_ms + received_ms) // 2
    return Anchor(exchange_ms, middle_ms, -(-(received_ms - sent_ms) // 2) + 1)


class ExchangeClock:
    """Holds the best anchor; ``guess_ms`` stands in for exchange time until the first one."""

    def __init__(
        self, monotonic_ms: Callable[[], int], *, guess_ms: int = 0, drift_ppm: int = DRIFT_PPM
    ) -> None:
        self._monotonic_ms = monotonic_ms
        self._drift_ppm = drift_ppm
        self._anchor = Anchor(guess_ms, monotonic_ms(), 0)
        self._ahead_ms = self._anchor.at(0)  # of monotonic time
        self._is_anchored = False

    def monotonic_ms(self) -> int:
        """Return the local monotonic time."""
        return self._monotonic_ms()

    def now_ms(self) -> int:
        """Return exchange time."""
        return self._ahead_ms + self._monotonic_ms()

    def error_ms(self) -> int | None:
        """Return the bound on the error of ``now_ms``, None before the first anchoring."""
        if not self._is_anchored:
            return None
        return self._anchor.error_at(self._monotonic_ms(), self._drift_ppm)

    def anchor(self, sent_ms: int, received_ms: int, exchange_ms: int) -> None:
        """Take a measurement, unless the present anchor is still the better one.

        A measurement that contradicts the present anchor wins: then the exchange's clock, or
        ours, has jumped.
        """
        new = measured(sent_ms, received_ms, exchange_ms)
        if self._is_anchored:
            aged_ms = self._anchor.error_at(received_ms, self._drift_ppm)
            apart_ms = abs(new.at(received_ms) - self._anchor.at(received_ms))
            if new.error_ms > aged_ms and apart_ms <= new.error_ms + aged_ms:
                return
        self._anchor, self._ahead_ms, self._is_anchored = new, new.at(0), True

    def distrust(self) -> None:
        """Forget that the clock was ever anchored: the exchange refused our time."""
        self._is_anchored = False
