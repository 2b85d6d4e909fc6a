"""Crossing triangles: closed forms, brute force, ICT's known figures, sampled combinations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.engine.face_model import load_model
from facewright.engine.face_model.expressions import ICT_NAMES, OPPOSITES
from facewright.engine.geometry.intersections import Crosser
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.shape_keys.crossings import (
    KINDS,
    Checker,
    count_crossings,
    find_crossings,
    pose,
    sample_combinations,
)

FLAT = [[0, 0, 0], [4, 0, 0], [0, 4, 0]]


@pytest.mark.parametrize(
    'other,crosses',
    [
        ([[1, 1, -1], [1, 1, 1], [2, 1, 1]], True),  # an edge goes through
        ([[1, 1, -1], [5, 5, 1], [5, 6, 1]], False),  # ends on the far side of the plane, outside
        ([[-1, -1, -1], [-1, 2, 1], [2, -1, 1]], False),  # cuts the plane beside the corner
        ([[-1, 1, -1], [-1, 1, 2], [5, 1, 0.5]], True),  # cut by the flat triangle's edge
        ([[1, 1, 0], [1, 1, 2], [2, 1, 2]], False),  # a corner touches
        ([[1, 1, 0], [2, 1, 0], [1, 1, 2]], False),  # an edge lies on it
        ([[1, 1, 0], [2, 1, 0], [1, 2, 0]], False),  # coplanar, one in the other
        ([[1, 1, 1], [2, 1, 1], [1, 2, 1]], False),  # parallel
        ([[9, 9, -1], [9, 9, 1], [10, 9, 1]], False),
    ],
)  # far away
def test_two_triangles(other, crosses):
    v = np.array(FLAT + other, float)
    for mine, theirs in (([[0, 1, 2]], [[3, 4, 5]]), ([[3, 4, 5]], [[0, 1, 2]])):
        pairs = Crosser(np.array(mine), np.array(theirs), v)(v)
        assert pairs.tolist() == ([[0, 0]] if crosses else [])


def test_a_shared_corner_never_counts():
    v = np.array(FLAT + [[1, 1, -1], [1, 1, 1]], float)
    assert not len(Crosser(np.array([[0, 1, 2]]), np.array([[0, 3, 4]]), v)(v))


def brute(v, mine, theirs):
    """Every pair by barycentric solutions in float64."""

    def pierced(p, q, a, b, c):
        m = np.stack([p - q, b - a, c - a], 1)
        if abs(np.linalg.det(m)) < 1e-12:
            return False
        t, u, w = np.linalg.solve(m, p - a)
        return 0 < t < 1 and u > 0 and w > 0 and u + w < 1

    out = []
    for i, m in enumerate(mine):
        for j, n in enumerate(theirs):
            if not set(m) & set(n):
                a, b = v[m], v[n]
                if any(
                    pierced(a[k], a[k - 1], *b) or pierced(b[k], b[k - 1], *a) for k in range(3)
                ):
                    out.append([i, j])
    return out


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 2))
def test_like_brute_force(seed, size):
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-1, 1, (16, 1, 3))
    v = (centres + size * rng.normal(size=(16, 3, 3))).reshape(-1, 3).astype(np.float32)
    triangles = np.arange(48).reshape(-1, 3)
    triangles[3, 0] = triangles[9, 1]
    mine, theirs = triangles[:8], triangles[8:]
    crosser = Crosser(mine, theirs, np.zeros_like(v))
    for points in (v, v[::-1].copy()):  # refitted
        assert crosser(points).tolist() == brute(
            points.astype(float), mine.tolist(), theirs.tolist()
        )


def test_more_pairs_than_expected_are_all_returned():
    n = 90
    x = np.linspace(-1, 1, n)
    one = np.stack(
        [
            np.c_[x, np.full(n, -2.0), np.zeros(n)],
            np.c_[x, np.full(n, 2.0), np.zeros(n)],
            np.c_[x, np.zeros(n), np.full(n, 3.0)],
        ],
        1,
    )
    other = np.stack(
        [
            np.c_[np.full(n, -2.0), x, np.full(n, 0.1)],
            np.c_[np.full(n, 2.0), x, np.full(n, 0.1)],
            np.c_[np.zeros(n), x, np.full(n, -3.0)],
        ],
        1,
    )
    v = np.concatenate([one.reshape(-1, 3), other.reshape(-1, 3)])
    t = np.arange(6 * n).reshape(-1, 3)
    pairs = Crosser(t[:n], t[n:], v)(v)
    assert len(pairs) == n * n and (np.lexsort(pairs.T[::-1]) == np.arange(n * n)).all()


def test_no_triangles_no_crossings():
    assert Crosser(np.empty((0, 3), int), np.array([[0, 1, 2]]), np.eye(3))(np.eye(3)).shape == (
        0,
        2,
    )


def test_known_figures_of_ict(shared_data):
    model = load_model(str(shared_data / 'ict-facekit.tar.xz'))
    assert find_crossings(model, model.neutral).counts() == {
        'skin_socket': 0,
        'lip_lip': 124,
        'lid_eyeball': 474,
        'gums_teeth_skin': 0,
    }
    triangles = triangulate(model.faces)
    lined = triangles[(triangles < 14062).all(1)]
    crosser = Crosser(lined, lined, model.neutral)
    for weights, known in (({}, 124), ({'jawOpen': 0.03}, 0), ({'mouthClose': 1}, 623)):
        pairs = crosser(
            pose(
                model.neutral, model.expressions, np.array([weights.get(n, 0) for n in model.names])
            )
        )
        assert (
            abs((pairs[:, 0] < pairs[:, 1]).sum() - known) <= 4
        )  # methods.md's figures; float32 decides a few


def test_a_finger_through_the_built_in_lip_is_found():
    model = load_model()
    check = Checker(model)
    before = check(model.neutral)
    v = model.neutral.copy()
    tooth = model.regions['teeth'][:32]
    v[tooth, 2] += 1.7
    after = check(v)
    assert (
        after.counts()['gums_teeth_skin'] > before.counts()['gums_teeth_skin']
        and np.isin(tooth, after.vertices).any()
    )
    assert (
        np.array_equal(check(model.neutral).pairs, before.pairs)
        and (np.diff(after.kind) >= 0).all()
    )
    assert np.array_equal(after.vertices, np.unique(triangulate(model.faces)[after.pairs]))


def test_counting_poses_is_counting_one_by_one():
    model = load_model()
    weights = sample_combinations(model.names, 4, 3)
    counts = count_crossings(model, model.neutral, model.expressions, weights)
    assert counts.shape == (4, len(KINDS))
    for w, row in zip(weights, counts):
        assert list(find_crossings(model, model.shape(None, w)).counts().values()) == row.tolist()


def test_combinations_are_sparse_possible_and_seeded():
    weights = sample_combinations(ICT_NAMES, 500, 7)
    index = {n: k for k, n in enumerate(ICT_NAMES)}
    assert (weights == sample_combinations(ICT_NAMES, 500, 7)).all() and (
        weights != sample_combinations(ICT_NAMES, 500, 8)
    ).any()
    assert weights.min() >= 0 and weights.max() <= 1
    active = (weights > 0).sum(1)
    assert active.min() >= 1 and active.max() <= 9 and 3.5 < active.mean() < 5
    assert (weights[:, index['mouthClose']] <= weights[:, index['jawOpen']]).all() and weights[
        :, index['mouthClose']
    ].max() > 0.5
    for a, b in OPPOSITES:
        assert not (weights[:, index[a]] * weights[:, index[b]]).any()
    assert (weights.max(0) > 0.5).all()
    assert sample_combinations(('jawOpen',), 3, 0).shape == (3, 1)
