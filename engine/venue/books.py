"""The venue's books on disk, so that a restarted exchange still knows every order.

`books.json` is replaced as a whole (written aside, synced, renamed), carries a digest of itself,
and is at most a fraction of a second behind what the account's owner was told. `lock` keeps two
servers from one folder for as long as the first one lives; `venue.json` says where it is found.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

FORMAT = "keeper/books/1"
BOOKS_FILE = "books.json"
ADDRESS_FILE = "venue.json"
LOCK_FILE = "lock"
IDLE_SAVE_S = 60.0


class BooksError(Exception):
    """The folder cannot be used; says which file and what to do about it."""

    def __init__(self, message: str, *, file: Path, remedy: str) -> None:
        """Keep the parts beside the sentence made of them."""
        super().__init__(f"{file}: {message}; {remedy}")
        self.message, self.file, self.remedy = message, str(file), remedy


class BooksInUse(BooksError):
    """Another server holds the folder."""


class Journalled(Protocol):
    """What the books need to see of a venue to know whether they are behind."""

    def log_after(self, sequence: int) -> list[dict[str, object]]:
        """Return the log entries after `sequence`."""


class Books:
    """One folder of books, held under a lock from creation to `close`."""

    def __init__(self, folder: Path) -> None:
        """Create the folder if needed and take its lock.

        Raises:
            BooksInUse: another server holds it.
            BooksError: it cannot be created or written.
        """
        self.folder = folder
        self._seen = 0
        self._saved_s = time.monotonic()
        self._behind = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BooksError(
                f"cannot be used: {error.strerror}",
                file=folder,
                remedy="give --state a folder that can be written",
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            address = read_address(folder) or {}
            raise BooksInUse(
                f"another venue keeps its books here (pid {address.get('pid', 'unknown')}, "
                f"{address.get('rest_url', 'address unknown')})",
                file=folder,
                remedy="end it with 'keeper venue stop --state', or give another folder",
            ) from error

    def load(self) -> Mapping[str, object] | None:
        """Return the books as `Venue.dump` made them, None when there are none yet.

        Raises:
            BooksError: they cannot be read or are damaged.
        """
        file = self.folder / BOOKS_FILE
        try:
            text = file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BooksError(
                f"cannot be read: {error.strerror}", file=file, remedy="make it readable"
            ) from error
        head, _, body = text.partition(b"\n")
        try:
            header = json.loads(head)
            if header["format"] != FORMAT:
                raise _damaged(file, f"has the format {header['format']!r}, not {FORMAT!r}")
            if header["sha256"] != hashlib.sha256(body).hexdigest():
                wanted = header["bytes"]
                raise _damaged(
                    file, f"is damaged: digest differs, {len(body)} bytes of {wanted} are there"
                )
            books = json.loads(body)
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(file, f"is damaged: {error!r}") from error
        return dict(books)

    def unusable(self, message: str) -> BooksError:
        """Return the error for books whose content makes no sense to the venue."""
        return _damaged(self.folder / BOOKS_FILE, message)

    def is_behind(self, venue: Journalled, within_s: float = IDLE_SAVE_S) -> bool:
        """Say whether the books should be written now.

        Anything but a read is a reason at once; reads and prices alone only every `within_s`.
        """
        news = venue.log_after(self._seen)
        if news:
            self._seen = int(str(news[-1]["n"]))
            self._behind = self._behind or any(not _is_read(entry) for entry in news)
        return self._behind or time.monotonic() - self._saved_s > within_s

    def still_behind(self) -> None:
        """Note that the last save did not succeed."""
        self._behind = True

    def save(self, books: Mapping[str, object]) -> None:
        """Replace the books on disk; returns once they would survive a power cut."""
        self._write(self._text(books))

    async def save_aside(self, books: Mapping[str, object]) -> None:
        """Replace the books without holding up the event loop while the disk works."""
        await asyncio.to_thread(self._write, self._text(books))

    def announce(self, address: Mapping[str, object]) -> None:
        """Write `venue.json`, readable by the owner only because it names key and secret."""
        _replace(self.folder / ADDRESS_FILE, json.dumps(address, indent=1).encode() + b"\n")

    def close(self) -> None:
        """Withdraw the address and give the lock back."""
        with suppress(FileNotFoundError):
            (self.folder / ADDRESS_FILE).unlink()
        os.close(self._lock)

    def _text(self, books: Mapping[str, object]) -> bytes:
        # Made on the caller's thread: the books may change while another one would be reading.
        body = json.dumps(books, separators=(",", ":")).encode()
        self._behind = False
        self._saved_s = time.monotonic()
        header = {
            "format": FORMAT,
            "sha256": hashlib.sha256(body).hexdigest(),
            "bytes": len(body),
        }
        return json.dumps(header).encode() + b"\n" + body

    def _write(self, text: bytes) -> None:
        _replace(self.folder / BOOKS_FILE, text)


def read_address(folder: Path) -> Mapping[str, object] | None:
    """Return what `venue.json` says, None when it is missing or unreadable."""
    try:
        address = json.loads((folder / ADDRESS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return address if isinstance(address, dict) else None


def is_held(folder: Path) -> bool:
    """Say whether a live server holds the folder."""
    try:
        lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def _is_read(entry: Mapping[str, object]) -> bool:
    return entry.get("kind") == "request" and entry.get("verb") == "GET"


def _damaged(file: Path, message: str) -> BooksError:
    return BooksError(
        message, file=file, remedy="restore it, or move it away to begin with empty books"
    )


def _replace(file: Path, content: bytes) -> None:
    aside = file.with_suffix(".new")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    aside.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
