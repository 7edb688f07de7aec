"""Reads patches as ``cue export --out cue`` prints them: values, and comments with strategies.

CUE keeps comments at the fields they belong to, whatever references, conditions and comprehensions
of a template made these; so each strategy is found where KubeVela finds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from velapulumi.definitions import ByKey, JsonMerge, JsonPatch, RetainKeys
from velapulumi.extensions.cue import CueError

Tags: TypeAlias = dict[str, str]
Token: TypeAlias = tuple[str, str]
"""What it is (``tag``, ``string``, ``word``, or a mark such as ``{``), and its text."""

_TAG = re.compile(r"//\s*\+\s*(patchKey|patchStrategy)\s*=\s*(\S+)\s*")
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<comment>//[^\n]*)
      | (?P<hashes>\#+)\"{3}\n(?P<raw_lines>.*?)\"{3}(?P=hashes)
      | (?P<hash>\#+)"(?P<raw_line>[^\n]*?)"(?P=hash)
      | \"{3}\n(?P<lines>(?:\\.|(?!\"{3})[^\\])*)\"{3}
      | "(?P<line>(?:\\.|[^"\\])*)"
      | (?P<mark>[{}\[\]:,])
      | (?P<word>[^\s{}\[\]:,]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_WORDS = {"true": True, "false": False, "null": None}


def read_patches(text: str) -> dict[str, Any]:
    """Read the fields of an exported struct.

    Args:
        text: What ``cue export --out cue`` printed.

    Returns:
        The fields as plain values with markers of ``velapulumi.definitions.patch``. A patch key
        counts for all lists below its field which have none of their own, as in KubeVela.

    Raises:
        CueError: A value is none that a patch can hold.
    """
    reader = _Reader(text)
    return reader.struct("", False) if reader.next_is("{") else reader.fields("", "", False)


def marked(value: Any, strategy: str) -> Any:
    """A plain value with a strategy that does not depend on a key.

    Args:
        value: Plain value.
        strategy: ``retainKeys``, ``replace``, ``jsonMergePatch``, ``jsonPatch``, or any other for
            none.
    """
    if strategy in ("retainKeys", "replace"):
        return RetainKeys(value)
    if strategy == "jsonMergePatch":
        return JsonMerge(value)
    if strategy == "jsonPatch":
        operations = value.get("operations") if isinstance(value, dict) else None
        return JsonPatch(operations if isinstance(operations, list) else [])
    return value


class _Reader:
    """Reads tokens one after the other; ``plain`` leaves markers out, ``key`` is inherited."""

    def __init__(self, text: str) -> None:
        self._tokens = [*_tokens(text), ("", "")]
        self._position = 0

    def next_is(self, kind: str, ahead: int = 0) -> bool:
        return self._tokens[self._position + ahead][0] == kind

    def fields(self, end: str, key: str, plain: bool) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self.next_is(end):
            name, value = self._field(key, plain)
            found[name] = value
            self._pass_comma()
        self._take()
        return found

    def struct(self, key: str, plain: bool) -> dict[str, Any]:
        self._take()
        return self.fields("}", key, plain)

    def _field(self, key: str, plain: bool) -> tuple[str, Any]:
        tags: Tags = {}
        while self.next_is("tag"):
            name, value = self._take().split("=", 1)
            tags[name] = value
        name = self._take()
        self._take()
        if self.next_is(":", ahead=1):  # a: b: … is short for a: {b: …}
            inner, value = self._field(tags.get("patchKey", key), plain)
            return name, {inner: value}
        return name, self._value(tags.get("patchKey", key), tags.get("patchStrategy", ""), plain)

    def _value(self, key: str, strategy: str, plain: bool) -> Any:
        if not self.next_is("["):
            inner_plain = plain or marked(0, strategy) != 0
            value = self._struct_or_scalar(key, inner_plain)
            return value if plain else marked(value, strategy)
        if plain or strategy == "replace" or (strategy and not key):
            value = self._items(key, True)
            return value if plain else marked(value, strategy)
        items = self._items(key, False)
        return ByKey(key, items, replace=strategy == "retainKeys") if key else items

    def _items(self, key: str, plain: bool) -> list[Any]:
        self._take()
        items = []
        while not self.next_is("]"):
            items.append(self._value(key, "", plain))
            self._pass_comma()
        self._take()
        return items

    def _struct_or_scalar(self, key: str, plain: bool) -> Any:
        if self.next_is("{"):
            return self.struct(key, plain)
        is_word = self.next_is("word")
        text = self._take()
        return _scalar(text) if is_word else text

    def _pass_comma(self) -> None:
        if self.next_is(","):
            self._take()

    def _take(self) -> str:
        text = self._tokens[self._position][1]
        self._position += 1
        return text


def _tokens(text: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(text):
        kind, found = str(match.lastgroup), match[match.lastgroup or 0]
        if kind == "comment":
            if tag := _TAG.fullmatch(found):
                yield "tag", f"{tag[1]}={tag[2]}"
        elif kind == "mark":
            yield found, found
        elif kind == "word":
            yield kind, found
        else:
            hashes = match["hashes"] or match["hash"] or ""
            yield "string", _unescaped(_outdented(found) if "lines" in kind else found, hashes)


def _outdented(lines: str) -> str:
    """The text of a multi-line string; the line of its end says how far it is indented."""
    body, _, indent = lines.rpartition("\n")
    return "\n".join(line.removeprefix(indent) for line in body.split("\n"))


def _unescaped(text: str, hashes: str) -> str:
    def replaced(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if code[0] in "uU" else _ESCAPES.get(code, code)

    return re.sub(rf"\\{hashes}(u[0-9a-fA-F]{{4}}|U[0-9a-fA-F]{{8}}|.)", replaced, text)


def _scalar(word: str) -> Any:
    if word in _WORDS:
        return _WORDS[word]
    try:
        return int(word)
    except ValueError:
        pass
    try:
        return float(word)
    except ValueError:
        raise CueError([((), f"a patch cannot hold {word}")]) from None
