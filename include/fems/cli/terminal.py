"""What all commands of the shell share: where they print, and options that mean the same everywhere."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from fems.errors import ConfigError
from fems.registry.plant import FEEDS, Feed

if TYPE_CHECKING:
    from fems.flows.platform import Platform

# a pipe or a log file has no width; 80 columns would break the tables
out = Console(width=None if sys.stdout.isatty() else 140)
err = Console(stderr=True, soft_wrap=True)

FactoriesOption = Annotated[
    list[str] | None, typer.Option("--factory", "-f", help="Factory ID; may be repeated. None means all.")
]
FeedOption = Annotated[
    str | None, typer.Option(help="meter or steam_trap; the factory's meters if not given.")
]

FactoryArgument = Annotated[str, typer.Argument(help="Factory ID.")]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--from", help="A folder that `fems process --out` wrote, instead of MinIO; no service needed."
    ),
]


def as_feed(name: str | None) -> Feed:
    """Return the feed of that name, the meters if none is given.

    Raises:
        ConfigError: there is no such feed.
    """
    if name is None:
        return "meter"
    if name not in FEEDS:
        raise ConfigError(f"feed {name!r}: write one of {', '.join(FEEDS)}")
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


def note(text: str) -> None:
    """Say something beside the output: progress, or what went wrong with one of many."""
    err.print(text, markup=False, highlight=False)
