"""APScheduler's jobs, each only a reason put on the loop's queue (DESIGN section 2).

None touches state and none can make a tick not happen: the loop keeps its own pace, the jobs
remind it of what is due beside the tick (clock offset, full reconciliation, equity, retention).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC

CLOCK = "clock"
EQUITY = "equity"
FULL_RECONCILIATION = "full_reconciliation"
RETENTION = "retention"

EVERY_S = {CLOCK: 120, EQUITY: 300, FULL_RECONCILIATION: 3_600, RETENTION: 21_600}


class Schedule:
    """Puts a reason on a queue at its time; runs in its own thread."""

    def __init__(self, wake: Callable[[str], None]) -> None:
        """Call ``wake`` with each reason when it is due."""
        # Imported when the first tick is over: cover does not wait for reminders.
        from apscheduler.schedulers.background import BackgroundScheduler  # noqa: PLC0415

        self._scheduler = BackgroundScheduler(timezone=UTC, daemon=True)
        for reason, seconds in EVERY_S.items():
            self._scheduler.add_job(
                wake,
                "interval",
                args=(reason,),
                seconds=seconds,
                id=reason,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
            )

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def stop(self) -> None:
        """End without waiting for a job under way: it only puts a word on a queue."""
        with suppress(Exception):
            self._scheduler.shutdown(wait=False)
