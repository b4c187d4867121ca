"""The chart of the gateways' figures: SVG by hand, readable on a light and on a dark page, as an image too."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape

WIDTH, MARGIN, BAR, STEP = 760, 24, 15, 19
NAMES = {
    "introspection": "asking the user centre (httpx2)",
    "introspection by hand": "asking it without a library",
    "redis": "asking Redis",
    "ours": "checking with a key",
}
ASKED = {
    "introspection": "calls at the user centre",
    "introspection by hand": "calls at the user centre",
    "redis": "look-ups in Redis",
    "ours": "refreshes at the user centre",
}
# An image knows what its reader prefers, but not the page around it: so it brings its own ground.
STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.quiet { fill: #59636e }
.ground { fill: #ffffff; stroke: #d1d9e0 }
.axis { stroke: #818b98 }
.introspection { fill: #c2410c }
.introspection-by-hand { fill: #b45309; fill-opacity: 0.65 }
.redis { fill: #7c3aed }
.ours { fill: #0369a1 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.quiet { fill: #9198a1 }
.ground { fill: #151b23; stroke: #3d444d }
.axis { stroke: #656c76 }
.introspection { fill: #f0883e }
.introspection-by-hand { fill: #f0b03e; fill-opacity: 0.75 }
.redis { fill: #a78bfa }
.ours { fill: #38bdf8 }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What is drawn of one way.

    Attributes:
        rates: API requests per second, by the number of clients.
        p99: milliseconds, by the number of clients.
        centre: calls at the user centre per 1 000 API requests, with the most clients.
        redis: keys that Redis was asked for per 1 000 API requests, with the most clients.
    """

    rates: Mapping[int, float]
    p99: Mapping[int, float]
    centre: float
    redis: float


def number(value: float) -> str:
    """Two digits that count, or all before the point; thousands apart."""
    return f"{value:,.0f}".replace(",", " ") if value >= 10 else f"{value:.2g}"


def text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(content)}</text>'


def bar(x: float, y: float, width: float, way: str, label: str) -> str:
    """One bar with its figure behind it; never so short that it cannot be seen, but for nothing."""
    wide, kind = max(width, 1.5) if width else 0, way.replace(" ", "-")
    shape = f'<rect x="{x:g}" y="{y:g}" width="{wide:.1f}" height="{BAR}" rx="2" class="{kind}"/>'
    return shape + text(x + wide + 6, y + BAR - 3, label)


def axis(x: float, y: float, height: float) -> str:
    return f'<line x1="{x:g}" y1="{y:g}" x2="{x:g}" y2="{y + height:g}" class="axis"/>'


def asked(bars: Mapping[str, Bar], clients: int, y: float) -> Iterator[str]:
    """Who is asked how often; its names are the legend of everything below."""
    left, most = MARGIN + 222, max(one.centre + one.redis for one in bars.values())
    yield text(MARGIN, y, f"Asked elsewhere for 1 000 API requests, {clients} clients", "title")
    yield axis(left, y + 10, STEP * len(bars))
    for row, (way, one) in enumerate(bars.items()):
        at = y + 12 + row * STEP
        yield text(left - 8, at + BAR - 3, NAMES[way], anchor="end")
        total = one.centre + one.redis
        yield bar(left, at, 290 * total / most, way, f"{number(total)} {ASKED[way]}")


def panel(title: str, figures: Mapping[str, Mapping[int, float]], x: float, y: float, width: float) -> Iterator[str]:
    """A group of bars for each number of clients."""
    left, most = x + 76, max(value for of in figures.values() for value in of.values())
    counts = list(next(iter(figures.values())))
    group = STEP * len(figures) + 10
    yield text(x, y, title, "title")
    yield axis(left, y + 10, group * len(counts) - 8)
    for place, count in enumerate(counts):
        top = y + 12 + place * group
        yield text(left - 8, top + group / 2 - 1, f"{count} client{'s' * (count > 1)}", "quiet", "end")
        for row, (way, of) in enumerate(figures.items()):
            yield bar(left, top + row * STEP, (width - 76 - 56) * of[count] / most, way, number(of[count]))


def summary(bars: Mapping[str, Bar], clients: int) -> str:
    """The same in words, for who does not see it."""
    said = (
        f"{NAMES[way]}: {number(one.rates[clients])} requests per second, p99 {number(one.p99[clients])} ms, "
        f"{number(one.centre)} calls at the user centre and {number(one.redis)} look-ups in Redis per 1 000 requests"
        for way, one in bars.items()
    )
    return f"With {clients} clients. " + ". ".join(said) + "."


def chart(bars: Mapping[str, Bar], note: str) -> str:
    """An SVG document. ``note`` says how it was measured."""
    clients, half = max(next(iter(bars.values())).rates), (WIDTH - 2 * MARGIN) / 2
    below = MARGIN + 12 + 12 + STEP * len(bars) + 36
    height = below + 12 + (STEP * len(bars) + 10) * len(next(iter(bars.values())).rates) + 36
    rates, p99 = ({way: getattr(one, name) for way, one in bars.items()} for name in ("rates", "p99"))
    body = [
        *asked(bars, clients, MARGIN + 12),
        *panel("API requests per second", rates, MARGIN, below, half - 8),
        *panel("Slowest in a hundred (p99), ms", p99, MARGIN + half + 8, below, half - 8),
        text(MARGIN, height - 16, note, "quiet"),
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" aria-labelledby="t d">'
    about = '<title id="t">What a gateway asks of others, and what it costs</title>'
    described = f'<desc id="d">{escape(summary(bars, clients))}</desc>'
    ground = f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:g}" rx="8" class="ground"/>'
    return "\n".join([head, about, described, f"<style>{STYLE}</style>", ground, *body, "</svg>", ""])
