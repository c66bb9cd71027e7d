"""A picture of a pool over time, drawn from what a test saw of it."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLOURS = {"target": "tab:red", "nodes that take tasks": "tab:blue", "queued": "tab:orange", "running": "tab:green"}


def draw(path: Path, title: str, times: Sequence[float], *panels: dict[str, Sequence[float]]) -> None:
    """One panel of steps below the other, over seconds since the first sample."""
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    FigureCanvasAgg(figure)  # a canvas without a window
    all_axes = figure.subplots(len(panels), sharex=True)
    for axes, series in zip(all_axes, panels, strict=True):
        for name, values in series.items():
            axes.step([at - times[0] for at in times], values, where="post", label=name, color=COLOURS[name])
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    all_axes[0].set_title(title)
    all_axes[-1].set_xlabel("seconds")
    figure.savefig(path, dpi=80)
