"""Looking on: a live panel on a terminal, a line per change elsewhere, JSON with ``--json``.

Rich is imported for the terminal alone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from engine.cli.output import Output
from engine.cli.render import status_line, status_text
from engine.read.documents import Document


class View(Protocol):
    """Somewhere a status can be shown again and again."""

    def show(self, status: Document) -> None:
        """Show this status, or keep silent when nothing changed."""


class _Lines:
    """One line per change."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._last = ""

    def show(self, status: Document) -> None:
        """Say what changed since the last line."""
        line = status_line(status)
        if line != self._last:
            self._last = line
            self._say(f"{str(status['at'])[11:19]} {line}")


class _Documents:
    """One JSON document per line, changed or not: whoever reads them wants the ages too."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def show(self, status: Document) -> None:
        """Write the document."""
        self._output.answer(status, lambda: "")


class _Panel:
    """A panel that is drawn over itself."""

    def __init__(self, live: Any, log: Callable[[], list[str]]) -> None:
        self._live = live
        self._log = log

    def show(self, status: Document) -> None:
        """Draw the status and the last lines beneath it."""
        from rich.panel import Panel
        from rich.text import Text

        body = "\n".join([status_text(status), *self._log()])
        title = f"position keeper, {str(status['at'])[11:19]} UTC"
        self._live.update(Panel(Text(body, no_wrap=False), title=title))


def view(output: Output, *, log: Callable[[], list[str]] = list) -> AbstractContextManager[View]:
    """Return the view that fits where the output goes; ``log`` gives lines to show beneath."""
    if output.as_json:
        return nullcontext(_Documents(output))
    if not output.is_terminal:
        return nullcontext(_Lines(output.text))
    return _RichView(log)


class _RichView(AbstractContextManager[View]):
    """Holds the terminal for the time of the view."""

    def __init__(self, log: Callable[[], list[str]]) -> None:
        from rich.live import Live

        self._live = Live(refresh_per_second=8, transient=False)
        self._log = log

    def __enter__(self) -> View:
        self._live.start(refresh=True)
        return _Panel(self._live, self._log)

    def __exit__(self, *_: object) -> None:
        self._live.stop()
