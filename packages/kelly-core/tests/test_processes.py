"""Work on many files is shared with other processes only where they are worth starting."""

import os
import time

import pytest

from kelly_core.data import processes
from kelly_core.data.processes import each


@pytest.fixture
def work():
    def work(number, pause=0.0):  # in here it is sent by value: other processes can't import this file
        time.sleep(pause)
        return number, os.getpid()

    return work


def test_results_come_in_order_with_the_first_of_them_made_here(work, monkeypatch):
    monkeypatch.setattr(processes, "STARTING", 0.1)
    monkeypatch.setattr(processes, "_TRIAL", 0.02)
    done = list(each(work, [(number, 0.02) for number in range(30)], 2))
    assert [number for number, _ in done] == list(range(30))
    makers = [process for _, process in done]
    assert makers[0] == os.getpid()
    assert makers[-1] != os.getpid()


@pytest.mark.parametrize(("count", "workers"), [(0, 2), (1, 2), (40, 1), (200, 2)])
def test_little_work_or_one_worker_stays_here(work, count, workers):
    done = list(each(work, [(number,) for number in range(count)], workers))
    assert done == [(number, os.getpid()) for number in range(count)]
