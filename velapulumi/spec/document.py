"""YAML text read into plain values, with the line of every value at hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from velapulumi.errors import Problem
from velapulumi.spec.quick import OutOfTheOrdinary, read_quickly
from velapulumi.spec.scalars import CONVERSIONS, CORE, KEY_KINDS

Path: TypeAlias = tuple[str | int, ...]
"""Place in a document: keys of mappings and indexes of lists, from the root."""

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 100_000

_MERGE = CORE + "merge"
_KEYS = frozenset(CORE + kind for kind in KEY_KINDS)
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class DocumentRefused(Exception):
    """The text as a whole cannot be used; holds the problems."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(problems)
        self.problems = problems


class Document:
    """One YAML document.

    Attributes:
        value: The document as dict, list, str, int, float, bool and None.
        problems: What is wrong with it without making it unusable, such as duplicate keys.
    """

    def __init__(self, text: str, value: Any, problems: Sequence[Problem] = ()) -> None:
        self._text = text
        self.value = value
        self.problems: tuple[Problem, ...] = tuple(problems)

    @cached_property
    def _root(self) -> Node:
        """Its nodes, which know the lines; only made when a line is asked for."""
        return next(root for root in _compose(self._text) if not _is_empty(root))

    def line(self, path: Path) -> int:
        """Line of a place, counted from 1; of the nearest place above it when it is not there."""
        node, line = self._root, _line(self._root)
        for part in path:
            entry = _entry(node, part)
            if entry is None:
                break
            line, node = entry
        return line


def read_document(text: str) -> Document:
    """Read the one YAML document of a text.

    Empty documents beside it are passed over. Follows YAML 1.1 as Kubernetes reads it: dates and
    numbers written with colons stay strings.

    Args:
        text: YAML text.

    Returns:
        The document; its own ``problems`` are for the caller to report.

    Raises:
        DocumentRefused: Not YAML, empty, several documents, larger than 1 MiB, nested deeper
            than 64 or with more than 100 000 values once its aliases are expanded.
    """
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise DocumentRefused(Problem(1, "", "is larger than 1 MiB"))
    # A text without aliases has at least one character for each value.
    if len(text) <= MAX_NODES:
        try:
            return Document(text, read_quickly(text, MAX_DEPTH))
        except OutOfTheOrdinary:
            pass
    return read_carefully(text)


def read_carefully(text: str) -> Document:
    """Read the one document of any text of allowed size, with everything that is wrong in it.

    Raises:
        DocumentRefused: As ``read_document``.
    """
    roots = [root for root in _compose(text) if not _is_empty(root)]
    if not roots:
        raise DocumentRefused(Problem(1, "", "is empty, an Application is needed"))
    if len(roots) > 1:
        message = "a second document starts here, one Application per file is needed"
        raise DocumentRefused(*(Problem(_line(root), "", message) for root in roots[1:2]))
    builder = _Builder()
    value = builder.build(roots[0], (), 1)
    return Document(text, value, builder.problems)


def format_path(path: Path) -> str:
    """Write a path for people: ``spec.components[0].properties.labels["a/b"]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not _PLAIN_KEY.fullmatch(part):
            text += '["' + part + '"]'
        else:
            text += f".{part}" if text else part
    return text


def _compose(text: str) -> Iterator[Node]:
    try:
        loader = yaml.CSafeLoader(text)
        try:
            while loader.check_node():
                if (node := loader.get_node()) is not None:
                    yield node
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = ", ".join(filter(None, (error.context, error.problem)))
        line = mark.line + 1 if mark else 1
        raise DocumentRefused(Problem(line, "", f"is not valid YAML: {reason}")) from None
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise DocumentRefused(Problem(1, "", f"is not valid YAML: {reason}")) from None
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        message = "is not valid YAML: a character is no Unicode text"
        raise DocumentRefused(Problem(line, "", message)) from None


def _line(node: Node) -> int:
    line: int = node.start_mark.line
    return line + 1


def _is_empty(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == CORE + "null"


def _entry(node: Node, part: str | int) -> tuple[int, Node] | None:
    """Line and value node of one entry of a mapping or list, merged-in ones included."""
    if isinstance(node, SequenceNode):
        if isinstance(part, int) and part < len(node.value):
            return _line(node.value[part]), node.value[part]
        return None
    if isinstance(node, MappingNode):
        merged: list[Node] = []
        for key, value in node.value:
            if key.tag == _MERGE:
                merged += value.value if isinstance(value, SequenceNode) else [value]
            elif key.value == part:
                return _line(key), value
        for source in merged:
            if found := _entry(source, part):
                return found
    return None


class _Builder:
    """Turns nodes into values in one pass, noting problems on the way."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._count = 0

    def build(self, node: Node, path: Path, depth: int) -> Any:
        self._count += 1
        if self._count > MAX_NODES:
            message = f"has more than {MAX_NODES} values once its aliases are expanded"
            raise DocumentRefused(Problem(_line(node), "", message))
        if depth > MAX_DEPTH:
            raise DocumentRefused(
                Problem(_line(node), "", f"is nested deeper than {MAX_DEPTH} levels")
            )
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if node.tag not in (CORE + "map", CORE + "seq"):
            self._problem(node, path, f"the YAML tag {node.tag} is not supported")
        if isinstance(node, SequenceNode):
            return [
                self.build(item, (*path, index), depth + 1) for index, item in enumerate(node.value)
            ]
        return self._mapping(node, path, depth)

    def _mapping(self, node: Node, path: Path, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merges: list[Node] = []
        for key, value in node.value:
            if key.tag == _MERGE:
                merges.append(value)
            elif not isinstance(key, ScalarNode):
                self._problem(key, path, "a key must be a string, is a list or map")
            elif key.tag not in _KEYS:
                message = f'the key {key.value} must be a string: write "{key.value}"'
                self._problem(key, path, message)
            elif key.value in result:
                self._problem(key, (*path, key.value), "is given twice")
            else:
                result[key.value] = self.build(value, (*path, key.value), depth + 1)
        if len(merges) > 1:
            self._problem(merges[1], (*path, "<<"), "is given twice")
        if merges:
            self._merge_in(merges[0], result, path, depth)
        return result

    def _merge_in(self, node: Node, result: dict[str, Any], path: Path, depth: int) -> None:
        """Add the entries of a ``<<`` key; own keys win, then the earlier source."""
        sources = node.value if isinstance(node, SequenceNode) else [node]
        for source in sources:
            if not isinstance(source, MappingNode):
                self._problem(source, (*path, "<<"), "must be a map or a list of maps")
                continue
            for key, value in self.build(source, path, depth + 1).items():
                result.setdefault(key, value)

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        kind = node.tag.removeprefix(CORE)
        convert = CONVERSIONS.get(kind)
        if convert is None:
            self._problem(node, path, f"the YAML tag {node.tag} is not supported")
            return node.value
        try:
            return convert(node.value)
        except ValueError as error:
            self._problem(node, path, str(error))
            return None

    def _problem(self, node: Node, path: Path, message: str) -> None:
        self.problems.append(Problem(_line(node), format_path(path), message))
