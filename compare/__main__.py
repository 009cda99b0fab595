"""The program: `gradparity`, or `python -m compare`.

A signal may come at any time, so its handlers are there before anything large is
imported.
"""

import os
import signal
import sys
from pathlib import Path

from compare.interruption import SIGNALS, end


def main() -> None:
    """Run as a program, in one thread: more threads only wait on so small arrays."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as after `nohup`
            signal.signal(number, end)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when NumPy is imported
    os.environ["MPLBACKEND"] = "agg"  # read by matplotlib: figures are files
    from compare.cli import run  # noqa: PLC0415  # it takes its time

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    if not sys.flags.safe_path:
        # Python has put the current folder first, where any module would replace one.
        here = sys.path.pop(0)
        if Path(here) == Path(__file__).parents[1]:
            sys.path.append(here)  # run from the source tree
    main()
