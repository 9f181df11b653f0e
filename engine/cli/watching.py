"""Looking at the store again and again: opened late, reopened when it changes hands."""

from __future__ import annotations

from engine.cli.common import reader_of, this_host
from engine.cli.live import View
from engine.config import Settings
from engine.domain.errors import StoreUnavailable
from engine.read.documents import Document
from engine.read.status import read_facts, status_document
from engine.store.reading import ReadStore


class Watcher:
    """Makes status documents from the store of one keeper."""

    def __init__(self, settings: Settings, api_key: str | None = None) -> None:
        self._settings = settings
        self._api_key = api_key
        self._store: ReadStore | None = None

    def status(self) -> Document:
        """Return the status now; raises ``StoreUnavailable``."""
        store = self._store or reader_of(self._settings, self._api_key)
        self._store = store
        settings = self._settings
        facts = read_facts(
            store, mode=settings.mode.value, interval_s=float(settings.loop.interval_s)
        )
        return status_document(facts, this_host())

    def show_on(self, panel: View) -> None:
        """Show the status, or nothing while the store is not there yet."""
        try:
            panel.show(self.status())
        except StoreUnavailable:
            self.close()

    def close(self) -> None:
        """Let go of the store; the next look opens it again."""
        if self._store is not None:
            self._store.close()
            self._store = None
