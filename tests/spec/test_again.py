"""A function that remembers its last answer cannot be told from one that does not."""

from __future__ import annotations

import pytest

from engine.domain.again import last_answer


def test_the_very_same_question_is_answered_once() -> None:
    asked: list[tuple[object, ...]] = []

    @last_answer
    def joined(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
        asked.append((left, right))
        return left + right

    one, two, like_two = (1,), (2,), (*[2],)

    assert joined(one, two) is joined(one, two)
    assert len(asked) == 1
    assert joined(one, like_two) == (1, 2)
    assert joined(two, one) == (2, 1)
    assert joined(one, two) == (1, 2)
    assert len(asked) == 4  # only the last answer is remembered, and equal is not the same


def test_a_question_that_has_no_answer_has_none_the_next_time_either() -> None:
    @last_answer
    def inverse(number: int) -> float:
        return 1 / number

    assert inverse(2) == 0.5
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            inverse(0)
    assert inverse(2) == 0.5


def test_what_remembers_keeps_its_name_and_its_words() -> None:
    @last_answer
    def named() -> int:
        """Return one."""
        return 1

    assert (named.__name__, named.__doc__, named()) == ("named", "Return one.", 1)
