"""Reading YAML that somebody else may have written: policies, contracts, scenarios. Knows nothing of what they mean.

Plain data alone: no tags of a language, no anchors (a few lines of them unfold to billions of entries), no name twice
in one mapping (YAML keeps the last one and drops the other without a word), no file that is larger or deeper than
anything a person writes. Refusals are `yaml.YAMLError`s without a word of the content.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

LARGEST = 8 << 20
DEEPEST = 50

#: What to tell of a word that YAML 1.1 took for a truth: Norway's code, above all.
UNQUOTED = 'YAML reads NO, no, off, yes and on as true or false: put the word in quotes, such as "NO"'
#: The same of a word that may be any text.
NO_TEXT = (
    "YAML reads NO, no, off, yes and on as true or false, NULL and ~ as nothing, 007 as a number: put the word in "
    'quotes, such as "NO"'
)

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
    _require_plain(text)
    try:
        return yaml.load(text, Loader=loader)  # noqa: S506  safe loaders alone are given
    except (ValueError, RecursionError):
        raise YamlRefused("a value is none that YAML knows") from None


def read_own_yaml(path: Path) -> Any:
    """The content of a YAML file that is part of the program. It may write a value once and name it elsewhere."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=PARSER)  # noqa: S506  a safe loader


def wrong_with(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    """What is wrong with a file that `read_yaml` refused, and on which line where that is known."""
    if isinstance(error, UnicodeDecodeError):
        return "its bytes are not UTF-8"
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        return f"line {mark.line + 1}: {error.problem or error.context}" if mark is not None else str(error.problem)
    return str(error).splitlines()[0]


def _require_plain(text: str) -> None:
    inside = [_Collection(False)]
    for event in yaml.parse(text, Loader=PARSER):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise YamlRefused(f"line {_line(event)}: anchors and aliases are not taken: write the value out")
        if isinstance(event, yaml.NodeEvent) and inside[-1].repeats(event):
            raise YamlRefused(
                f"line {_line(event)}: this name stands in the same place before, and one would be dropped"
            )
        if isinstance(event, yaml.CollectionStartEvent):
            inside.append(_Collection(isinstance(event, yaml.MappingStartEvent)))
        elif isinstance(event, yaml.CollectionEndEvent):
            inside.pop()
        if len(inside) > DEEPEST + 1:
            raise YamlRefused(f"it is nested deeper than {DEEPEST} levels")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1


class _Collection:
    """A mapping or list that is being read: whether a name is next, and which there were."""

    def __init__(self, is_mapping: bool) -> None:
        self.name_is_next = is_mapping
        self.is_mapping = is_mapping
        self.names: set[str] = set()

    def repeats(self, node: yaml.NodeEvent) -> bool:
        """Whether this node of it is a name that was there before."""
        if not self.is_mapping:
            return False
        is_name, self.name_is_next = self.name_is_next, not self.name_is_next
        if not is_name or not isinstance(node, yaml.ScalarEvent):
            return False
        if node.value in self.names:
            return True
        self.names.add(node.value)
        return False
