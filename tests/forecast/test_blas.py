from __future__ import annotations

import subprocess
import sys

CODE = """
import threading
import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits
from adaptive_pkg.forecast.blas import hold_one_blas_thread

def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

def elsewhere(action):
    thread = threading.Thread(target=action)
    thread.start()
    thread.join()

elsewhere(hold_one_blas_thread)
assert blas_threads() == {1}
with threadpool_limits(1, user_api="blas"):
    elsewhere(hold_one_blas_thread)
assert blas_threads() == {1}  # a library that limits for itself puts back what it found
"""


def test_blas_stays_at_one_thread_whichever_thread_asks_first():
    environment = {"OPENBLAS_NUM_THREADS": "2", "PATH": ""}
    subprocess.run([sys.executable, "-c", CODE], check=True, env=environment)
