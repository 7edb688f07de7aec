"""Plans as people read them: on a terminal, and as Markdown for a pull request."""

from velapulumi.cli.plans.markdown import markdown
from velapulumi.cli.plans.stages import grouped, plan_refuses, plan_title, summary, way_back
from velapulumi.cli.plans.terminal import evidence_lines, lines_of, refusal_lines, stage_lines
from velapulumi.cli.plans.values import printable

__all__ = [
    "evidence_lines",
    "grouped",
    "lines_of",
    "markdown",
    "plan_refuses",
    "plan_title",
    "printable",
    "refusal_lines",
    "stage_lines",
    "summary",
    "way_back",
]
