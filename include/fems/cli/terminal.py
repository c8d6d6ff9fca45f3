"""What all commands of the shell share: where they print, how they fail, and options that mean the same everywhere."""

import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import typer
from pydantic import BaseModel
from rich.console import Console

from fems.errors import ConfigError, DataError, FemsError
from fems.registry.sensors import Feed

if TYPE_CHECKING:
    from fems.flows.platform import Platform
    from fems.registry.plant import Plant
    from fems.registry.sensors import Feed

P = ParamSpec("P")
T = TypeVar("T")

# a pipe or a log file has no width; 80 columns would break the tables
out = Console(width=None if sys.stdout.isatty() else 140)
err = Console(stderr=True, soft_wrap=True)

FactoriesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[FACTORY]...", help="Factory IDs; none means all.")
]
SomeFactoriesArgument = Annotated[
    list[str], typer.Argument(metavar="FACTORY...", help="Factory IDs, one at least.")
]
FeedOption = Annotated[
    str | None,
    typer.Option(help="meter, steam_trap or any other that has a definition book; the meters if not given."),
]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--from", help="A folder that `fems process --out` wrote, instead of MinIO; no service needed."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, an object by factory, and no table.")]


def explained(command: Callable[P, None]) -> Callable[P, None]:
    """Let a command end in one clear line, exit code 1, where the package can explain the failure."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        quieten()
        try:
            command(*args, **kwargs)
        except FemsError as error:
            err.print(f"[red]error:[/] {type(error).__name__}: ", end="")
            err.print(str(error), markup=False, highlight=False)
            raise typer.Exit(1) from error

    return run


def quieten() -> None:
    """Let the package's own notes through to stderr, and of other libraries only what goes wrong."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("fems").setLevel(logging.INFO)
    for name in ("great_expectations", "mlflow", "urllib3", "alembic", "matplotlib", "tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not sys.warnoptions:  # python -W shows them
        warnings.simplefilter("ignore")


def note(text: str) -> None:
    """Say something beside the output: progress, or what went wrong with one of many."""
    err.print(text, markup=False, highlight=False)


def print_json(content: object) -> None:
    """Print records, or plain values that hold records, as JSON."""
    out.print_json(json.dumps(content, ensure_ascii=False, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def chosen(plant: "Plant", factories: Sequence[str] | None) -> list[str]:
    """Return the factories that were named, or all.

    Raises:
        ConfigError: one is not registered.
    """
    for factory_id in factories or ():
        plant.factory(factory_id)
    return list(factories or plant.factories)


def each(
    factories: Iterable[str],
    action: Callable[[str], T],
    show: Callable[[Mapping[str, T]], None] | None = None,
) -> None:
    """Do something for every factory; bad data of one does not stop the others, and is the command's end.

    Args:
        factories: which.
        action: what to do.
        show: prints what was made: factory -> what `action` returned, in order, without those that failed.

    Raises:
        DataError: of the last factory that failed; the others' errors are printed.
    """
    results: dict[str, T] = {}
    failed: list[DataError] = []
    for factory_id in factories:
        try:
            results[factory_id] = action(factory_id)
        except DataError as error:
            failed.append(error)
    if show is not None and results:
        show(results)
    for earlier in failed[:-1]:
        note(f"{type(earlier).__name__}: {earlier}")
    if failed:
        raise failed[-1]


def as_feed(name: str | None) -> "Feed":
    """Return the feed of that name, the meters if none is given.

    Raises:
        ConfigError: there is no such feed.
    """
    if name is None:
        return "meter"
    from fems.registry.book import book_names
    from fems.settings import settings

    feeds = book_names(settings().definitions_dir)
    if name not in feeds:
        raise ConfigError(f"feed {name!r}: write one of {', '.join(feeds)}")
    return name


def platform_over(folder: Path | None) -> "Platform":
    """Return the platform over MinIO, or over a folder that holds the same keys."""
    from fems.flows.platform import Platform
    from fems.lake.lake import Lake

    if folder is None:
        return Platform.from_environment()
    if not any((folder / room).is_dir() for room in ("processed", "quality")):
        raise ConfigError(f"--from {folder}: is no folder that `fems process --out` wrote")
    return Platform.from_environment(Lake.in_folder(folder))
