"""YAML files read into typed models, with the line number in every error."""

from collections.abc import Hashable
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from fems.errors import ConfigError

M = TypeVar("M", bound=BaseModel)


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


def load(path: Path, model: type[M]) -> M:
    """Read a YAML file into `model`.

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
        data = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader with unique keys
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: {error.problem}") from error
    if data is None:
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
        root = yaml.compose(text, Loader=_UniqueKeys)
        line = line_of(root, place) if root else 1
        raise ConfigError(f"{path}:{line}: {where}: {message}{more}") from error
