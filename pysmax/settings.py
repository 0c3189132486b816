"""Settings of a user, checked against a model: one sentence for what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from pysmax.errors import SmaxError
from pysmax.files import read_text

M = TypeVar("M", bound=BaseModel)


def checked(model: type[M], settings: Mapping[str, Any], what: str = "setting", context: object = None) -> M:
    """The model with these settings. Raises SmaxError: the key, the value found, what was expected."""
    try:
        return model.model_validate(dict(settings), context=context)
    except ValidationError as e:
        raise SmaxError(sentence(e, model, what)) from None


def sentence(error: ValidationError, model: type[BaseModel], what: str = "setting") -> str:
    """The first error: key, value found, what was expected."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{what} {key}: unknown, expected one of {', '.join(model.model_fields)}"
    if first["type"] == "missing":
        return f"{what} {key}: not given"
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return f"{what} {key}: found {first['input']!r}; {message}" if key else message


def load_yaml(text: str) -> Any:
    """As yaml.safe_load, which takes the last of two equal keys: here ValueError."""
    return yaml.load(text, _Once)


class _Once(yaml.SafeLoader):  # type: ignore[misc]
    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        keys = [k.value for k, _ in node.value if isinstance(k, yaml.ScalarNode)]
        if twice := [k for k in keys if keys.count(k) > 1]:
            raise ValueError(f"{twice[0]} is there twice")
        return node


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Settings of a file; none of an empty one. Raises SmaxError for what is not ``name: value``."""
    try:
        found = load_yaml(read_text(path))
    except (yaml.YAMLError, ValueError, RecursionError) as e:  # ValueError: a day that is none
        raise SmaxError(f"{path}: not YAML ({' '.join(str(e).split())})") from None
    found = {} if found is None else found
    if not isinstance(found, dict) or not all(isinstance(k, str) for k in found):
        raise SmaxError(f"{path}: expected settings, 'name: value' line by line")
    return found
