"""Reading YAML that somebody else may have written: policies, contracts, scenarios. Knows nothing of what they mean.

Plain data alone: no tags of a language, no anchors (a few lines of them unfold to billions of entries), no file that is
larger or deeper than anything a person writes. Refusals are `yaml.YAMLError`s without a word of the content.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

LARGEST = 8 << 20
DEEPEST = 50

#: What to tell of a word that YAML 1.1 took for a truth: Norway's code, above all.
UNQUOTED = 'YAML reads NO, no, off, yes and on as true or false: put the word in quotes, such as "NO"'

#: The parser written in C, several times as fast, where there is one.
PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlRefused(yaml.YAMLError):
    """The file is more than plain data."""


def read_yaml(path: Path, loader: Any = PARSER) -> Any:
    """The content of a YAML file.

    Raises:
        FileNotFoundError: there is no such file.
        yaml.YAMLError: it is no YAML, or more than plain data.
        UnicodeDecodeError: it is not UTF-8.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise YamlRefused(f"no plain file of at most {LARGEST >> 20} MiB")
    text = path.read_bytes().decode("utf-8")
    _refuse_bombs(text)
    try:
        return yaml.load(text, Loader=loader)  # noqa: S506  safe loaders alone are given
    except (ValueError, RecursionError):
        raise YamlRefused("a value is none that YAML knows") from None


def read_own_yaml(path: Path) -> Any:
    """The content of a YAML file that is part of the program. It may write a value once and name it elsewhere."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=PARSER)  # noqa: S506  a safe loader


def _refuse_bombs(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=PARSER):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise YamlRefused("anchors and aliases are not taken: write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise YamlRefused(f"it is nested deeper than {DEEPEST} levels")
