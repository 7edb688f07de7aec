"""What can be told of a CUE text without evaluating it."""

from __future__ import annotations

import re
from collections.abc import Collection

_HEAD = re.compile(
    r"""(?: (?:\s|//[^\n]*\n)*+
      (?: package\s+\w+ | import\s*\([^)]*\) | import\s+(?:\w+\s+)?"[^"]*" ))*""",
    re.VERBOSE,
)
_LABEL = re.compile(r'^(?:"([^"\\]+)"|([A-Za-z][\w-]*))[ \t]*:', re.MULTILINE)
_REFERENCE = r"[A-Za-z_#$][\w#$]*(?:\.[\w#$]+|\[\"[^\"]*\"\])*"
_SUM = re.compile(rf"{_REFERENCE}(?:[ \t]*\+[ \t]*{_REFERENCE})+")


def head(text: str) -> str:
    """The beginning, to the end of the last import; a comment behind it belongs to the rest."""
    match = _HEAD.match(text)
    return match[0] if match else ""


def labels(text: str) -> list[str]:
    """The fields of the file itself, as they stand at the beginning of a line."""
    found = _LABEL.findall(text[len(head(text)) :])
    return [quoted or plain for quoted, plain in found]


def with_concat(text: str, lines: Collection[int]) -> str:
    """A text with the sums of references on some lines written as ``list.Concat``.

    Args:
        text: CUE text.
        lines: Numbers of lines, counted from 1, on which lists are added.
    """
    rewritten = [
        _SUM.sub(_concat, line) if number in lines else line
        for number, line in enumerate(text.split("\n"), start=1)
    ]
    result = "\n".join(rewritten)
    start = head(result)
    if result != text and '"list"' not in start:
        return f'{start}\nimport "list"\n{result[len(start) :]}'
    return result


def _concat(match: re.Match[str]) -> str:
    parts = (part.strip() for part in match[0].split("+"))
    return f"list.Concat([{', '.join(parts)}])"
