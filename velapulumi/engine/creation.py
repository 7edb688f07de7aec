"""Making a stack while the rest of the program is still being loaded.

Loading the Pulumi SDK takes about as long as the engine takes to make a stack, so the one is done
beside the other.
"""

from __future__ import annotations

import os
import subprocess

from velapulumi.engine.environment import engine_environment, prepare_backend
from velapulumi.errors import EngineFailed
from velapulumi.playground import find_engine
from velapulumi.project import Project, StackName


class StackCreation:
    """A ``pulumi stack init`` that is under way.

    Args:
        project: The project.
        stack: The stack to make; its configuration file is kept and completed.
    """

    def __init__(self, project: Project, stack: StackName) -> None:
        self._stack = stack
        environment = engine_environment(project)
        prepare_backend(project, environment)
        self._process = subprocess.Popen(
            [
                find_engine().root / "bin" / "pulumi",
                *("stack", "init", "--no-select", "--non-interactive", str(stack)),
            ],
            cwd=project.root,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self) -> None:
        """Wait until the stack is made.

        Raises:
            EngineFailed: It could not be made.
        """
        _, errors = self._process.communicate()
        if self._process.returncode != 0:
            raise EngineFailed(f"stack {self._stack} cannot be made: {errors.strip()}")
