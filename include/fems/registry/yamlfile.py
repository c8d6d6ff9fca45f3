"""YAML files read into typed models, with the line number in every error."""

from collections.abc import Hashable
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from fems.errors import ConfigError

M = TypeVar("M", bound=BaseModel)
MOST_VALUES = 1_000_000
"""In a file that people write by hand."""


class StrictModel(BaseModel):
    """A part of a YAML file: frozen, and a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WrongAt(ValueError):
    """What a model's own check finds wrong, and where in the document below the model it stands."""

    def __init__(self, path: tuple[int | str, ...], message: str) -> None:
        self.path = path
        super().__init__(message)


# libyaml's parser, where PyYAML was built with it, reads a registry of a thousand factories in a tenth of the time
_Safe: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UniqueKeys(_Safe):  # type: ignore[misc, valid-type]
    """A loader that refuses a key written twice: YAML would silently keep the last."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Hashable, object]:
    seen: set[Hashable] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.MarkedYAMLError(
                problem=f"the key {key!r} stands twice", problem_mark=key_node.start_mark
            )
        seen.add(key)
    loader.flatten_mapping(node)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _refuse_bomb(root: yaml.Node, most: int) -> int:
    """Refuse a document of too many values, once its aliases are unfolded, or with one that contains itself.

    Returns:
        How many there are.

    Raises:
        MarkedYAMLError: it is such a document.
    """
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in open_nodes:
            raise yaml.MarkedYAMLError(problem="an alias contains itself", problem_mark=node.start_mark)
        if id(node) not in sizes:
            open_nodes.add(id(node))
            parts = node.value if isinstance(node, yaml.CollectionNode) else ()
            if isinstance(node, yaml.MappingNode):
                parts = [each for pair in node.value for each in pair]
            sizes[id(node)] = 1 + sum(size(part) for part in parts)
            open_nodes.remove(id(node))
        if sizes[id(node)] > most:
            raise yaml.MarkedYAMLError(
                problem=f"more than {most:,} values, with its aliases unfolded",
                problem_mark=node.start_mark,
            )
        return sizes[id(node)]

    return size(root)


def count_values(text: str) -> int:
    """Return how many keys, values, lists and mappings a document holds, which is what its limit counts."""
    root = yaml.compose(text, Loader=_UniqueKeys)
    return 0 if root is None else _refuse_bomb(root, MOST_VALUES)


def _read(text: str, most: int) -> tuple[yaml.Node | None, object]:
    """Return a document's nodes and what they say, parsed once; the nodes are looked at before any is unfolded."""
    loader = _UniqueKeys(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None, None
        _refuse_bomb(root, most)
        return root, loader.construct_document(root)
    finally:
        loader.dispose()


def line_of(root: yaml.Node, path: tuple[int | str, ...]) -> int:
    """Return the 1-based line of the deepest node of `path` that the document has."""
    node, line = root, root.start_mark.line
    for part in path:
        entry = None
        if isinstance(node, yaml.MappingNode):
            entry = next(((k, v) for k, v in node.value if str(k.value) == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            entry = (node.value[part], node.value[part])
        if entry is None:
            continue  # pydantic also names union branches, which the document does not have
        line, node = entry[0].start_mark.line, entry[1]
    return line + 1


def wrong(path: Path, place: tuple[int | str, ...], message: str) -> ConfigError:
    """Return the error for what is wrong at a place of a file that could be read."""
    root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    line = line_of(root, place) if root else 1
    return ConfigError(f"{path}:{line}: {'.'.join(map(str, place))}: {message}")


def _one_line(text: str) -> ConfigError:
    """Return an error of one line, whatever the file's own words in it are."""
    return ConfigError(" ".join(text.split()))


def load(path: Path, model: type[M], most: int = MOST_VALUES) -> M:
    """Read a YAML file into `model`.

    Args:
        path: the file.
        model: what it holds.
        most: how many keys, values, lists and mappings it may hold, once its aliases are unfolded.

    Raises:
        ConfigError: the file is missing, is not YAML, or breaks the model; names the file and the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    try:
        root, data = _read(text, most)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _one_line(f"{path}:{line}: {error.problem or error.context}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: is nested too deeply") from error
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        # a character that YAML has not, a day that no calendar has, a key that is a list
        raise _one_line(f"{path}: cannot be read as YAML: {error}") from error
    if root is None:
        raise ConfigError(f"{path}:1: the file is empty")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        cause = first.get("ctx", {}).get("error")
        place = (*first["loc"], *(cause.path if isinstance(cause, WrongAt) else ()))
        where = ".".join(str(part) for part in place) or "top level"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        message = first["msg"].removeprefix("Value error, ")
        raise _one_line(f"{path}:{line_of(root, place)}: {where}: {message}{more}") from error
