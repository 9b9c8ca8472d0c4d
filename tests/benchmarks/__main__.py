from __future__ import annotations

import signal
import sys
from pathlib import Path

if not __package__:  # `python tests/benchmarks`: what must come first is the folder that holds the package
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.run import main

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of all that has to be cleaned up
    sys.exit(main())
