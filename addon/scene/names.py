"""Which shape key of whichever mesh means which expression. No bpy."""
from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from ...engine.face_model.expressions import ARKIT_NAMES, ICT_NAMES, MERGED, TO_ARKIT, TO_ICT
from ...engine.performance import Performance


def _plain(name: str) -> str:
    """'mouthSmile_L', 'MouthSmileLeft', 'Mouth Smile.L' → 'mouthsmileleft'."""
    name = re.sub(r'[_. -]([LRlr])$', lambda m: {'l': 'left', 'r': 'right'}[m[1].lower()], name)
    return re.sub(r'[^a-z0-9]', '', name.lower())


_KNOWN = {_plain(n): n for n in (*ICT_NAMES, *ARKIT_NAMES)}  # names both have are the same in both; merged ones differ


def expression(key: str) -> str | None:
    """The ICT or ARKit name a shape key's name stands for, spelled as ARKit's where both have it; None for other keys."""
    return _KNOWN.get(_plain(key))


def matches(keys: Iterable[str]) -> dict[str, str]:
    """{shape key: ICT or ARKit name} for the keys that have one."""
    return {k: e for k in keys if (e := expression(k)) is not None}


def spelled(name: str, naming: str) -> str:
    """An expression under ICT's ('ICT') or ARKit's ('ARKIT') name, where that has one for it; else as it is."""
    return TO_ARKIT.get(name, name) if naming == 'ARKIT' else TO_ICT[name][0] if len(TO_ICT.get(name, ())) == 1 else name


def columns(performance: Performance, keys: Iterable[str]) -> dict[str, np.ndarray]:
    """{shape key: T weights} of a performance under ICT or ARKit names, for every key of a mesh that stands for an expression of it.

    Where one has the whole and the other its halves: the whole is the mean of the halves, the halves are copies of the whole.
    """
    have = {expression(n): column for n, column in zip(performance.names, performance.weights.T)}
    for whole, halves in MERGED.items():
        found = [have[h] for h in halves if h in have]
        if whole in have:
            have = {h: have[whole] for h in halves} | have
        elif found:
            have[whole] = np.mean(found, 0)
    return {key: have[name] for key, name in matches(keys).items() if name in have}


def performance_names(keys: Iterable[str]) -> dict[str, str]:
    """{shape key: the name a performance file has for it}, each name once: ICT's where the mesh has ICT's halves, else ARKit's."""
    found: dict[str, str] = {}
    for key, name in matches(keys).items():
        if name not in found.values():
            found[key] = name
    halves = {h for pair in MERGED.values() for h in pair}
    ict = any(n in halves for n in found.values()) or not any(k in found for k in set(ARKIT_NAMES) - set(ICT_NAMES))
    return {k: spelled(n, 'ICT') if ict else n for k, n in found.items()}
