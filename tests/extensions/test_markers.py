"""Reading patches from exported CUE."""

from __future__ import annotations

from typing import Any

import pytest

from velapulumi.definitions import ByKey, JsonMerge, JsonPatch, RetainKeys
from velapulumi.extensions.cue import CueError
from velapulumi.extensions.markers import marked, read_patches


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", {}, id="nothing"),
        pytest.param("{}\n", {}, id="empty"),
        pytest.param("a: b: c: 1\n", {"a": {"b": {"c": 1}}}, id="short"),
        pytest.param(
            'a: -1.5\n"b/c":\ttrue\nd: null\ne: 1e+3\n',
            {"a": -1.5, "b/c": True, "d": None, "e": 1000.0},
            id="scalars",
        ),
        pytest.param(
            'a: [[1, 2], [], {}, {\n\tb: "x"\n}]\n',
            {"a": [[1, 2], [], {}, {"b": "x"}]},
            id="lists",
        ),
        pytest.param(
            'a: "q\\"\\\\ \\u00e9\\t// {"\nb: #"x\\"#\nc: ""\n',
            {"a": 'q"\\ é\t// {', "b": "x\\", "c": ""},
            id="strings",
        ),
        pytest.param(
            'a: """\n\ttwo\n\t\tlines \\"""\n\t"""\nb: #"""\n\t\\d \\#n """ x\n\n\t"""#\n',
            {"a": 'two\n\tlines """', "b": '\\d \n """ x\n'},
            id="multi-line",
        ),
        pytest.param(
            "// for people\n// +patchStrategy=retainKeys\na: {b: 1}\n",
            {"a": RetainKeys({"b": 1})},
            id="retain-keys",
        ),
        pytest.param(
            "// +patchStrategy=replace\na: [{b: 1}]\n", {"a": RetainKeys([{"b": 1}])}, id="replace"
        ),
        pytest.param(
            "// +patchKey=name\na: [{\n\t// +patchKey=ip\n\tb: [{ip: 1}]\n\tc: [1]\n}]\nd: [2]\n",
            {
                "a": ByKey("name", [{"b": ByKey("ip", [{"ip": 1}]), "c": ByKey("name", [1])}]),
                "d": [2],
            },
            id="keys",
        ),
        pytest.param(
            "// +patchKey=a=b\na: [1]\n", {"a": ByKey("a=b", [1])}, id="key-with-equals-sign"
        ),
        pytest.param(
            "// +patchKey=name\na: {b: [{name: 1}], c: 1}\n",
            {"a": {"b": ByKey("name", [{"name": 1}]), "c": 1}},
            id="key-for-lists-below",
        ),
        pytest.param(
            "// +patchKey=a.b,c\n// +patchStrategy=retainKeys\na: [1]\n",
            {"a": ByKey("a.b,c", [1], replace=True)},
            id="key-and-strategy",
        ),
        pytest.param(
            "// +patchStrategy=retainKeys\na: {\n\t// +patchKey=b\n\tc: [1]\n}\n",
            {"a": RetainKeys({"c": [1]})},
            id="no-markers-in-a-value-that-replaces",
        ),
        pytest.param(
            "// +patchStrategy=jsonMergePatch\na: {b: null}\n",
            {"a": JsonMerge({"b": None})},
            id="json-merge",
        ),
        pytest.param("// +patchStrategy=unknown\na: 1\n", {"a": 1}, id="unknown-strategy"),
    ],
)
def test_patches(text: str, expected: dict[str, Any]) -> None:
    assert read_patches(text) == expected


def test_bytes_are_refused() -> None:
    with pytest.raises(CueError, match="a patch cannot hold 'x'"):
        read_patches("a: 'x'\n")


def test_operations_of_a_whole_patch() -> None:
    operations = [{"op": "remove", "path": "/a"}]
    assert marked({"operations": operations}, "jsonPatch") == JsonPatch(operations)
    assert marked({}, "jsonPatch") == JsonPatch([])
