"""The entry point: `entra-mfa-exporter`, or `python -m exporter`."""

from __future__ import annotations

import signal
import sys

from exporter.stop_signals import StopSignals


def main() -> None:
    """Run the command line and exit with its status.

    A reload that is asked for before there is anything to reload is none: the configuration will be read soon.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals = StopSignals()
    signals.note()
    from exporter.cli import run  # noqa: PLC0415 - a signal may come meanwhile

    sys.exit(run(sys.argv[1:], signals))


if __name__ == "__main__":
    main()
