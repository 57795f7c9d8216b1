"""Small lines of a number over runs, drawn without matplotlib: thousands are made in the time of one chart."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

WIDTH, HEIGHT = 120, 32


def sparkline(values: Sequence[float], words: str) -> Markup:
    """Returns the last values as a line on its own scale, the last one a dot; nothing with fewer than two.

    `words` says the same to a screen reader.
    """
    if len(values) < 2:
        return Markup("")
    points = _points(values, WIDTH - 6, HEIGHT - 8, 3, 4)
    line = " ".join(f"{x:g},{y:g}" for x, y in points)
    x, y = points[-1]
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(words)}">'
        f'<polyline points="{line}" fill="none" stroke="var(--now)" stroke-width="1.5"/>'
        f'<circle cx="{x:g}" cy="{y:g}" r="3" fill="var(--plan)"/></svg>'
    )


def trend(values: Sequence[float], words: str) -> Markup:
    """Returns the line of a trend, stretched to its column; the words around it are the page's own text."""
    points = _points(values, 800, 110, 4, 5)
    line = " ".join(f"{x:g},{y:g}" for x, y in points)
    dots = "".join(f'<path d="M{x:g} {y:g}h.01"/>' for x, y in points) if len(points) <= 40 else ""
    box = 'viewBox="0 0 808 120" preserveAspectRatio="none"'
    return Markup(
        f'<svg class="trend-line" {box} role="img" aria-label="{escape(words)}">'
        f'<polyline points="{line}"/><g>{dots}</g></svg>'
    )


def _points(values: Sequence[float], width: float, height: float, left: float, top: float) -> list[tuple[float, float]]:
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    step = width / max(len(values) - 1, 1)
    drops = [0.5 if high == low else (high - value) / span for value in values]
    return [(round(left + step * i, 1), round(top + height * drop, 1)) for i, drop in enumerate(drops)]
