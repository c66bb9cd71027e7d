"""A picture of a pool over time: targets, nodes, queued and running tasks. Our own PNG writer, no plotting library."""

from collections.abc import Sequence
from pathlib import Path

from examples.animation.renderer.png import still

WIDTH, HEIGHT, MARGIN = 900, 480, 30
COLOURS = {"target": (200, 30, 30), "nodes": (30, 90, 200), "queued": (230, 150, 20), "running": (20, 150, 80)}
WHITE, GREY = (255, 255, 255), (215, 215, 215)


class Picture:
    """Pixels from the top left."""

    def __init__(self) -> None:
        self.pixels = bytearray(WHITE * (WIDTH * HEIGHT))

    def dot(self, x: int, y: int, colour: tuple[int, int, int]) -> None:
        if 0 <= x < WIDTH and 0 <= y < HEIGHT:
            at = (y * WIDTH + x) * 3
            self.pixels[at : at + 3] = bytes(colour)

    def box(self, left: int, top: int, right: int, bottom: int, colour: tuple[int, int, int]) -> None:
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                self.dot(x, y, colour)


def draw(
    path: Path, times: Sequence[float], upper: dict[str, Sequence[float]], lower: dict[str, Sequence[float]]
) -> None:
    """Two panels with steps, each scaled to its largest value; a grey line per unit, or per tenth of a large panel."""
    picture = Picture()
    half = (HEIGHT - 3 * MARGIN) // 2
    for series, top in ((upper, MARGIN), (lower, 2 * MARGIN + half)):
        _panel(picture, times, series, top, half)
    path.write_bytes(still(WIDTH, HEIGHT, bytes(picture.pixels)))


def _panel(picture: Picture, times: Sequence[float], series: dict[str, Sequence[float]], top: int, height: int) -> None:
    most = max(1.0, *(value for values in series.values() for value in values))
    span = max(times[-1] - times[0], 1e-9)
    step = max(1.0, most / 10)

    def level(value: float) -> int:
        return round(top + height - value / most * height)

    for line in range(int(most / step) + 1):
        picture.box(MARGIN, level(line * step), WIDTH - MARGIN, level(line * step), GREY)
    for number, (name, values) in enumerate(series.items()):
        picture.box(MARGIN + 40 * number, top - 12, MARGIN + 40 * number + 30, top - 6, COLOURS[name])
        before = None
        for at, value in zip(times, values, strict=True):
            x, y = round(MARGIN + (at - times[0]) / span * (WIDTH - 2 * MARGIN)), level(value) - number
            if before:
                picture.box(before[0], before[1], x, before[1] + 1, COLOURS[name])
                picture.box(x, min(before[1], y), x + 1, max(before[1], y), COLOURS[name])
            before = (x, y)
