"""The Pulumi engine as this project uses it: one process per operation, stopped in order.

This is Pulumi's Automation API with what costs a process each left out: the version check, stack
selection (every command names its stack) and reading back outputs and history. The engine runs in a
session of its own, so that an interrupt reaches it once: it finishes what is in flight and stops.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import IO, Any

from pulumi.automation import (
    CommandError,
    CommandResult,
    ConcurrentUpdateError,
    EngineEvent,
    LocalWorkspace,
    OpType,
    PulumiCommand,
    Stack,
    UpdateSummary,
)
from pulumi.automation._stack import StackInitMode
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from velapulumi.delivery.events import Diagnostics
from velapulumi.errors import EngineFailed, Interrupted, StackLocked
from velapulumi.playground import find_engine
from velapulumi.playground.tools import PULUMI_VERSION
from velapulumi.program.environment import engine_environment, prepare_backend
from velapulumi.program.record import StageRecord
from velapulumi.program.stacks import read_record
from velapulumi.project import Project, StackName
