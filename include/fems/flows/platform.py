"""What every flow works with: the lake, the plant and the settings, put together once."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from fems.contracts.record import Outcome
from fems.lake.lake import Lake
from fems.registry.plant import Plant, load_plant
from fems.registry.sensors import Feed
from fems.settings import Settings, settings

if TYPE_CHECKING:  # what only some commands need is imported where it is used
    from fems.quality.evaluate import Evaluator
    from fems.registry.book import Book
    from fems.registry.feed import FactoryFeed
    from fems.tracking import Tracking

P = ParamSpec("P")
AnyOutcome = TypeVar("AnyOutcome", bound=Outcome)


def timed(flow: Callable[P, AnyOutcome]) -> Callable[P, AnyOutcome]:
    """Add to what a flow returns how many seconds it took, so that a scheduler's own share can be told."""

    @wraps(flow)
    def run(*args: P.args, **kwargs: P.kwargs) -> AnyOutcome:
        began = time.perf_counter()
        outcome = flow(*args, **kwargs)
        return outcome.model_copy(update={"seconds": round(time.perf_counter() - began, 3)})

    return run


@dataclass(frozen=True)
class Platform:
    """The outside world of the flows."""

    lake: Lake
    plant: Plant
    settings: Settings
    _books: "dict[Feed, Book]" = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def from_environment(cls, lake: Lake | None = None, *, role: str | None = None) -> "Platform":
        """Return the platform that the environment describes, on another lake if one is given.

        Args:
            lake: instead of the environment's.
            role: whose key opens the environment's lake, such as `ingest` (`Settings.store_key`).

        Raises:
            ConfigError: a setting or factories.yaml is wrong; says where.
        """
        configured = settings()
        plant = load_plant(configured.factories_file)
        return cls(lake or Lake.connect(configured, role), plant, configured)

    @cached_property
    def evaluator(self) -> "Evaluator":
        """Great Expectations, set up when the first table is evaluated."""
        from fems.quality.evaluate import Evaluator

        return Evaluator(self.settings.expectations_dir)

    @cached_property
    def tracking(self) -> "Tracking":
        """MLflow; nothing is asked of it before it is used."""
        from fems.tracking import Tracking

        return Tracking.connect(self.settings, self.lake)

    def source(self, factory_id: str, feed: Feed) -> "FactoryFeed":
        """Return what decoding and processing a factory's feed need beside its files."""
        from fems.registry.feed import FactoryFeed

        return FactoryFeed.of(self.plant, self.book(feed), factory_id)

    def book(self, feed: Feed) -> "Book":
        """Return a feed's definition book."""
        from fems.registry.book import load_book

        if feed not in self._books:
            self._books[feed] = load_book(self.settings.definitions_dir, feed, self.plant)
        return self._books[feed]
