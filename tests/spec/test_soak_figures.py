"""The judge of a long run: what grew is found, what only warmed up is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.soak.figures import Sample, judge, slope_per_s


def samples(**grows: Callable[[int], float]) -> list[Sample]:
    """Return half an hour of samples, five seconds apart; what is named grows by its formula."""

    def at(number: int) -> Sample:
        def value(name: str, flat: float) -> float:
            return grows[name](number) if name in grows else flat

        return Sample(
            at_s=number * 5.0,
            rss_mb=value("rss_mb", 80.0),
            threads=int(value("threads", 12)),
            handles=int(value("handles", 30)),
            log_lines=int(value("log_lines", number)),
            log_bytes=0,
            daily_bytes=0,
            store_bytes=0,
            events=number,
            ticks=number,
        )

    return [at(number) for number in range(360)]


GROWING: dict[str, dict[str, Callable[[int], float]]] = {
    "rss_mb_growth": {"rss_mb": lambda n: 80 + n * 0.05},
    "rss_slope_mb_per_h": {"rss_mb": lambda n: 80 + n * 0.02},
    "threads_growth": {"threads": lambda n: 12 + n // 60},
    "handles_growth": {"handles": lambda n: 30 + n // 20},
    "log_lines_per_event": {"log_lines": lambda n: n * 5},
}


@pytest.mark.parametrize("name", GROWING)
def test_what_grows_is_found(name: str) -> None:
    run = samples(**GROWING[name])

    failed = {verdict.name for verdict in judge(run, run[:1] * 2) if not verdict.ok}

    assert name in failed


def test_what_only_warms_up_is_not() -> None:
    """The first lives fill caches; a quarter of the run is for that."""
    run = samples(rss_mb=lambda n: 60 + min(n, 80) * 0.4, threads=lambda n: 20 - min(n, 8))

    assert [v.name for v in judge(run, run[:1] * 2) if not v.ok] == []


def test_a_keeper_that_talks_while_nothing_happens_is_found() -> None:
    run = samples()
    quiet = [run[-13], run[-1]]  # a minute with twelve lines

    failed = [verdict.name for verdict in judge(run, quiet) if not verdict.ok]

    assert failed == ["quiet_log_lines_per_min"]


def test_a_slope_is_that_of_least_squares() -> None:
    assert slope_per_s([0, 1, 2, 3], [1, 3, 5, 7]) == pytest.approx(2)
    assert slope_per_s([1, 1], [2, 4]) == 0
