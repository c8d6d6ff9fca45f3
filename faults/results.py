"""What became of each cell: kept in a file, so that a matrix can be run in pieces, and printed as one table."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table

from faults.cells import FULL, KILL, STOP, Cell

BY_ITSELF, NOT = "by itself", "not"


@dataclass(frozen=True)
class Result:
    """What became of a cell.

    Attributes:
        met: whether the stage ran when the fault came.
        lost: rows that the undisturbed stage made and this one did not, and rows that do not add up.
        half_written: what a reader met that was not whole, before the stage was started again and after.
        same: whether the result has the digest of the undisturbed one.
        healed: `by itself`, `by N reruns`, or `not`.
        seconds: from the stage's start until it was whole and all services were healthy.
        version: of the package.
    """

    met: bool
    lost: int
    half_written: int
    same: bool
    healed: str
    seconds: float
    version: str

    @property
    def good(self) -> bool:
        """Whether nothing was lost, nothing half written, and a rerun at most was needed."""
        whole = self.met and self.same and not self.lost and not self.half_written
        return whole and self.healed in (BY_ITSELF, reruns(1))


def reruns(count: int) -> str:
    """Say how a stage healed that was started again so many times."""
    return BY_ITSELF if not count else f"by {count} rerun{'s' if count > 1 else ''}"


class Results:
    """The results of a matrix in a JSON file, written after each cell."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.of: dict[str, Result] = {}
        if path.exists():
            self.of = {key: Result(**row) for key, row in json.loads(path.read_text()).items()}

    def left(self, cells: Iterable[Cell]) -> list[Cell]:
        """Return the cells that were not tried, then those that did not end well."""
        left = [cell for cell in cells if cell.key not in self.of or not self.of[cell.key].good]
        return sorted(left, key=lambda cell: cell.key in self.of)

    def keep(self, cell: Cell, result: Result) -> None:
        """Add a result, or put it in the place of an earlier one."""
        self.of[cell.key] = result
        self._path.parent.mkdir(parents=True, exist_ok=True)
        aside = self._path.with_suffix(".part")
        aside.write_text(json.dumps({key: asdict(row) for key, row in self.of.items()}, indent=1) + "\n")
        aside.replace(self._path)

    def table(self, cells: Iterable[Cell]) -> Table:
        """Return a table with a row a cell."""
        titles = (
            "service",
            "stage",
            "fault",
            "moment",
            "met it",
            "lost",
            "half written",
            "same",
            "healed",
            "s",
        )
        table = Table(*titles, box=None)
        for cell in cells:
            row = self.of.get(cell.key)
            name = (cell.service, cell.stage, cell.fault, cell.moment)
            if row is None:
                table.add_row(*name, "not tried")
            else:
                values = (row.met, row.lost, row.half_written, row.same, row.healed, row.seconds)
                table.add_row(*name, *map(str, values))
        return table

    def markdown(self, cells: Iterable[Cell]) -> str:
        """Return the table of the docs: a row a service and stage, the moments side by side."""
        rows: dict[tuple[str, str], dict[str, list[str]]] = {}
        for cell in cells:
            row = rows.setdefault((cell.service, cell.stage), {})
            row.setdefault(cell.fault, []).append(self._in_a_word(cell))
        lines = [f"| service | stage | {KILL} | {STOP} | {FULL} |", "| --- | --- | --- | --- | --- |"]
        for (service, stage), faults in rows.items():
            columns = [" · ".join(faults.get(fault, ["-"])) for fault in (KILL, STOP, FULL)]
            lines.append(f"| {service} | {stage} | {' | '.join(columns)} |")
        return "\n".join(lines)

    def _in_a_word(self, cell: Cell) -> str:
        row = self.of.get(cell.key)
        if row is None:
            return "not tried"
        if row.good:
            return "itself" if row.healed == BY_ITSELF else "rerun"
        wrong = {
            "not met": not row.met,
            f"{row.lost} lost": row.lost,
            f"{row.half_written} half written": row.half_written,
            "another digest": not row.same,
            f"healed {row.healed}": row.healed not in (BY_ITSELF, reruns(1)),
        }
        return "**" + ", ".join(text for text, there in wrong.items() if there) + "**"
