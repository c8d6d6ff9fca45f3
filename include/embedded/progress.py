"""What a person sees while something takes long: a live line on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Progress:
    """Prints steps with their seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, title: str) -> Iterator["Step"]:
        """Show that a step runs; when it ends, how long it took and the last word on it."""
        start = time.monotonic()
        step = Step(self._console, title)
        with step.live:
            if not self._console.is_terminal:
                self._console.print(f"{title} ...", markup=False)
            yield step
        self.seconds[title] = round(time.monotonic() - start, 1)
        self._console.print(f"[green]✓[/] {title:<24}{self.seconds[title]:8.1f} s  {step.text}", style="bold")


class Step:
    """One step that runs."""

    def __init__(self, console: Console, title: str) -> None:
        self._console, self._title = console, title
        self.live = console.status(title)
        self.text = ""

    def say(self, text: str) -> None:
        """Show how far the step is; said twice, it is shown once."""
        if text == self.text:
            return
        self.text = text
        if self._console.is_terminal:
            self.live.update(f"{self._title}: {text}")
        else:
            self._console.print(f"  {text}", markup=False)
