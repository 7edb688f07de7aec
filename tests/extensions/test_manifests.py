"""Files with KubeVela's definitions, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from velapulumi.definitions import ComponentDefinition, TraitDefinition
from velapulumi.errors import InvalidDefinition

from .conftest import Project, manifest

IN_CUE = """
import "strings"

// A comment.
"own-type": {
	type:        "trait"
	description: "Upper case."
	labels: deprecated: "true"
	attributes: appliesToWorkloads: ["jobs.batch"]
}
template: {
	patch: metadata: annotations: text: strings.ToUpper(parameter.text)
	parameter: text: string
}
"""


def test_a_file_may_hold_several_and_lie_below(project: Project) -> None:
    both = manifest("ComponentDefinition", "one", "output: {}") + "---\n"
    both += manifest("TraitDefinition", "two", "parameter: {}")
    catalog = project({"team/both.yml": both, "notes.txt": "no definition"})
    one = catalog.find(ComponentDefinition, "one")
    assert one is not None
    assert (one.workload, one.summary, one.deprecated) == (None, "Defined in both.yml.", "")
    assert catalog.find(TraitDefinition, "two") is not None


def test_a_file_in_cue(project: Project) -> None:
    definition = project({"own.cue": IN_CUE}).find(TraitDefinition, "own-type")
    assert definition is not None
    assert definition.summary == "Upper case."
    assert definition.applies_to == ("Job",)
    assert definition.deprecated
    assert definition.read({"text": 1})[1][0][0] == ("text",)


def spec(**values: Any) -> str:
    return manifest("TraitDefinition", "own", "parameter: {}", **values)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("a.yaml", "a: [", "a.yaml:2: is not valid YAML", id="yaml"),
        pytest.param("a.yaml", "kind: X", "a.yaml:1: is no definition of KubeVela", id="kind"),
        pytest.param(
            "a.yaml",
            manifest("PolicyDefinition", "own", "parameter: {}"),
            "own is a policy definition: with a CUE template there can be components and traits",
            id="policy",
        ),
        pytest.param(
            "a.yaml",
            spec().replace("cue:", "helm:"),
            "a.yaml:6: own must have a template at spec.schematic.cue.template",
            id="helm",
        ),
        pytest.param(
            "a.yaml",
            spec(appliesToWorkload=["*"]),
            'a.yaml:6: spec.appliesToWorkload: is an unknown field, did you mean "appliesToW',
            id="unknown",
        ),
        pytest.param(
            "a.yaml",
            spec(stage="Later"),
            "spec.stage: must be '', 'PreDispatch' or 'PostDispatch', is the string \"Later\"",
            id="stage",
        ),
        pytest.param(
            "a.yaml",
            spec().replace("name: own", "nam: own"),
            "a.yaml:3: metadata.name: is missing",
            id="name",
        ),
        pytest.param(
            "a.yaml",
            manifest("TraitDefinition", "own", 'import (\n  "strings"\n  "vela/op"\n)\nx: 1'),
            "own imports vela/op, which only KubeVela's controller has",
            id="vela-op",
        ),
        pytest.param(
            "a.cue", 'import "kube/apps/v1"\n' + IN_CUE, "own-type imports kube/apps/v1", id="kube"
        ),
        pytest.param(
            "a.yaml",
            spec().replace("name: own", "name: ../own"),
            "a.yaml: '../own' is no name of a type",
            id="path",
        ),
        pytest.param("a.cue", "template: {}", "a.cue: must hold the definition", id="no-head"),
        pytest.param("a.cue", "own: {}", "a.cue: must hold the definition", id="no-template"),
        pytest.param(
            "a.cue", "own: {type: 1 & 2}\ntemplate: {}", "a.cue: conflicting values", id="conflict"
        ),
        pytest.param(
            "a.cue", "own: {typ: 1}\ntemplate: {}", "a.cue: own.type: is missing\n", id="no-type"
        ),
        pytest.param(
            "a.cue",
            'own: {type: "workflow-step"}\ntemplate: {}',
            "own is a workflow-step definition",
            id="step",
        ),
        pytest.param(
            "a.cue",
            'own: {type: "trait", attributes: appliesTo: []}\ntemplate: {}',
            "a.cue: own.attributes.appliesTo: is an unknown field",
            id="attributes",
        ),
    ],
)
def test_what_cannot_be_used_is_named(
    project: Project, tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        project({name: text})
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "definitions" / name))


def test_a_file_that_is_no_text(project: Project, tmp_path: Path) -> None:
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions/a.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidDefinition, match=r"a\.yaml: is not UTF-8 text"):
        project({})


def test_a_type_is_defined_once(project: Project) -> None:
    files = {
        name: manifest("TraitDefinition", "own", "parameter: {}") for name in ("a.yaml", "b.yaml")
    }
    with pytest.raises(InvalidDefinition, match=r"b\.yaml: own is defined in .*a\.yaml too"):
        project(files)
