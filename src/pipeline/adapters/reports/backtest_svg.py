"""Line charts over sessions, as SVG that takes its colours from the page: equity and drawdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

from pipeline.adapters.reports.svg import LEFT, RIGHT, TOP, WIDTH, round_steps

_LABELS = 10
"""About as many dates as fit below a chart."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Values by session, integers, with what writes them; ``flipped`` hangs them from the top."""

    name: str
    days: Sequence[date]
    values: Sequence[int]
    label: Callable[[int], str]
    height: int
    base: int
    flipped: bool = False

    @property
    def low(self) -> int:
        """The smallest value shown."""
        return min(self.base, *self.values)

    @property
    def high(self) -> int:
        """The largest value shown."""
        return max(self.base, *self.values, self.low + 1)

    @property
    def floor(self) -> int:
        """The vertical place of the time axis."""
        return self.height - 22

    def x(self, index: int) -> float:
        """Return the horizontal place of a session."""
        return round(LEFT + index / max(1, len(self.values) - 1) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: int) -> float:
        """Return the vertical place of a value."""
        share = (value - self.low) / (self.high - self.low)
        return round(TOP + (self.floor - TOP) * (share if self.flipped else 1 - share), 1)


def curve_svg(curve: Curve) -> str:
    """Return the line, its area towards the base, a grid of round values and dates below."""
    line = "L".join(f"{curve.x(i)},{curve.y(value)}" for i, value in enumerate(curve.values))
    base, last = curve.y(curve.base), curve.x(len(curve.values) - 1)
    area, stroke = ("deep", "fall") if curve.flipped else ("area", "line")
    body = [*_grid(curve)]
    if not curve.flipped:
        body.append(f'<path class="base" d="M{LEFT},{base}H{WIDTH - RIGHT}"/>')
    body.append(f'<path class="{area}" d="M{line}L{last},{base}L{LEFT},{base}Z"/>')
    body.append(f'<path class="{stroke}" d="M{line}"/>')
    size = f'viewBox="0 0 {WIDTH} {curve.height}"'
    return f'<svg {size} role="img" aria-label="{escape(curve.name)}">{"".join(body)}</svg>'


def _grid(curve: Curve) -> Iterator[str]:
    right, floor = WIDTH - RIGHT, curve.floor
    for value in round_steps(curve.low, curve.high):
        y = curve.y(value)
        yield f'<path class="grid" d="M{LEFT},{y}H{right}"/>'
        yield f'<text class="value" x="{WIDTH}" y="{y + 4}">{escape(curve.label(value))}</text>'
    for index, text in _dates(curve.days):
        x = curve.x(index)
        yield f'<path class="tick" d="M{x},{floor}v4"/>'
        yield f'<text class="hour" x="{x}" y="{curve.height - 4}">{text}</text>'
    yield f'<path class="axis" d="M{LEFT},{floor}H{right}"/>'


def _dates(days: Sequence[date]) -> list[tuple[int, str]]:
    """Return where years begin, or months, or every few sessions, whichever says most."""
    for form, parts in (("%Y", lambda d: (d.year,)), ("%Y-%m", lambda d: (d.year, d.month))):
        found = [i for i in range(1, len(days)) if parts(days[i]) != parts(days[i - 1])]
        if len(found) >= 4:
            step = -(-len(found) // _LABELS)
            return [(i, f"{days[i]:{form}}") for i in found[::step]]
    step = -(-len(days) // _LABELS)
    return [(i, f"{days[i]:%m-%d}") for i in range(step if len(days) > 1 else 0, len(days), step)]
