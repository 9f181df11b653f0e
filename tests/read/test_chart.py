"""The report page is one file: it fetches nothing, escapes everything, and draws what happened."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise
from xml.etree import ElementTree as ET

from engine.read.chart import Band, Mark, Page, Panel, Table, render

D = Decimal
START_MS = 1_795_150_000_000
PANEL = Panel(
    title="long 0.013 <script>",
    prices=[(START_MS + n * 100, D(90700 + n)) for n in range(500)],
    stops=[(START_MS, D(90380), "initial"), (START_MS + 20_000, D("90806.9"), "breakeven")],
    fills=[
        Mark(START_MS + 5_000, D(90750), "entry", "entry: buy 0.005"),
        Mark(START_MS + 30_000, D(91000), "liquidation_exit", "exit: sell 0.005"),
    ],
    bands=[Band(D(90700), D(90900), "entry", "entry zone")],
    targets=[("tp1", D(91600))],
    restarts=[(START_MS + 22_000, START_MS + 25_000)],
    until_ms=START_MS + 30_000,
)


def page(*panels: Panel) -> str:
    table = Table("Checks", ("check", "detail"), [("covered", "0 < 1 & nothing")])
    return render(
        Page("Demo & more", "every check passed", is_ok=True, panels=panels, tables=[table])
    )


def drawing(html: str) -> ET.Element:
    found = re.search(r"<svg viewBox=\"0 0 960.*?</svg>(?=<ul)", html, re.DOTALL)
    assert found is not None
    return ET.fromstring(found[0])  # noqa: S314 - our own text


def test_the_page_fetches_nothing() -> None:
    """It is mailed, archived, opened years later."""
    html = page(PANEL)

    assert not re.search(r"(src|href|@import|url\()", html)
    assert "<script" not in html


def test_what_came_from_outside_is_escaped() -> None:
    html = page(PANEL)

    assert "&lt;script&gt;" in html
    assert "0 &lt; 1 &amp; nothing" in html


def test_every_stop_level_fill_band_and_restart_is_drawn() -> None:
    svg = drawing(page(PANEL))
    classes = [element.get("class") for element in svg.iter()]

    assert classes.count("level") == 2
    assert classes.count("fill entry") == 1
    assert classes.count("fill liq") == 1
    assert classes.count("band entry") == 1
    assert classes.count("away") == 1
    assert classes.count("target") == 1


def test_a_stop_is_a_step_and_ends_with_the_position() -> None:
    """A slanted stop line would show levels that were never in force."""
    svg = drawing(page(PANEL))
    path = next(e.get("d") or "" for e in svg.iter() if e.get("class") == "stop")

    assert re.fullmatch(r"M[\d.]+,[\d.]+ H[\d.]+ L[\d.]+,[\d.]+ H[\d.]+", path)
    ends, starts = re.findall(r"H([\d.]+) L([\d.]+),", path)[0]
    assert ends == starts


def test_higher_prices_lie_higher() -> None:
    svg = drawing(page(PANEL))
    marks = [e for e in svg.iter() if (e.get("class") or "").startswith("fill")]
    places = [float((e.get("transform") or "").split()[1].rstrip(")")) for e in marks]

    assert places[0] > places[1]


def test_labels_do_not_lie_on_each_other() -> None:
    """Price and stop meet exactly when somebody looks: at the exit."""
    crowded = Panel(
        "crowded", [(START_MS, D(100)), (START_MS + 1, D(100))], [(START_MS, D(100), "initial")],
        [], targets=[("tp1", D(100)), ("tp2", D("100.1"))],
    )  # fmt: skip
    svg = drawing(page(crowded))
    heights = sorted(
        float(e.get("y") or 0) for e in svg.iter() if (e.get("class") or "").startswith("label")
    )

    assert all(b - a >= 12 for a, b in pairwise(heights))


def test_a_trade_without_anything_to_draw_leaves_no_empty_frame() -> None:
    assert "<figure>" not in page(Panel("nothing", [], [], []))
