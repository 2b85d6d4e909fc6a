"""Which shape key of whichever mesh means which expression. No bpy."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...engine.face_model.expressions import ARKIT_NAMES, ICT_NAMES, MERGED, TO_ARKIT, TO_ICT
from ...engine.face_model.spelling import expression_of, expressions_among
from ...engine.formats.performance import Performance

__all__ = ['columns', 'expression_of', 'expressions_among', 'performance_names', 'spelled']


def spelled(name: str, naming: str) -> str:
    """Return an expression under ICT's ('ICT') or ARKit's ('ARKIT') name, where that has one for
    it; else as it is.
    """
    return (
        TO_ARKIT.get(name, name)
        if naming == 'ARKIT'
        else TO_ICT[name][0]
        if len(TO_ICT.get(name, ())) == 1
        else name
    )


def columns(performance: Performance, keys: Iterable[str]) -> dict[str, np.ndarray]:
    """Return {shape key: T weights} of a performance under ICT or ARKit names, for every key of a
    mesh that stands for an expression of it.

    Where one has the whole and the other its halves: the whole is the mean of the halves, the
    halves are copies of the whole.
    """
    have = {expression_of(n): column for n, column in zip(performance.names, performance.weights.T)}
    for whole, halves in MERGED.items():
        found = [have[h] for h in halves if h in have]
        if whole in have:
            have = dict.fromkeys(halves, have[whole]) | have
        elif found:
            have[whole] = np.mean(found, 0)
    return {key: have[name] for key, name in expressions_among(keys).items() if name in have}


def performance_names(keys: Iterable[str]) -> dict[str, str]:
    """Return {shape key: the name a performance file has for it}, each name once: ICT's where the
    mesh has ICT's halves, else ARKit's.
    """
    found: dict[str, str] = {}
    for key, name in expressions_among(keys).items():
        if name not in found.values():
            found[key] = name
    halves = {h for pair in MERGED.values() for h in pair}
    ict = any(n in halves for n in found.values()) or not any(
        k in found for k in set(ARKIT_NAMES) - set(ICT_NAMES)
    )
    return {k: spelled(n, 'ICT') if ict else n for k, n in found.items()}
