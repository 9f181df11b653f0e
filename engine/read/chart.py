"""The report as one page: a panel per trade drawn as SVG, then what happened as tables.

Self-contained: no script, no font, no image and no address is fetched; light and dark follow the
reader's system. Drawing is the only place where prices become floats: pixels, never money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from itertools import pairwise
from math import ceil, floor, log10

from engine.read.style import ROLE_SHAPE, STYLE

WIDTH, HEIGHT = 960, 380
LEFT, RIGHT, TOP, BOTTOM = 16, 150, 30, 34
POINTS_MAX = 1_200
LABEL_GAP = 13.0
Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at one moment and price: a fill, an exit."""

    at_ms: int
    price: Decimal
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Band:
    """A price range with a name: the entry zone, a liquidation zone."""

    low: Decimal
    high: Decimal
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Everything drawn of one trade; ``stops`` are (moment, level, reason), oldest first.

    ``restarts`` are (killed, back) moments; ``until_ms`` is where the last stop line ends.
    """

    title: str
    prices: Sequence[tuple[int, Decimal]]
    stops: Sequence[tuple[int, Decimal, str]]
    fills: Sequence[Mark]
    bands: Sequence[Band] = ()
    targets: Sequence[tuple[str, Decimal]] = ()
    restarts: Sequence[tuple[int, int]] = ()
    until_ms: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, column names and rows of text."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Page:
    """The whole report."""

    title: str
    verdict: str
    is_ok: bool
    facts: Sequence[tuple[str, str]] = ()
    panels: Sequence[Panel] = ()
    tables: Sequence[Table] = field(default_factory=tuple)


def render(page: Page) -> str:
    """Return the page as HTML."""
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in page.facts
    )
    panels = "".join(_figure(panel) for panel in page.panels)
    tables = "".join(_table(table) for table in page.tables)
    mood = "good" if page.is_ok else "bad"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(page.title)}</title><style>{STYLE}</style></head><body><main>"
        f'<h1>{escape(page.title)}</h1><p class="verdict {mood}">{escape(page.verdict)}</p>'
        f"<dl>{facts}</dl>{panels}{tables}</main></body></html>\n"
    )


class _Scale:
    """Where a moment and a price lie on one panel."""

    def __init__(self, panel: Panel) -> None:
        moments = [at for at, _ in panel.prices] + [at for at, _, _ in panel.stops]
        moments += [mark.at_ms for mark in panel.fills]
        self.start_ms, self.end_ms = min(moments), max([*moments, panel.until_ms])
        prices = [price for _, price in panel.prices] + [level for _, level, _ in panel.stops]
        prices += [mark.price for mark in panel.fills]
        prices += [price for _, price in panel.targets]
        for band in panel.bands:
            prices += [band.low, band.high]
        low, high = float(min(prices)), float(max(prices))
        pad = (high - low) * 0.05 or max(abs(high), 1.0) * 0.001
        self.low, self.high = low - pad, high + pad

    def x(self, at_ms: int) -> float:
        """Return the horizontal place of a moment."""
        span = max(self.end_ms - self.start_ms, 1)
        return LEFT + (at_ms - self.start_ms) / span * (WIDTH - LEFT - RIGHT)

    def y(self, price: Decimal | float) -> float:
        """Return the vertical place of a price."""
        share = (float(price) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _figure(panel: Panel) -> str:
    if not (panel.prices or panel.stops or panel.fills):
        return ""
    scale = _Scale(panel)
    parts = [_grid(scale), *(_band(band, scale) for band in panel.bands)]
    parts += [_restart(restart, scale) for restart in panel.restarts]
    parts += [_target(text, price, scale) for text, price in panel.targets]
    parts += [_price_line(panel, scale), _stop_line(panel, scale)]
    parts += [_mark(mark, scale) for mark in panel.fills]
    parts.append(_labels(panel, scale))
    drawing = "".join(parts)
    return (
        f"<figure><figcaption>{escape(panel.title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(panel.title)}">'
        f"{drawing}</svg>{_legend(panel)}</figure>"
    )


def _grid(scale: _Scale) -> str:
    parts = []
    step = _round_step((scale.high - scale.low) / 6)
    for number in range(ceil(scale.low / step), floor(scale.high / step) + 1):
        price = number * step
        y = scale.y(price)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(f'<text class="axis" x="{LEFT}" y="{y - 3:.1f}">{price:,.10g}</text>')
    span_ms = max(scale.end_ms - scale.start_ms, 1)
    for part in range(6):
        at_ms = scale.start_ms + span_ms * part // 5
        anchor = "start" if part == 0 else "end" if part == 5 else "middle"
        parts.append(
            f'<text class="axis" x="{scale.x(at_ms):.1f}" y="{HEIGHT - 12}" '
            f'text-anchor="{anchor}">{_clock(at_ms)}</text>'
        )
    return "".join(parts)


def _band(band: Band, scale: _Scale) -> str:
    top, bottom = scale.y(band.high), scale.y(band.low)
    height = max(bottom - top, 1.5)
    return (
        f'<rect class="band {escape(band.kind)}" x="{LEFT}" y="{top:.1f}" '
        f'width="{WIDTH - LEFT - RIGHT}" height="{height:.1f}">'
        f"<title>{escape(band.text)} {band.low} to {band.high}</title></rect>"
    )


def _restart(restart: tuple[int, int], scale: _Scale) -> str:
    killed, back = scale.x(restart[0]), scale.x(restart[1])
    return (
        f'<rect class="away" x="{killed:.1f}" y="{TOP}" width="{max(back - killed, 1):.1f}" '
        f'height="{HEIGHT - TOP - BOTTOM}"><title>killed {_clock(restart[0])}, '
        f"back {_clock(restart[1])}</title></rect>"
        f'<text class="note" x="{killed:.1f}" y="{TOP - 8}">killed, restarted</text>'
    )


def _target(text: str, price: Decimal, scale: _Scale) -> str:
    y = scale.y(price)
    return (
        f'<line class="target" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}">'
        f"<title>{escape(text)} {price}</title></line>"
    )


def _price_line(panel: Panel, scale: _Scale) -> str:
    prices = panel.prices
    stride = max(1, ceil(len(prices) / POINTS_MAX))
    kept = [*prices[::stride], *prices[-1:]]
    points = " ".join(f"{scale.x(at):.1f},{scale.y(price):.1f}" for at, price in kept)
    return f'<polyline class="price" points="{points}"/>' if kept else ""


def _stop_line(panel: Panel, scale: _Scale) -> str:
    if not panel.stops:
        return ""
    end = (scale.end_ms if panel.until_ms == 0 else panel.until_ms, panel.stops[-1][1], "")
    path: list[str] = []
    marks: list[str] = []
    for (at_ms, level, reason), (until_ms, _, _) in pairwise([*panel.stops, end]):
        x, y = scale.x(at_ms), scale.y(level)
        path.append(f"{'M' if not path else 'L'}{x:.1f},{y:.1f} H{scale.x(until_ms):.1f}")
        marks.append(
            f'<circle class="level" cx="{x:.1f}" cy="{y:.1f}" r="3">'
            f"<title>{_clock(at_ms)} stop {level} ({escape(reason)})</title></circle>"
        )
    return f'<path class="stop" d="{" ".join(path)}"/>{"".join(marks)}'


def _mark(mark: Mark, scale: _Scale) -> str:
    x, y = scale.x(mark.at_ms), scale.y(mark.price)
    kind, shape = ROLE_SHAPE.get(mark.role, ROLE_SHAPE["other"])
    return (
        f'<path class="fill {kind}" transform="translate({x:.1f} {y:.1f})" d="{shape}">'
        f"<title>{_clock(mark.at_ms)} {escape(mark.text)}</title></path>"
    )


def _labels(panel: Panel, scale: _Scale) -> str:
    """Name the lines at the right edge, moved apart where they would overlap."""
    wanted = [("target", f"{text} {price}", scale.y(price)) for text, price in panel.targets]
    wanted += [
        (f"band-text {band.kind}", band.text, scale.y((band.low + band.high) / 2))
        for band in panel.bands
    ]
    if panel.stops:
        level = panel.stops[-1][1]
        wanted.append(("stop", f"stop {level}", scale.y(level)))
    if panel.prices:
        wanted.append(("price", f"price {panel.prices[-1][1]}", scale.y(panel.prices[-1][1])))
    parts, below = [], float(TOP - LABEL_GAP)
    for kind, text, y in sorted(wanted, key=lambda one: one[2]):
        below = max(y, below + LABEL_GAP)
        parts.append(
            f'<text class="label {kind}" x="{WIDTH - RIGHT + 8}" y="{below + 4:.1f}">'
            f"{escape(text)}</text>"
        )
    return "".join(parts)


def _legend(panel: Panel) -> str:
    roles = list(dict.fromkeys(mark.role for mark in panel.fills))
    marks = "".join(
        f'<li><svg viewBox="-8 -8 16 16"><path class="fill {kind}" d="{shape}"/></svg>'
        f"{escape(role.replace('_', ' '))}</li>"
        for role in roles
        for kind, shape in (ROLE_SHAPE.get(role, ROLE_SHAPE["other"]),)
    )
    lines = "".join(
        f'<li><svg viewBox="-8 -8 16 16"><path class="{kind}" d="M-8,0 H8"/></svg>{text}</li>'
        for kind, text in (("price", "last price"), ("stop", "stop level"), ("target", "targets"))
    )
    return f'<ul class="legend">{lines}{marks}</ul>'


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    if not table.rows:
        rows = f'<tr><td colspan="{len(table.columns)}">none</td></tr>'
    return (
        f'<h2>{escape(table.heading)}</h2><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _round_step(raw: float) -> float:
    """Return the nearest 1, 2 or 5 times a power of ten that is not below ``raw``."""
    power = 10.0 ** floor(log10(raw))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)


def _clock(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%H:%M:%S}"
