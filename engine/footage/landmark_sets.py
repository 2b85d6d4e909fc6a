"""Which of the 478 landmarks belong to what: int arrays derived from MediaPipe's own connection sets. Left is the person's left."""
from __future__ import annotations

import numpy as np

from .networks import mediapipe

mediapipe()
from mediapipe.python.solutions import face_mesh_connections as _c  # noqa: E402  (needs mediapipe's stubs)


def _members(edges) -> np.ndarray:
    return np.array(sorted({i for edge in edges for i in edge}), np.int64)


def _loops(edges) -> list[np.ndarray]:
    """Directed or undirected edges of closed curves → one ordered index array per curve."""
    near: dict[int, list[int]] = {}
    for a, b in sorted(edges):
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    loops, left = [], set(near)
    while left:
        start = min(left)
        loop, previous, at = [start], None, start
        while True:
            ahead = [n for n in near[at] if n != previous and (n in left and n not in loop[1:] or n == start)]
            following = next((n for n in ahead if n != start), None)
            if following is None:
                break
            previous, at = at, following
            loop.append(at)
        loops.append(np.array(loop, np.int64))
        left -= set(loop)
    return loops


LIPS = _members(_c.FACEMESH_LIPS)
EYE_LEFT, EYE_RIGHT = _members(_c.FACEMESH_LEFT_EYE), _members(_c.FACEMESH_RIGHT_EYE)
BROW_LEFT, BROW_RIGHT = _members(_c.FACEMESH_LEFT_EYEBROW), _members(_c.FACEMESH_RIGHT_EYEBROW)
NOSE = _members(_c.FACEMESH_NOSE)
FACE_OVAL = _members(_c.FACEMESH_FACE_OVAL)
FACE_OVAL_LOOP = _loops(_c.FACEMESH_FACE_OVAL)[0]
IRIS_LEFT, IRIS_RIGHT = np.arange(473, 478), np.arange(468, 473)  # each: the centre, then four points round it
EYE_CORNERS = (33, 263)  # outer corners: the person's right, left
