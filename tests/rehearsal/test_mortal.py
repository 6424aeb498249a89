"""A driver that is killed leaves nothing running: neither the venue nor the bot, whatever they are at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adaptive_pkg.rehearsal.mortal import mortal

# the bot stands for freqtrade; the venue's process waits for its end and does not look at its own input
DRIVER = """
import sys
from pathlib import Path
from adaptive_pkg.rehearsal.live_bot import Rehearsal
from adaptive_pkg.rehearsal.market import BEGIN, PAIRS
folder, market, speed = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]) or None
with Rehearsal(folder, market, BEGIN, PAIRS[:1], speed=speed) as run:
    argv = [sys.executable, "-c", "import threading; threading.Event().wait()"]
    bot = run.ask("start_bot", argv=argv, output=str(folder / "bot.out"), cwd=str(folder))["pid"]
    print(run.venue_pid, bot, flush=True)
    run.ask("end_bot", number=0, wait_real_seconds=3600)
"""


def is_alive(pid: int) -> bool:
    """Running; one that has ended and that nobody has asked about is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("speed", [0, 10])  # leap time, and an even pace, where `faketime` stands in between
def test_a_killed_driver_takes_the_venue_and_the_bot_with_it(tmp_path, market, project_root, speed):
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path / "run"), str(market), str(speed)],
        stdout=subprocess.PIPE,
        cwd=project_root,
        text=True,
    )
    pids = [int(word) for word in driver.stdout.readline().split()]
    assert len(pids) == 2 and all(map(is_alive, pids))
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    while any(map(is_alive, pids)):  # what does not end is ended by the test's time limit
        time.sleep(0.05)


def test_a_command_whose_parent_is_gone_already_does_not_begin(tmp_path):
    done = tmp_path / "done"
    run = subprocess.run(mortal(["touch", str(done)], os.getpid() + 1), check=False)
    assert run.returncode == 1 and not done.exists()
    subprocess.run(mortal(["touch", str(done)], os.getpid()), check=True)
    assert done.exists()
