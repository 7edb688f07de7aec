"""Reads the Application kind: YAML text in, typed values or a list of problems out."""

from velapulumi.spec.application import (
    Application,
    Component,
    Input,
    Mode,
    Order,
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
)
from velapulumi.spec.document import Path, format_path
from velapulumi.spec.durations import format_duration, parse_duration
from velapulumi.spec.expressions import (
    CONDITION_ROOTS,
    STEP_ROOTS,
    InvalidExpression,
    NotThere,
    condition,
    parse_expression,
)
from velapulumi.spec.model import (
    MISSING,
    UNKNOWN_FIELD,
    Labels,
    Many,
    Properties,
    StrictModel,
    did_you_mean,
    explain,
)
from velapulumi.spec.needs import parameter_path
from velapulumi.spec.reading import (
    inspect_application,
    load_application,
    parse_application,
    read_text,
)
from velapulumi.spec.salvage import validate_what_can_be
from velapulumi.spec.workflow_checks import ALWAYS, GROUP

__all__ = [
    "ALWAYS",
    "COMPONENTS",
    "CONDITION_ROOTS",
    "GROUP",
    "MISSING",
    "POLICIES",
    "STEPS",
    "STEP_ROOTS",
    "UNKNOWN_FIELD",
    "Application",
    "Component",
    "Finding",
    "Input",
    "InvalidExpression",
    "Labels",
    "Many",
    "Mode",
    "NotThere",
    "Order",
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
    "condition",
    "did_you_mean",
    "explain",
    "format_duration",
    "format_path",
    "inspect_application",
    "load_application",
    "name_problem",
    "not_supported",
    "parameter_path",
    "parse_application",
    "parse_duration",
    "parse_expression",
    "read_text",
    "validate_what_can_be",
]
