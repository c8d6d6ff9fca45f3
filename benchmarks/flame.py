"""A flame graph of what py-spy saw: our own functions, and below them the libraries that they wait for, by name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_FRAME = re.compile(r"(?P<function>.+) \((?P<file>[^:)]+)(?::\d+)?\)$")
_IDLE = {
    ("wait", "threading.py"),
    ("_worker", "concurrent/futures/thread.py"),
    ("_wait_for_tstate_lock", "threading.py"),
}
"""What a thread is at that has nothing to do; it is left out."""
_NARROWEST, _NAMED = 0.002, 0.022
"""Shares of the whole: what is drawn, and what is wide enough for a name."""


@dataclass
class Node:
    """A function, or a library, and what it called.

    Attributes:
        samples: in how many of them it was.
        calls: name -> what it called.
    """

    samples: int = 0
    calls: dict[str, "Node"] = field(default_factory=dict)


def tree(raw: str) -> Node:
    """Return what py-spy wrote in its format `raw`, a line a stack and its samples, without threads that wait."""
    root = Node()
    for line in raw.splitlines():
        stack, _, samples = line.rpartition(" ")
        frames = [match for frame in stack.split(";") if (match := _FRAME.match(frame))]
        if not frames or (frames[-1]["function"].rpartition(".")[2], frames[-1]["file"]) in _IDLE:
            continue
        node = root
        node.samples += int(samples)
        for name in _names(frames):
            node = node.calls.setdefault(name, Node())
            node.samples += int(samples)
    return root


def _names(frames: list[re.Match[str]]) -> Iterator[str]:
    """Yield our own functions, then the first library below the last of them; imports by what is imported."""
    imports = next((i for i, frame in enumerate(frames) if "importlib" in frame["file"]), None)
    own = [frame for frame in frames[:imports] if frame["file"].startswith("fems/")]
    for frame in own:
        if frame["function"] != "<module>" and "<locals>" not in frame["function"]:
            yield f"{frame['function']} ({frame['file'].removeprefix('fems/')})"
    if imports is not None:
        names = [f["file"].partition("/")[0] for f in frames[imports:] if f["function"] == "<module>"]
        yield f"import {next((name for name in names if name != 'fems'), 'fems')}"
        return
    below = frames[frames.index(own[-1]) + 1 :] if own else frames
    libraries = [f["file"].partition("/")[0] for f in below if "/" in f["file"]]
    if libraries:
        yield {"minio": "object store"}.get(libraries[0], libraries[0])


def draw(root: Node, title: str, picture: Path) -> None:
    """Draw a tree, each function under the one that called it and as wide as its share; a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = _depth(root, root.samples)
    figure = Figure(figsize=(14, 0.9 + 0.32 * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    colours = ("#f3c77a", "#eeb05f", "#f1d59b", "#e9a15a")

    def place(node: Node, left: float, row: int) -> None:
        for i, (name, child) in enumerate(sorted(node.calls.items(), key=lambda item: -item[1].samples)):
            share = child.samples / root.samples
            if share >= _NARROWEST:
                axes.barh(
                    row, share, 0.96, left, color=colours[(row + i) % 4], edgecolor="white", linewidth=0.6
                )
                if share >= _NAMED:
                    room = int(share * 190)
                    text = f"{name}  {share:.0%}"
                    axes.text(left + 0.002, row, text[:room], va="center", fontsize=7.5, clip_on=True)
                place(child, left, row + 1)
            left += share

    place(root, 0.0, 0)
    axes.set(xlim=(0, 1), ylim=(rows - 0.4, -0.6), yticks=[], title=title)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.spines[["top", "left", "right"]].set_visible(False)
    figure.savefig(picture)


def _depth(node: Node, whole: int) -> int:
    wide = [child for child in node.calls.values() if child.samples >= _NARROWEST * whole]
    return max((1 + _depth(child, whole) for child in wide), default=0)
