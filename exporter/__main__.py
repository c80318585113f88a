"""The entry point: `entra-mfa-exporter`, or `python -m exporter`."""

from __future__ import annotations

import signal
import sys

from exporter.cli import run


def main() -> None:
    """Run the command line and exit with its status. SIGTERM is as good as Ctrl-C, whatever the command.

    A script's `command &` begins with Ctrl-C ignored, and would ignore both.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
