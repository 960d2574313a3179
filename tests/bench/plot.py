"""One small plot as SVG. A plotting library would be the largest dependency of the project, for two pictures."""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 400, 70, 50, 40, 190
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b")
Series = Mapping[str, Sequence[tuple[float, float]]]


def plot(title: str, x: str, y: str, series: Series) -> str:
    """Lines on logarithmic axes. Every value must be above 0; what is not is left out."""
    lines = {name: [(a, b) for a, b in points if a > 0 and b > 0] for name, points in series.items()}
    across = _Axis([a for points in lines.values() for a, _ in points], LEFT, WIDTH - RIGHT)
    up = _Axis([b for points in lines.values() for _, b in points], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 20, title, "start", 15),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x),
        f'<g transform="rotate(-90 15 {HEIGHT / 2})">{_text(15, HEIGHT / 2, y)}</g>',
    ]
    for value, at in across.ticks():
        parts += [_line(at, TOP, at, HEIGHT - BOTTOM), _text(at, HEIGHT - BOTTOM + 16, f"{value:,g}")]
    for value, at in up.ticks():
        parts += [_line(LEFT, at, WIDTH - RIGHT, at), _text(LEFT - 6, at + 4, f"{value:,g}", "end")]
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        dots = [(across.at(a), up.at(b)) for a, b in points]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in dots)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in dots]
        where = TOP + 12 + 18 * number
        parts.append(f'<rect x="{WIDTH - RIGHT + 12}" y="{where - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(_text(WIDTH - RIGHT + 28, where, name, "start"))
    return "\n".join([*parts, "</svg>\n"])


class _Axis:
    """From values to places, by their logarithm."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        self._low = math.floor(math.log10(min(values, default=1)) * 3) / 3
        self._high = max(math.ceil(math.log10(max(values, default=10)) * 3) / 3, self._low + 1 / 3)
        self._begin, self._end = begin, end

    def at(self, value: float) -> float:
        return self._begin + (math.log10(value) - self._low) / (self._high - self._low) * (self._end - self._begin)

    def ticks(self) -> list[tuple[float, float]]:
        decades = range(math.floor(self._low), math.ceil(self._high) + 1)
        values = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
        return [(v, self.at(v)) for v in values if self._low - 1e-9 <= math.log10(v) <= self._high + 1e-9]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, anchor: str = "middle", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'
