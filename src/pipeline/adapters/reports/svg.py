"""Two line charts over a session, as SVG that takes its colours from the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from pipeline.domain.formatting import minute_of_day

Series = Sequence[tuple[datetime, int]]
WIDTH, LEFT, RIGHT, TOP = 960, 4, 84, 14
_LINE_OF_TEXT = 12


@dataclass(frozen=True, slots=True)
class Mark:
    """A trade on the line: when, at which value, which way, and what a pointer shows."""

    at: datetime
    value: int
    buy: bool
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What the axes span: ``[start, end]`` and ``[low, high]``, with value labels at round steps.

    ``flipped`` hangs the values from the top, as for a drawdown; ``hours`` writes the time below.
    """

    start: datetime
    end: datetime
    low: int
    high: int
    height: int
    label: Callable[[int], str]
    zone: str
    flipped: bool = False
    hours: bool = True

    @property
    def floor(self) -> int:
        """The vertical place of the time axis."""
        return self.height - (22 if self.hours else 6)

    def x(self, at: datetime) -> float:
        """Return the horizontal place of an instant, kept inside the frame."""
        share = (at - self.start) / (self.end - self.start)
        return round(LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: int) -> float:
        """Return the vertical place of a value."""
        share = (value - self.low) / max(1, self.high - self.low)
        return round(TOP + (self.floor - TOP) * (share if self.flipped else 1 - share), 1)


def round_steps(low: int, high: int, wanted: int = 4) -> tuple[int, ...]:
    """Return about ``wanted`` multiples of 1, 2 or 5 times a power of ten within ``[low, high]``."""
    step = next(s for s in _steps() if (high - low) // s <= wanted)
    first = -(-low // step) * step
    return tuple(range(first, high + 1, step))


def _steps() -> Iterator[int]:
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10


def equity_svg(chart: Chart, line: Series, base: int, marks: Sequence[Mark]) -> str:
    """Return the equity line with the start of the day as a dashed line and a triangle for each trade."""
    at, value = line[-1]
    x, y = chart.x(at), chart.y(value)
    body = [*_grid(chart, y), _rule(chart, base, "base", "start")]
    body.append(f'<path class="area" d="{_path(chart, line)}{_closing(chart, line, base)}"/>')
    body.append(f'<path class="line" d="{_path(chart, line)}"/>')
    body.extend(_triangle(chart, mark) for mark in marks)
    body.append(f'<circle class="last" cx="{x}" cy="{y}" r="3.5"/>')
    body.append(f'<text class="value now" x="{WIDTH}" y="{y + 4}">{escape(chart.label(value))}</text>')
    return _svg(chart, "Equity over the session", body)


def drawdown_svg(chart: Chart, line: Series, rungs: Sequence[tuple[str, int]]) -> str:
    """Return the drawdown hanging from the top, with the ladder's rungs that fit the frame."""
    body = list(_grid(chart))
    body.append(f'<path class="deep" d="{_path(chart, line)}{_closing(chart, line, 0)}"/>')
    body.append(f'<path class="fall" d="{_path(chart, line)}"/>')
    body.extend(_rule(chart, at, "rung", name) for name, at in rungs if at <= chart.high)
    return _svg(chart, "Drawdown from the high-water mark", body)


def _path(chart: Chart, line: Series) -> str:
    return "M" + "L".join(f"{chart.x(at)},{chart.y(value)}" for at, value in line)


def _closing(chart: Chart, line: Series, base: int) -> str:
    return f"L{chart.x(line[-1][0])},{chart.y(base)}L{chart.x(line[0][0])},{chart.y(base)}Z"


def _grid(chart: Chart, taken: float = float("-inf")) -> Iterator[str]:
    """Yield the lines and labels of both axes; no label where ``taken`` says that another one stands."""
    right, floor = WIDTH - RIGHT, chart.floor
    for value in round_steps(chart.low, chart.high):
        y = chart.y(value)
        yield f'<path class="grid" d="M{LEFT},{y}H{right}"/>'
        if abs(y - taken) >= _LINE_OF_TEXT:
            yield f'<text class="value" x="{WIDTH}" y="{y + 4}">{escape(chart.label(value))}</text>'
    hour = chart.start.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    while hour <= chart.end:
        x = chart.x(hour)
        yield f'<path class="tick" d="M{x},{floor}v4"/>'
        if chart.hours:
            text = minute_of_day(hour, chart.zone).split()[0]
            yield f'<text class="hour" x="{x}" y="{chart.height - 4}">{text}</text>'
        hour += timedelta(hours=1)
    yield f'<path class="axis" d="M{LEFT},{floor}H{right}"/>'


def _rule(chart: Chart, value: int, kind: str, name: str) -> str:
    y = chart.y(value)
    line = f'<path class="{kind}" d="M{LEFT},{y}H{WIDTH - RIGHT}"/>'
    return f'{line}<text class="name" x="{LEFT + 2}" y="{y - 4}">{escape(name)}</text>'


def _triangle(chart: Chart, mark: Mark) -> str:
    x, y = chart.x(mark.at), chart.y(mark.value)
    kind, up = ("buy", 1) if mark.buy else ("sell", -1)
    shape = f"M{x},{y + 5 * up}l-5,{9 * up}h10Z"
    return f'<path class="{kind}" d="{shape}"><title>{escape(mark.text)}</title></path>'


def _svg(chart: Chart, name: str, body: Sequence[str]) -> str:
    size = f'viewBox="0 0 {WIDTH} {chart.height}"'
    return f'<svg {size} role="img" aria-label="{escape(name)}">{"".join(body)}</svg>'
