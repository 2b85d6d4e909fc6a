"""Which of the detector's landmarks are what, and whose networks they are (NETWORKS).

Read from MediaPipe's own connection sets, hardly anything typed by hand. Left is the person's left.
Loops are in order around; `inner_lip` and `outer_lip` are the two loops of the lips.
"""

from __future__ import annotations

import functools

import numpy as np

from .mediapipe_networks import MEDIAPIPE, MEDIAPIPE_HANDS, mediapipe

NETWORKS = MEDIAPIPE  # the detector in use; what else is here is about its landmarks
HANDS = MEDIAPIPE_HANDS  # what finds hands before a face
COUNT = 478
OUTER_EYE_CORNERS = (33, 263)  # the person's right, left
IRIS_CENTRES, NOSE_TIP, INNER_LIPS = (468, 473), 1, (13, 14)


@functools.cache
def landmark_sets() -> dict[str, np.ndarray]:
    """Name sets of landmarks: name → int32 indices.

    Loops: left_eye, right_eye, left_iris, right_iris, inner_lip, outer_lip, oval.
    Sets: lips, left_brow, right_brow, nose, iris_centres (right, left).
    """
    mediapipe()
    from mediapipe.python.solutions import face_mesh_connections as c

    out = {
        'left_eye': _loops(c.FACEMESH_LEFT_EYE)[0],
        'right_eye': _loops(c.FACEMESH_RIGHT_EYE)[0],
        'left_iris': _loops(c.FACEMESH_LEFT_IRIS)[0],
        'right_iris': _loops(c.FACEMESH_RIGHT_IRIS)[0],
        'oval': _loops(c.FACEMESH_FACE_OVAL)[0],
        'lips': _members(c.FACEMESH_LIPS),
        'left_brow': _members(c.FACEMESH_LEFT_EYEBROW),
        'right_brow': _members(c.FACEMESH_RIGHT_EYEBROW),
        'nose': _members(c.FACEMESH_NOSE),
    }
    lips = _loops(c.FACEMESH_LIPS)
    triangles = tesselation()
    oval = set(out['oval'].tolist())
    steps = _steps_from(oval, triangles)
    outer, inner = sorted(lips, key=lambda loop: steps[loop].mean())
    out['outer_lip'], out['inner_lip'] = outer, inner
    # The refined network puts each centre before its ring.
    centres = [min(out[f'{side}_iris']) - 1 for side in ('right', 'left')]
    out['iris_centres'] = np.array(centres, np.int32)
    return out


@functools.cache
def face_regions() -> dict[str, np.ndarray]:
    """Name the landmarks of what an animator looks at: eyes with irises, brows, lips, jaw.

    The jaw's are in order along the outline, from ear to ear: those of the oval that lie lower than
    the middle of the lips on the resting face.
    """
    sets = landmark_sets()
    joined = {
        'eyes': ('left_eye', 'right_eye', 'left_iris', 'right_iris'),
        'brows': ('left_brow', 'right_brow'),
        'lips': ('lips',),
    }
    out = {
        region: np.unique(np.concatenate([sets[n] for n in names]))
        for region, names in joined.items()
    }
    height, oval = resting_face()[:, 1], sets['oval']
    low = height[oval] > height[sets['lips']].mean()
    start = int(np.flatnonzero(low & ~np.roll(low, 1))[0])
    return out | {'jaw': np.roll(oval, -start)[: low.sum()]}


def between_corners(loop: np.ndarray, corners: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Split a loop of landmarks into the two ways from one of them to another, both ends included.

    The first goes in the loop's order, the second against it.
    """
    first, last = (int(np.flatnonzero(loop == k)[0]) for k in corners)
    forward = np.roll(loop, -first)[: (last - first) % len(loop) + 1]
    backward = np.roll(loop[::-1], first + 1)[: (first - last) % len(loop) + 1]
    return forward, backward


@functools.cache
def resting_face() -> np.ndarray:
    """Ask the network for its own idea of a face: what it answers to an even dark picture.

    478×3, x right, y down, in sides of the crop; symmetric to 1 %.
    """
    side = NETWORKS.landmarks_size
    return NETWORKS.landmarks(np.full((side, side, 3), 64, np.uint8)).points


def keypoints(points: np.ndarray) -> np.ndarray:
    """Landmarks N×3 → 4×2: right eye, left eye, nose tip, mouth, as face detectors give them."""
    right, left = (points[k] for k in IRIS_CENTRES)
    upper, lower = (points[k] for k in INNER_LIPS)
    return np.stack([right, left, points[NOSE_TIP], (upper + lower) / 2])[:, :2]


def tesselation_edges() -> frozenset[tuple[int, int]]:
    """MediaPipe's edges of the face's surface, pairs of landmarks."""
    return mediapipe().solutions.face_mesh_connections.FACEMESH_TESSELATION


@functools.cache
def tesselation() -> np.ndarray:
    """Read the surface's triangles from its edges: 852×3 int32 over the first 468 landmarks.

    Counter-clockwise seen from the front with y up.
    """
    edges = sorted({tuple(sorted(e)) for e in tesselation_edges()})
    near: dict[int, set[int]] = {}
    for a, b in edges:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    found = sorted({tuple(sorted((a, b, k))) for a, b in edges for k in near[a] & near[b]})
    owners: dict[tuple[int, int], list[int]] = {}
    for i, triangle in enumerate(found):
        for edge in _edges(triangle):
            owners.setdefault(edge, []).append(i)
    # Three edges around a landmark with three neighbours look like a triangle too: the surface has
    # two at every edge.
    kept = [t for t in found if not all(len(owners[e]) > 2 for e in _edges(t))]
    return _oriented(np.array(kept, np.int32), resting_face())


def _edges(triangle) -> list[tuple[int, int]]:
    a, b, c = sorted(triangle)
    return [(a, b), (b, c), (a, c)]


def _oriented(triangles: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Turn triangles so that neighbours agree and most face the camera.

    points: x right, y down; so they are counter-clockwise with y up.
    """
    triangles = triangles.copy()
    owners: dict[tuple[int, int], list[int]] = {}
    for i, triangle in enumerate(triangles.tolist()):
        for edge in _edges(triangle):
            owners.setdefault(edge, []).append(i)
    done, waiting = {0}, [0]
    while waiting:
        i = waiting.pop()
        a, b, c = triangles[i].tolist()
        for u, v in ((a, b), (b, c), (c, a)):
            for j in owners[min(u, v), max(u, v)]:
                if j not in done:
                    p, q, r = triangles[j].tolist()
                    if (u, v) in ((p, q), (q, r), (r, p)):
                        triangles[j] = p, r, q
                    done.add(j)
                    waiting.append(j)
    corners = points[triangles, :2]
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return (
        triangles if (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]).sum() < 0 else triangles[:, [0, 2, 1]]
    )


@functools.cache
def mirror() -> np.ndarray:
    """Find each landmark's mirror image on the other side of the face: 478 int32.

    On the middle line a landmark's own index. The one-to-one match of the resting face with its
    mirror image; all but six of the tesselation's 1278 edges mirror onto edges (three of its quads
    are split the other way on the other side), which confirms it: see the tests.
    """
    from scipy.optimize import linear_sum_assignment

    face = resting_face()
    middle = face[list(OUTER_EYE_CORNERS), 0].mean()
    distance = np.linalg.norm((face * [-1, 1, 1] + [2 * middle, 0, 0])[:, None] - face, axis=-1)
    return linear_sum_assignment(distance**2)[1].astype(np.int32)


def _members(connections) -> np.ndarray:
    return np.array(sorted({i for pair in connections for i in pair}), np.int32)


def _loops(connections) -> list[np.ndarray]:
    """Closed loops of a set of index pairs, each from its smallest index, longest first."""
    near: dict[int, list[int]] = {}
    for a, b in sorted(connections):
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    loops, left = [], set(near)
    while left:
        loop = [min(left)]
        left.remove(loop[0])
        while following := [n for n in near[loop[-1]] if n in left]:
            loop.append(following[0])
            left.remove(following[0])
        loops.append(np.array(loop, np.int32))
    return sorted(loops, key=len, reverse=True)


def _steps_from(start: set[int], triangles: np.ndarray) -> np.ndarray:
    """How many edges each landmark lies from the start set."""
    steps = np.full(COUNT, -1)
    steps[list(start)] = 0
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    for distance in range(COUNT):
        reached = edges[steps[edges[:, 0]] == distance, 1]
        reached = reached[steps[reached] < 0]
        if not reached.size:
            break
        steps[reached] = distance + 1
    return steps
