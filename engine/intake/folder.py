"""The files of the inbox: which exist, which changed, what each says; read as rarely as possible.

Invariants: an unchanged file costs one ``stat``; a changed one is read at this look and once more
at the next, because two writes within one tick of the file system's clock share a signature; only
regular files are opened, and none above the size limit; a file that vanishes between two calls is
not an error.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.intake.document import SIZE_MAX, Document, read_document, sha256
from engine.intake.liquidation_map import MAP_NAME, LiquidationMap, read_map
from engine.intake.refusals import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

Signature = tuple[int, int, int, int]


class _Entry(NamedTuple):
    """One regular file as the folder shows it; ``signature`` None: it cannot even be looked at."""

    name: str
    path: str
    signature: Signature | None


@dataclass(frozen=True, slots=True)
class Held:
    """What one file said when it was read last."""

    signature: Signature | None
    content: str
    document: Document | LiquidationMap
    is_settled: bool

    @property
    def modified_ns(self) -> int:
        """Return when the file was written, by the file system's clock."""
        return 0 if self.signature is None else self.signature[0]


@dataclass(slots=True)
class Folder:
    """One file, or the ``*.json`` directly in one folder, with what they say."""

    path: Path
    symbol: str
    files: dict[str, Held] = field(default_factory=dict)
    chart: Held | None = None

    def refresh(self) -> tuple[set[str], bool]:
        """Look again; return the names that say something new, and whether anything changed.

        Raises ``OSError`` when the folder itself cannot be read.
        """
        new: set[str] = set()
        present: set[str] = set()
        chart: Held | None = None
        is_changed = False
        for entry in self._entries():
            if entry.name == MAP_NAME:
                chart = self._held(entry, self.chart)
                continue
            present.add(entry.name)
            before = self.files.get(entry.name)
            held = self._held(entry, before)
            if held is None:
                present.discard(entry.name)
            elif held is not before:
                is_changed = True
                self.files[entry.name] = held
                if before is None or before.content != held.content:
                    new.add(entry.name)
        gone = self.files.keys() - present
        for name in gone:
            del self.files[name]
        is_changed = is_changed or bool(gone) or chart is not self.chart
        self.chart = chart
        return new, is_changed

    def _entries(self) -> Iterator[_Entry]:
        try:
            scan = os.scandir(self.path)
        except NotADirectoryError:
            yield from self._one_file()
            return
        except FileNotFoundError:
            if self.path.suffix != ".json":
                raise
            return
        with scan:
            for item in scan:
                if item.name.endswith(".json") and not item.name.startswith("."):
                    try:
                        status = item.stat()
                    except FileNotFoundError:
                        continue
                    except OSError:
                        yield _Entry(item.name, item.path, None)
                        continue
                    if stat.S_ISREG(status.st_mode):
                        yield _Entry(item.name, item.path, _signature(status))

    def _one_file(self) -> Iterator[_Entry]:
        for path in (self.path, self.path.parent / MAP_NAME):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield _Entry(path.name, str(path), _signature(status))

    def _held(self, entry: _Entry, before: Held | None) -> Held | None:
        is_same = before is not None and before.signature == entry.signature
        if before is not None and is_same and before.is_settled:
            return before
        if entry.signature is None:
            return self._unreadable(entry, "it cannot be looked at")
        if entry.signature[1] > SIZE_MAX:
            return self._too_large(entry)
        try:
            with Path(entry.path).open("rb") as file:
                raw = file.read(SIZE_MAX + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            return self._unreadable(entry, error.strerror or "unknown reason")
        if len(raw) > SIZE_MAX:
            return self._too_large(entry)
        content = sha256(raw)
        if before is not None and before.content == content:
            return Held(entry.signature, content, before.document, is_settled=is_same)
        document = (
            read_map(raw, self.symbol)
            if entry.name == MAP_NAME
            else read_document(raw, entry.name, self.symbol)
        )
        return Held(entry.signature, content, document, is_settled=False)

    def _too_large(self, entry: _Entry) -> Held:
        size = 0 if entry.signature is None else entry.signature[1]
        fault = Fault(Code.TOO_LARGE, f"{size} bytes, not read", None, str(size))
        return self._unread(entry, fault)

    def _unreadable(self, entry: _Entry, why: str) -> Held:
        return self._unread(entry, Fault(Code.UNREADABLE_FILE, f"{entry.name}: {why}"))

    def _unread(self, entry: _Entry, fault: Fault) -> Held:
        content = sha256(f"{fault.code} {entry.name} {entry.signature}")
        is_settled = fault.code is Code.TOO_LARGE
        if entry.name == MAP_NAME:
            wrong = Fault(Code.MAP_UNREADABLE, fault.message)
            unread = LiquidationMap(content, "", fault=wrong)
            return Held(entry.signature, content, unread, is_settled=is_settled)
        document = Document(entry.name, content, "", fault=fault)
        return Held(entry.signature, content, document, is_settled=is_settled)


def _signature(status: os.stat_result) -> Signature:
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns
