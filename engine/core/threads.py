"""Work handed to threads, whose results come back in order: the same whatever the machine has.

For what lets other threads run while it computes: OpenCV, Warp, MediaPipe, decoders, PyTorch.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')


def map_in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield work(item) for each item, in order, as many at once as there are cores.

    Where the caller stops early, or an item fails, what is not begun yet is not done.
    """
    cores = os.cpu_count() or 1
    waiting = iter(items)
    with ThreadPoolExecutor(cores) as pool:
        begun = deque(pool.submit(work, item) for item in islice(waiting, 2 * cores))
        try:
            while begun:
                yield begun.popleft().result()
                begun.extend(pool.submit(work, item) for item in islice(waiting, 1))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def ahead(items: Iterator[Item], count: int) -> Iterator[Item]:
    """Yield an iterator's items, made by a thread of its own up to `count` ahead of the caller.

    The iterator is closed by that thread, at its end or where the caller stops early.
    """

    def following() -> list[Item]:
        """Make the next item, alone in a list; an empty list at the end."""
        return list(islice(items, 1))

    def close() -> None:
        end = getattr(items, 'close', None)
        if end is not None:
            end()

    with ThreadPoolExecutor(1) as pool:
        begun = deque(pool.submit(following) for _ in range(max(count, 1)))
        try:
            while found := begun.popleft().result():
                begun.append(pool.submit(following))
                yield from found
        finally:
            for future in begun:
                future.cancel()
            pool.submit(close).result()
