"""The entry point: `entra-mfa-exporter`, or `python -m exporter`."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line and exit with its status. SIGTERM is as good as Ctrl-C, whatever the command.

    A script's `command &` begins with Ctrl-C ignored, and would ignore both. A reload that is asked for before there is
    anything to reload is none: the configuration will be read soon.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        from exporter.cli import run  # noqa: PLC0415 - it takes a quarter of a second, in which a signal may come
    except KeyboardInterrupt:
        sys.exit()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
