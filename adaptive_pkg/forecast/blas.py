"""How many threads BLAS may use while the network trains or predicts: one."""

from __future__ import annotations

from functools import cache

from threadpoolctl import ThreadpoolController


def hold_one_blas_thread() -> None:
    """Hold BLAS to one thread in this process, from now on.

    Products this small gain nothing from a second thread and lose a factor of five to its spinning when the
    cores are shared, and the order of summation must not change while a training runs. The limit is the
    process's, and a thread that ends it for itself ends it for the others, so nobody here ends it.
    """
    for library in _blas():
        if library.num_threads != 1:
            library.set_num_threads(1)


@cache
def _blas() -> tuple:
    return tuple(ThreadpoolController().select(user_api="blas").lib_controllers)
