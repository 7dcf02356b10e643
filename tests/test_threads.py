"""The number of threads: whose it is, and who may change it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import torch

from inpaint.search.backends import cpp
from inpaint.search.backends.torch import limited_threads


def test_zero_threads_obey_torch() -> None:
    """The number is torch's, whose limit in turn is of the calling thread alone."""
    used = []
    extension = cpp._extension()
    for threads in (1, 3):
        with limited_threads(threads):
            used.append(extension.resolve_threads(0))
    assert used == [1, 3]
    assert extension.resolve_threads(2) == 2


def test_overlapping_searches_leave_the_number_of_threads_alone() -> None:
    """One enters while the other is inside, and leaves last, from threads new to torch."""
    before = torch.get_num_threads()
    both_inside, one_left = Barrier(2, timeout=30), Barrier(2, timeout=30)

    def first() -> tuple[int, int]:
        with limited_threads(3):
            both_inside.wait()
            inside = torch.get_num_threads()
        one_left.wait()
        return inside, torch.get_num_threads()

    def second() -> tuple[int, int]:
        with limited_threads(5):
            both_inside.wait()
            one_left.wait()
            inside = torch.get_num_threads()
        return inside, torch.get_num_threads()

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(first), pool.submit(second)]
        assert [future.result() for future in futures] == [(3, before), (5, before)]
    assert torch.get_num_threads() == before
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == before


def test_limits_nest() -> None:
    before = torch.get_num_threads()
    with limited_threads(2):
        with limited_threads(3), limited_threads(0):
            assert torch.get_num_threads() == 3
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before
