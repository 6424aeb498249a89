"""`python -m adaptive_pkg.rehearsal.bot_process trade …`: freqtrade itself, in a process on fast time."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
from pathlib import Path

from adaptive_pkg.rehearsal.fast_time import mend_waits
from adaptive_pkg.rehearsal.leap_time import leap_instead_of_sleeping


def note_analysed(path: Path) -> None:
    """Add a line (pair, opening time of the last candle, epoch seconds now) for each candle analysed."""
    from freqtrade.data.dataprovider import DataProvider

    keep = DataProvider._set_cached_df

    def keep_and_note(self, pair, timeframe, dataframe, candle_type):  # type: ignore[no-untyped-def]
        keep(self, pair, timeframe, dataframe, candle_type)
        if len(dataframe):
            with path.open("a") as file:
                file.write(f"{pair},{dataframe['date'].iloc[-1].timestamp():.0f},{time.time():.3f}\n")

    DataProvider._set_cached_df = keep_and_note  # type: ignore[method-assign]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell starts us without
    faulthandler.register(signal.SIGUSR1, all_threads=True)  # where a bot that hangs is: in its output
    if "REHEARSAL_LEAP_SECONDS" in os.environ:
        leap_instead_of_sleeping(os.environ)
    else:
        mend_waits(float(os.environ["REHEARSAL_SPEED"]))
    from freqtrade.main import main

    if "REHEARSAL_UNNOTED" not in os.environ:
        note_analysed(Path("analysed.csv"))

    main(sys.argv[1:])
