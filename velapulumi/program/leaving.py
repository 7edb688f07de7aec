"""The stacks of an application that go, as no step delivers to them any more."""

from __future__ import annotations

from collections.abc import Iterator

from velapulumi.program.application import Application
from velapulumi.project import StackName


def abandoned(application: Application) -> Iterator[StackName]:
    """The stacks that no step delivers to any more, but those a policy keeps something in.

    Nobody could approve the end of a stage under a gate policy, so that stays, too.
    """
    rules = application.loaded.rules
    for stack in application.project.stack_names(application.name):
        if stack.stage in application.workflow.stages:
            continue
        record = application.abandoned.get(stack.stage)
        objects = record.made if record else ()
        if application.authority.governs(stack.stage, ()):
            continue
        if not any(rules.treatment_of(entry.manifest).stays for entry in objects):
            yield stack
