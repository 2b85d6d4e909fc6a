"""Threads: order kept, nothing begun that nobody waits for, errors handed on, iterators closed."""

import threading

import pytest

from facewright.engine.core.threads import ahead, map_in_threads


def test_results_come_in_the_order_of_the_items():
    second = threading.Event()

    def work(k):
        if k == 0:
            second.wait(0.2)  # the first is the last to be ready
        second.set()
        return k * k

    assert list(map_in_threads(work, range(20))) == [k * k for k in range(20)]
    assert list(map_in_threads(work, [])) == []


@pytest.mark.parametrize('how', ['an error', 'the caller stops'])
def test_what_is_not_begun_is_not_done(how):
    done = []

    def work(k):
        done.append(k)
        if how == 'an error':
            raise ValueError(k)

    results = map_in_threads(work, range(10000))
    if how == 'an error':
        with pytest.raises(ValueError, match='0'):
            next(results)
    else:
        next(results)
        results.close()
    assert len(done) < 1000


def frames(closed, broken=False):
    try:
        for k in range(9):
            if broken and k == 4:
                raise OSError('the disk')
            yield k, threading.get_ident()
    finally:
        closed.append(threading.get_ident())


def test_items_are_made_in_one_other_thread():
    closed = []
    found = list(ahead(frames(closed), 3))
    assert [k for k, _ in found] == list(range(9))
    assert {thread for _, thread in found} == set(closed) != {threading.get_ident()}


def test_an_iterator_that_is_left_is_closed_and_its_error_handed_on():
    closed = []
    items = ahead(frames(closed), 2)
    assert next(items)[0] == 0
    items.close()
    assert len(closed) == 1 and closed[0] != threading.get_ident()
    items = ahead(frames(closed, broken=True), 2)
    with pytest.raises(OSError, match='the disk'):
        list(items)
    assert len(closed) == 2
