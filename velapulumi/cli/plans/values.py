"""Values of fields as people read them: always whole, long ones as a difference of their lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

import yaml

from velapulumi.cli.plans.part import Level, Part
from velapulumi.plan.fields import is_order

NOTHING = "(none)"
LONGEST = 60
"""How many letters of a value fit beside its path."""

_LINE = 100
_NO_END = "(no newline at the end)"
_NAMED = {"\n": "⏎", "\t": "\\t", "\r": "\\r"}


def printable(text: str) -> str:
    """Text in which nothing moves the cursor of a terminal or turns the direction of letters."""
    return "".join(
        letter if letter.isprintable() else _NAMED.get(letter, f"\\u{ord(letter):04x}")
        for letter in text
    )


def short(value: Any) -> str | None:
    """A value in one line that fits beside its path; None when it needs lines of its own."""
    if isinstance(value, str):
        text = None if "\n" in value else _unmistakable(value)
    elif value is None:
        text = NOTHING
    else:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if text is not None and len(text) <= LONGEST else None


def _unmistakable(text: str) -> str:
    """A text, in quotes where it could be taken for something else, such as ``"8080"``."""
    plain = text and text == text.strip() and text != NOTHING and "→" not in text
    return text if plain and not _is_json(text) else json.dumps(text, ensure_ascii=False)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def change(name: str, before: Any, after: Any, note: str = "") -> Iterator[Part]:
    """A field that changes; of a list in another order the names of its elements.

    Args:
        name: Its path.
        before: Its value before; None for none.
        after: Its value afterwards; None for none.
        note: What there is to say about it.
    """
    remark = f" ({note})" if note else ""
    if is_order(before, after):
        name, before, after = f"{name} (order)", _names(before), _names(after)
    left, right = short(before), short(after)
    line = f"{name}: {left} → {right}{remark}"
    if left is not None and right is not None and len(line) <= _LINE:
        yield Part(Level.DETAIL, line, fields=1)
        return
    what = " added" if before is None else " removed" if after is None else ""
    yield Part(Level.DETAIL, f"{name}{what}{remark}:", fields=1)
    yield from difference(before, after)


def _names(elements: Sequence[Any]) -> str:
    """The elements of a list by what they are known by."""
    known = (each.values() if isinstance(each, Mapping) else (each,) for each in elements)
    return ", ".join("/".join(map(str, values)) for values in known)


def difference(before: Any, after: Any) -> Iterator[Part]:
    """All lines of two values that differ, each with a line of what is around it."""
    left, right = _lines(before, after), _lines(after, before)
    for group in SequenceMatcher(None, left, right).get_grouped_opcodes(1):
        start_before, start_after = group[0][1], group[0][3]
        if start_before or start_after:
            yield Part(Level.VALUE, f"… line {start_after + 1}", dim=True)
        for kind, low, high, start, end in group:
            if kind == "equal":
                yield from (Part(Level.VALUE, f"  {_visible(text)}") for text in left[low:high])
                continue
            for text in left[low:high]:
                yield Part(Level.VALUE, _visible(text), "-", "red")
            for text in right[start:end]:
                yield Part(Level.VALUE, _visible(text), "+", "green")


def _lines(value: Any, other: Any) -> Sequence[str]:
    if value is None:
        return ()
    if isinstance(value, dict | list):
        return yaml_lines(value)
    if not isinstance(value, str):
        return (json.dumps(value),)
    long = "\n" in value
    lines = value.removesuffix("\n").split("\n") if long else [_unmistakable(value)]
    ends = isinstance(other, str) and other.endswith("\n")
    return [*lines, _NO_END] if ends and not value.endswith("\n") else lines


def _visible(line: str) -> str:
    """A line whose blanks at its end can be seen, too."""
    bare = line.rstrip(" ")
    return bare + "␠" * (len(line) - len(bare))


def yaml_lines(value: Any) -> list[str]:
    """A value as lines of YAML, its keys sorted; texts of several lines keep them."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=1_000_000_000
    )
    return text.removesuffix("\n").split("\n")


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)
