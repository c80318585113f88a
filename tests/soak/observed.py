"""The exporter as it is, with a window: on SIGUSR1 it writes how many tasks and objects it has into a file.

python tests/soak/observed.py FILE [COMMAND] [FLAGS]
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from exporter.__main__ import main

if __name__ == "__main__":
    figures = Path(sys.argv.pop(1))

    def tell(*_: object) -> None:
        """Write the figures, whole or not at all."""
        gc.collect()
        new = figures.with_suffix(".new")
        new.write_text(f"{len(asyncio.all_tasks())} {len(gc.get_objects())}")
        os.replace(new, figures)  # noqa: PTH105 - the file is there at once

    signal.signal(signal.SIGUSR1, tell)
    main()
