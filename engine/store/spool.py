"""The append-only file for what must be written down while the store is out of reach (RULES G5).

Pre-allocated, so that a full disk does not stop it; every record is synced before ``append``
returns and carries its length and checksum, so a torn last record is recognised. Records are
merged once, in order: the store remembers the digest of each it has taken. A keeper that was
stopped and its successor on the same host may have the same file open: each looks at what the
other left before it writes, and never waits for the other.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.domain import canonical
from engine.domain.errors import StoreUnavailable

SIZE = 1 << 20
_HEAD = struct.Struct(">II")  # length and CRC-32 of the record that follows; length 0 ends the file


@dataclass(frozen=True, slots=True)
class SpoolRecord:
    """One record: a kind, plain data, and the digest that makes merging idempotent."""

    number: int
    kind: str
    data: dict[str, Any]
    digest: str


class Spool:
    """One spool file, open for appending."""

    def __init__(self, path: Path, size: int = SIZE) -> None:
        """Open or make the file; raises ``StoreUnavailable`` when neither is possible."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if os.fstat(self._descriptor).st_size < size:
                os.posix_fallocate(self._descriptor, 0, size)
                os.fsync(self._descriptor)
            self._size = os.fstat(self._descriptor).st_size
        except OSError as error:
            raise self._unavailable(error) from error
        self._number, self._end = 0, 0
        for record, end in self._scan():
            self._number, self._end = record.number, end

    @property
    def is_empty(self) -> bool:
        """Return whether no record waits to be merged."""
        return self._length_at(0) == 0

    def append(self, kind: str, data: dict[str, Any]) -> None:
        """Write one record and see it on the disk; raises ``StoreUnavailable`` when it is not."""
        with self._alone():
            self._append(kind, data)

    def _append(self, kind: str, data: dict[str, Any]) -> None:
        number = self._number + 1
        text = canonical.json_text({"number": number, "kind": kind, "data": data})
        body = text.encode()
        record = _HEAD.pack(len(body), zlib.crc32(body)) + body + _HEAD.pack(0, 0)
        if self._end + len(record) > self._size:
            raise StoreUnavailable(
                f"spool {self.path} is full", place=str(self.path), remedy="bring the store back"
            )
        try:
            os.pwrite(self._descriptor, record, self._end)
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise self._unavailable(error) from error
        self._number = number
        self._end += len(record) - _HEAD.size

    def records(self) -> Iterator[SpoolRecord]:
        """Return every whole record, oldest first."""
        for record, _ in self._scan():
            yield record

    def merge(self, take: Callable[[SpoolRecord], None]) -> int:
        """Give every record to ``take``, in order, then empty the file; return how many.

        When ``take`` raises, nothing is emptied: the next merge gives them all again, and what
        was taken already is recognised by its digest.
        """
        count = 0
        with self._alone():
            for record in self.records():
                take(record)
                count += 1
            if count:
                os.pwrite(self._descriptor, _HEAD.pack(0, 0), 0)
                os.fdatasync(self._descriptor)
                self._end = 0
        return count

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep others from writing meanwhile, and know what they wrote before.

        Raises ``StoreUnavailable`` at once while another process is in the middle of it, which it
        may be for ever if it was stopped there.
        """
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreUnavailable(
                f"spool {self.path}: another process is writing it",
                place=str(self.path),
                remedy="end the other keeper, or give each its own store.spool",
            ) from error
        try:
            if self._length_at(self._end) or (self._end and not self._length_at(0)):
                self._end = 0
                for record, end in self._scan():
                    self._number, self._end = max(self._number, record.number), end
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _length_at(self, at: int) -> int:
        """Return the length of the record that begins there, 0 when none does."""
        head = os.pread(self._descriptor, _HEAD.size, at)
        return 0 if len(head) < _HEAD.size else int(_HEAD.unpack(head)[0])

    def _scan(self) -> Iterator[tuple[SpoolRecord, int]]:
        at = 0
        while at + _HEAD.size <= self._size:
            length, checksum = _HEAD.unpack(os.pread(self._descriptor, _HEAD.size, at))
            if length == 0 or at + _HEAD.size + length > self._size:
                return
            body = os.pread(self._descriptor, length, at + _HEAD.size)
            if zlib.crc32(body) != checksum:
                return
            at += _HEAD.size + length
            text = body.decode()
            found = json.loads(text)
            digest = canonical.digest_of_text(text)
            yield SpoolRecord(found["number"], found["kind"], found["data"], digest), at

    def _unavailable(self, error: OSError) -> StoreUnavailable:
        return StoreUnavailable(
            f"spool {self.path}: {error.strerror}",
            place=str(self.path),
            remedy=f"make {self.path.parent} writable and free some disk space",
        )
