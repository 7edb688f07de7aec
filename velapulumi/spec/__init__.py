"""Reads the Application kind: YAML text in, typed values or a list of problems out."""

from velapulumi.spec.application import (
    Application,
    Component,
    Input,
    Mode,
    Output,
    Policy,
    Step,
    SubStep,
    Trait,
    Workflow,
)
from velapulumi.spec.checks import (
    COMPONENTS,
    POLICIES,
    STEPS,
    Finding,
    check_support,
    name_problem,
    not_supported,
    parameter_path,
)
from velapulumi.spec.document import Path, format_path
from velapulumi.spec.expressions import InvalidExpression, NotThere, parse_expression
from velapulumi.spec.model import (
    MISSING,
    UNKNOWN_FIELD,
    Many,
    Properties,
    StrictModel,
    did_you_mean,
    explain,
)
from velapulumi.spec.reading import (
    inspect_application,
    load_application,
    parse_application,
    read_text,
)
from velapulumi.spec.salvage import validate_what_can_be

__all__ = [
    "COMPONENTS",
    "MISSING",
    "POLICIES",
    "STEPS",
    "UNKNOWN_FIELD",
    "Application",
    "Component",
    "Finding",
    "Input",
    "InvalidExpression",
    "Many",
    "Mode",
    "NotThere",
    "Output",
    "Path",
    "Policy",
    "Properties",
    "Step",
    "StrictModel",
    "SubStep",
    "Trait",
    "Workflow",
    "check_support",
    "did_you_mean",
    "explain",
    "format_path",
    "inspect_application",
    "load_application",
    "name_problem",
    "not_supported",
    "parameter_path",
    "parse_application",
    "parse_expression",
    "read_text",
    "validate_what_can_be",
]
