"""What all tests need."""

import signal

# A run started in the background ignores SIGINT and so would every program it starts; the tests
# of interrupts need it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.clusters"]
