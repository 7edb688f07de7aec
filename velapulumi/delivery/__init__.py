"""The order of things in ``up`` and ``delete``, and the engine they run."""

import os

# The engine is started while gRPC's threads run; its own handlers for that make the child fail.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
