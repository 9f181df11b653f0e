"""Books on disk: whole or refused, and never in two hands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.venue.api import Venue
from engine.venue.books import BOOKS_FILE, Books, BooksError, BooksInUse, is_held, read_address


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    held = Books(tmp_path / "venue")
    yield held
    held.close()


def test_an_empty_folder_has_no_books(books: Books) -> None:
    assert books.load() is None


def test_what_was_saved_comes_back(books: Books) -> None:
    content = {"now_ms": 5, "venue": {"wallet": "1000.00000001", "orders": [1, None, "ä"]}}

    books.save(content)

    assert books.load() == content
    assert not list(books.folder.glob("*.new"))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda text: text[:-3], "digest differs"),
        (lambda text: text.replace(b"1000", b"1001"), "digest differs"),
        (lambda text: text.replace(b"keeper/books/1", b"keeper/books/9"), "has the format"),
        (lambda _: b"", "is damaged"),
        (lambda _: b"\xff\xfe", "is damaged"),
        (lambda _: b"[]\n{}", "is damaged"),
    ],
    ids=["cut", "altered", "newer", "empty", "binary", "other"],
)
def test_damaged_books_are_refused_by_name_and_never_half_read(
    books: Books, harm: object, words: str
) -> None:
    """An exchange that forgot half its orders would be worse than one that does not start."""
    assert callable(harm)
    books.save({"venue": {"wallet": "1000"}})
    file = books.folder / BOOKS_FILE
    file.write_bytes(harm(file.read_bytes()))

    with pytest.raises(BooksError, match=words) as refusal:
        books.load()

    assert str(file) in str(refusal.value)
    assert "move it away" in refusal.value.remedy


def test_two_servers_never_share_a_folder(books: Books) -> None:
    books.announce({"pid": 4711, "rest_url": "http://127.0.0.1:1"})

    with pytest.raises(BooksInUse, match=r"pid 4711, http://127\.0\.0\.1:1"):
        Books(books.folder)

    assert is_held(books.folder)


def test_a_closed_folder_is_free_and_names_nobody(tmp_path: Path) -> None:
    books = Books(tmp_path)
    books.announce({"pid": 4711})

    books.close()

    assert not is_held(tmp_path)
    assert read_address(tmp_path) is None
    Books(tmp_path).close()


def test_the_address_is_for_its_owner_only(books: Books) -> None:
    """It names key and secret."""
    books.announce({"api_secret": "s"})

    assert (books.folder / "venue.json").stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(BooksError, match="cannot be used"):
        Books(tmp_path / "file" / "venue")


def test_reads_alone_are_no_reason_to_write(books: Books) -> None:
    """Months of polling must not wear out a disk; an order must be there a moment later."""
    venue = Venue(now_ms=0)
    books.save(venue.dump())
    venue.handle("GET", "/fapi/v1/time", "", "", None, 1)
    assert not books.is_behind(venue)
    venue.hand({"do": "market", "side": "buy", "quantity": "0.002"}, 2)
    assert books.is_behind(venue)
    assert books.is_behind(venue)

    books.save(venue.dump())

    assert not books.is_behind(venue)
    assert books.is_behind(venue, within_s=0)


def test_a_save_that_failed_is_tried_again(books: Books) -> None:
    venue = Venue(now_ms=0)
    books.save(venue.dump())

    books.still_behind()

    assert books.is_behind(venue)
