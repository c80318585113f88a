"""`serve`: the daemon in a process, which signals stop and reload."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exporter.commands.daemon import Exporter
from exporter.commands.options import announcer, everything_loaded
from exporter.event_loop import WakefulLoop
from exporter.exit_status import DONE
from exporter.logs import fields
from exporter.output import Notices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.arguments import Arguments
    from exporter.assembly import Options
    from exporter.config.settings import Settings
    from exporter.progress import Progress

log = logging.getLogger(__name__)
#: So long a thread keeps the event loop waiting; Python's 5 ms are longer than a scrape takes.
SWITCH_SECONDS = 0.001


@contextmanager
def signals(exporter: Exporter) -> Iterator[None]:
    """Stop on SIGTERM and SIGINT, reload on SIGHUP, inside the body. After it the process ends, whatever it is sent."""
    loop = asyncio.get_running_loop()
    actions = {
        signal.SIGTERM: exporter.stop,
        signal.SIGINT: exporter.stop,
        signal.SIGHUP: exporter.request_reload,
    }
    for number, action in actions.items():
        loop.add_signal_handler(number, action)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, actions)  # between the handler and none, a signal would end it at once
        for number in actions:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, actions)


def stay_quick() -> None:
    """Make the process one that never keeps a scrape waiting for long."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()  # what was imported and loaded stays: the garbage collector need not look at it again and again


async def serve(options: Options, settings: Settings, announce: Callable[[str], None]) -> None:
    """Run the daemon until a signal stops it."""
    stay_quick()
    asyncio.get_running_loop().set_exception_handler(_log_without_text)
    exporter = Exporter(options, settings)
    with signals(exporter):
        await exporter.run(announce)


def _log_without_text(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Log what the loop has to say of a callback that failed; of the exception only its type."""
    del loop
    kind = type(context.get("exception")).__name__
    log.error("an error in the event loop", extra=fields(what=context.get("message"), exception=kind))


def run(arguments: Arguments, _progress: Progress) -> int:
    """Run the command."""
    options, settings = everything_loaded(arguments)
    with asyncio.Runner(loop_factory=WakefulLoop) as runner:
        runner.run(serve(options, settings, announcer(arguments, Notices())))
    return DONE
