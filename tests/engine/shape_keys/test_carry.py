"""Carrying displacements onto other topologies.

The model's own heads cut up in other ways, for which the truth is known.
"""

import numpy as np
import pytest
import trimesh
from scipy import sparse
from scipy.spatial import cKDTree

from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model import load_model
from facewright.engine.face_model.gaze import sphere_centre
from facewright.engine.face_model.pieces import pieces
from facewright.engine.geometry.laplacian import edges_of
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.geometry.rigid import rigid_motion
from facewright.engine.shape_keys.carry import carry_offsets

BODY = ('skin', 'mouth_socket', 'eye_socket_L', 'eye_socket_R')
SHAPES = (
    'jawOpen',
    'mouthClose',
    'eyeBlink_L',
    'eyeBlink_R',
    'mouthSmile_L',
    'mouthFunnel',
    'eyeLookIn_L',
    'browInnerUp_L',
)


@pytest.fixture(scope='module')
def model():
    return load_model('builtin')


@pytest.fixture(scope='module')
def piece(model):
    return pieces(model)


def some(model):
    """(names, n×V×3 offsets) of SHAPES."""
    return SHAPES, model.expressions[[model.names.index(n) for n in SHAPES]]


def person(model, seed):
    return model.shape(
        0.7 * np.random.default_rng(seed).standard_normal(len(model.identities))
    ).astype(np.float64)


def cut(model, rows, seed):
    """Another mesh of the surface of some of the model's vertices: (M×V weights that make its
    vertices and carry them, its triangles).

    Faces cut the other way, each triangle in four, each vertex slid a random way along a random
    edge.
    """
    member = np.zeros(model.vertex_count, bool)
    member[rows] = True
    quads = model.faces[(model.faces[:, 3] >= 0) & member[model.faces].all(1)]
    triangles = np.concatenate(
        [
            quads[:, [0, 1, 3]],
            quads[:, [1, 2, 3]],
            model.faces[(model.faces[:, 3] < 0) & member[model.faces[:, :3]].all(1), :3],
        ]
    )
    edges, n = edges_of(triangles), model.vertex_count
    of = {tuple(e): n + i for i, e in enumerate(edges.tolist())}
    middle = np.array(
        [[of[tuple(sorted((t[k], t[(k + 1) % 3])))] for k in range(3)] for t in triangles.tolist()]
    )
    four = np.concatenate(
        [np.stack([triangles[:, k], middle[:, k], middle[:, k - 1]], 1) for k in range(3)]
        + [middle]
    )
    weights = sparse.vstack(
        [
            sparse.identity(n),
            sparse.csr_matrix(
                (
                    np.full(2 * len(edges), 0.5),
                    (np.repeat(np.arange(len(edges)), 2), edges.ravel()),
                ),
                (len(edges), n),
            ),
        ]
    ).tocsr()
    rng = np.random.default_rng(seed)
    ways = edges_of(four)
    chosen = ways[rng.permutation(len(ways))]
    to = np.arange(weights.shape[0])
    to[chosen[:, 0]] = chosen[:, 1]
    slide = sparse.diags(0.3 * rng.random(weights.shape[0]))
    weights = (weights + slide @ (weights[to] - weights)).tocsr()
    used, four = np.unique(four, return_inverse=True)
    return weights[used], four.reshape(-1, 3)


def with_parts(*parts):
    """(vertices, triangles) of several meshes as one."""
    start = np.cumsum([0] + [len(v) for v, _ in parts])
    return np.concatenate([v for v, _ in parts]), np.concatenate(
        [t + s for (_, t), s in zip(parts, start)]
    )


def own_part(model, rows):
    onto = np.full(model.vertex_count, -1)
    onto[rows] = np.arange(len(rows))
    triangles = onto[triangulate(model.faces)]
    return triangles[(triangles >= 0).all(1)]


def apply(weights, offsets):
    return np.stack([weights @ o for o in offsets])


def test_the_same_topology_returns_the_offsets(model):
    _, offsets = some(model)
    for head in (model.neutral, person(model, 0)):
        assert (
            np.abs(
                carry_offsets(model, head, offsets, head, triangulate(model.faces)) - offsets
            ).max()
            < 1e-4
        )


def test_the_same_skin_with_a_wrap_that_is_a_little_off(model, piece):
    """No vertex of the mesh lies on the wrapped head: bound by distance, normal and side."""
    _, offsets = some(model)
    head = person(model, 1)
    rows = np.unique(np.concatenate([piece[k] for k in BODY]))
    mesh = head[rows] + 0.02 * np.sin(3 * head[rows][:, [1, 2, 0]])
    error = np.linalg.norm(
        carry_offsets(model, head, offsets, mesh, own_part(model, rows)) - offsets[:, rows], axis=2
    )
    assert error.mean() < 0.005 and np.percentile(error.max(0), 99) < 0.1


@pytest.mark.parametrize('seed', [2, 3])
def test_another_topology_gives_what_interpolation_gives(model, piece, seed):
    _, offsets = some(model)
    head = person(model, seed)
    weights, triangles = cut(model, np.unique(np.concatenate([piece[k] for k in BODY])), seed)
    truth = apply(weights, offsets)
    error = np.linalg.norm(
        carry_offsets(model, head, offsets, weights @ head, triangles) - truth, axis=2
    )
    assert error.mean() < 0.003 and np.percentile(error.max(0), 99) < 0.05
    skin = np.asarray(weights[:, piece['skin']].sum(1)).ravel() > 0.999
    assert error[:, skin].max() < 0.5


def test_lips_do_not_stick_together(model, piece):
    """On a copy that lies .3 mm lower, so that its upper lip is near the model's lower one, both
    still go their own way."""
    names, offsets = some(model)
    head = person(model, 4)
    weights, triangles = cut(model, np.unique(np.concatenate([piece[k] for k in BODY])), 4)
    truth, shift = apply(weights, offsets), np.array([0, -0.03, 0])
    got = carry_offsets(model, head, offsets, weights @ head + shift, triangles)
    jaw = names.index('jawOpen')
    for lip in ('upper_lip', 'lower_lip'):
        rows = np.asarray(weights[:, piece[lip]].sum(1)).ravel() > 0.999
        error = np.linalg.norm(got[jaw, rows] - truth[jaw, rows], axis=1)
        assert error.mean() < 0.04 and np.percentile(error, 98) < 0.35
    edges = edges_of(triangles)
    rest = np.maximum(
        np.linalg.norm((weights @ head)[edges[:, 0]] - (weights @ head)[edges[:, 1]], axis=1), 0.02
    )

    def stretch(moved):
        return np.linalg.norm(moved[edges[:, 0]] - moved[edges[:, 1]], axis=1) / rest

    assert stretch(got[jaw]).max() < 2.5 * stretch(truth[jaw]).max()


def test_separate_eyes_turn_about_their_own_centre(model, piece):
    names, offsets = some(model)
    head = model.neutral.astype(np.float64)
    rows = np.unique(np.concatenate([piece[k] for k in BODY]))
    eye = trimesh.creation.uv_sphere(0.95, count=(16, 16))
    centre = sphere_centre(head[piece['eyeball_L']]) + (0.05, -0.04, 0.03)
    vertices, triangles = with_parts(
        (head[rows], own_part(model, rows)), (eye.vertices + centre, eye.faces)
    )
    got = carry_offsets(model, head, offsets, vertices, triangles)[:, len(rows) :]
    look = names.index('eyeLookIn_L')
    before, after = eye.vertices, eye.vertices + got[look]
    turn, _, _ = rigid_motion(
        head[piece['eyeball_L']], head[piece['eyeball_L']] + offsets[look, piece['eyeball_L']]
    )
    assert np.abs(turn - np.eye(3)).max() > 0.3 and np.abs(after - before @ turn.T).max() < 0.03
    assert (
        np.abs(
            np.linalg.norm(after - after.mean(0), axis=1)
            - np.linalg.norm(before - before.mean(0), axis=1)
        ).max()
        < 1e-4
    )
    assert np.abs(got[names.index('mouthSmile_L')]).max() < 0.02


def test_teeth_go_with_skull_and_jaw(model, piece):
    names, offsets = some(model)
    head = person(model, 6)
    rows = np.unique(np.concatenate([piece[k] for k in BODY]))
    parts = [(head[rows], own_part(model, rows))]
    for name in ('upper_teeth', 'lower_teeth'):
        parts.append((head[piece[name]] * 0.99 + (0, 0.03, 0.05), own_part(model, piece[name])))
    vertices, triangles = with_parts(*parts)
    got = carry_offsets(model, head, offsets, vertices, triangles)[names.index('jawOpen')]
    first, second = len(rows), len(rows) + len(piece['upper_teeth'])
    wanted = model.expressions[model.names.index('jawOpen')]
    assert np.abs(got[first:second] - wanted[piece['upper_teeth']]).max() < 0.02
    assert np.abs(got[second:] - wanted[piece['lower_teeth']]).max() < 0.1


def test_loose_parts_follow_what_they_sit_on_and_far_ones_stay(model, piece):
    names, offsets = some(model)
    head = model.neutral.astype(np.float64)
    rows = np.unique(np.concatenate([piece[k] for k in BODY]))
    mark = piece['skin'][
        np.argmax(
            np.linalg.norm(
                model.expressions[model.names.index('mouthSmile_L')][piece['skin']], axis=1
            )
        )
    ]
    freckle = trimesh.creation.icosphere(1, 0.1)
    hat = trimesh.creation.icosphere(1, 3.0)
    vertices, triangles = with_parts(
        (head[rows], own_part(model, rows)),
        (freckle.vertices + head[mark] + (0, 0, 0.05), freckle.faces),
        (hat.vertices + (0, 40, 0), hat.faces),
    )
    got = carry_offsets(model, head, offsets, vertices, triangles)
    smile = names.index('mouthSmile_L')
    sits = got[smile, len(rows) : len(rows) + len(freckle.vertices)]
    assert np.linalg.norm(sits.mean(0) - offsets[smile, mark]) < 0.15 * np.linalg.norm(
        offsets[smile, mark]
    )
    assert (got[:, -len(hat.vertices) :] == 0).all()


def glasses(head: np.ndarray, piece: dict) -> tuple[np.ndarray, np.ndarray]:
    """Two rims and a bridge that is no part of them, resting on the nose.

    The rims' lower ends come near the cheeks.
    """
    rims, skin = [], head[piece['skin']]
    eyes = [head[piece[f'upper_lid_{side}']].mean(0) for side in 'LR']
    front = skin[np.abs(skin[:, 0]) < 0.4]
    nose = front[np.argmin(np.abs(front[:, 1] - eyes[0][1] + 0.5) - 0.1 * front[:, 2])]
    for side, eye in zip((1, -1), eyes):
        ring = trimesh.creation.torus(2.9, 0.15, major_sections=24, minor_sections=8)
        rims.append((ring.vertices + (side * 3.3, eye[1] - 1, nose[2] + 0.3), ring.faces))
    bridge = trimesh.creation.box((1.2, 0.3, 0.3))
    return with_parts(*rims, (bridge.vertices + (0, eyes[0][1] - 0.9, nose[2] + 0.2), bridge.faces))


@pytest.mark.parametrize('as_objects', [False, True])
def test_glasses_stay_rigid(model, piece, as_objects):
    """One rigid motion in every shape, bridge and rims together, whether they are objects or in
    the mesh."""
    names = model.names
    head = model.neutral.astype(np.float64)
    rows = np.unique(np.concatenate([piece[k] for k in BODY]))
    worn, faces = glasses(head, piece)
    vertices, triangles = with_parts((head[rows], own_part(model, rows)), (worn, faces))
    part = np.r_[np.zeros(len(rows), int), np.ones(len(worn), int)] if as_objects else None
    got = carry_offsets(model, head, model.expressions, vertices, triangles, part)[:, len(rows) :]
    rotation, translation, _ = rigid_motion(worn, worn + got)
    bent = np.einsum('eij,nj->eni', rotation, worn) + translation[:, None] - worn - got
    assert np.abs(bent).max() < 1e-4
    largest = dict(zip(names, np.linalg.norm(got, axis=2).max(1)))
    assert max(largest.values()) < 1.0 and largest['jawOpen'] < 0.3


def test_a_beard_is_not_stiff(model, piece):
    """A wide shell just over the chin goes with the jaw as the skin does."""
    names, offsets = some(model)
    head = model.neutral.astype(np.float64)
    rows = np.unique(np.concatenate([piece[k] for k in BODY]))
    chin = piece['skin'][
        (head[piece['skin'], 1] < head[model.landmarks68[57], 1] - 0.5)
        & (head[piece['skin'], 2] > 4)
    ]
    cover = own_part(model, chin)
    vertices, triangles = with_parts(
        (head[rows], own_part(model, rows)), (head[chin] + (0, 0, 0.3), cover)
    )
    got = carry_offsets(model, head, offsets, vertices, triangles)[
        names.index('jawOpen'), len(rows) :
    ]
    assert np.linalg.norm(got - offsets[names.index('jawOpen'), chin], axis=1).mean() < 0.2


def test_a_lining_cut_off_from_the_lips_stays_in_proportion(model, piece):
    """The inside of the mouth as two coarse shells by themselves.

    No shape moves them further than it moves the model.
    """
    head = model.neutral.astype(np.float64)
    body = np.unique(np.concatenate([piece[k] for k in ('skin', 'eye_socket_L', 'eye_socket_R')]))
    shells = []
    for side in (1, -1):
        half = piece['mouth_socket'][side * head[piece['mouth_socket'], 0] > 0.3]
        shells.append((head[half] * (0.9, 0.9, 0.97), own_part(model, half)))
    vertices, triangles = with_parts((head[body], own_part(model, body)), *shells)
    got = carry_offsets(model, head, model.expressions, vertices, triangles)[:, len(body) :]
    most = np.linalg.norm(model.expressions, axis=2).max(1)
    assert (np.linalg.norm(got, axis=2).max(1) <= 1.1 * most + 0.05).all()


def test_parts_of_a_set_are_kept_apart(model, piece):
    """Two objects whose triangles share a vertex number never count as one."""
    _, offsets = some(model)
    head = model.neutral.astype(np.float64)
    rows = np.unique(np.concatenate([piece[k] for k in BODY]))
    part = np.zeros(model.vertex_count, int)
    part[np.setdiff1d(np.arange(model.vertex_count), rows)] = 1
    got = carry_offsets(model, head, offsets, head, triangulate(model.faces), part)
    assert np.abs(got - offsets).max() < 1e-4


def test_horns_and_a_bag_of_ones_own_stay_smooth(model, piece):
    """A mesh with a spike where the model has none: the spike goes with its foot, nothing tears."""
    names, offsets = some(model)
    head = person(model, 7)
    weights, triangles = cut(model, np.unique(np.concatenate([piece[k] for k in BODY])), 7)
    vertices = weights @ head
    foot = head[model.landmarks68[19]] + (0, 0.8, 0)
    near = np.exp(-((vertices - foot) ** 2).sum(1) / 0.3)
    skin = np.asarray(weights[:, piece['skin']].sum(1)).ravel() > 0.999
    spiked = vertices + np.where(skin, near, 0)[:, None] * np.array([0, 1.5, 2.0])
    got = carry_offsets(model, head, offsets, spiked, triangles)
    truth = apply(weights, offsets)
    brow = names.index('browInnerUp_L')
    high = near > 0.5
    assert np.abs(got[brow, high] - truth[brow, high]).max() < 0.35
    assert np.isfinite(got).all() and np.abs(got).max() < 1.5 * np.abs(truth).max()


def test_bad_faces_do_no_harm(model, piece):
    """Faces without area, twice, turned over, three to an edge; vertices in no face."""
    _, offsets = some(model)
    head = person(model, 9)
    weights, triangles = cut(model, np.unique(np.concatenate([piece[k] for k in BODY])), 9)
    vertices, truth, rng = weights @ head, apply(weights, offsets), np.random.default_rng(0)
    bad = triangles[rng.integers(len(triangles), size=(4, 40))]
    bad[0, :, 1] = bad[0, :, 0]
    bad[1] = bad[1][:, ::-1]
    near = cKDTree(vertices).query(vertices[bad[2]].mean(1), 8)[1]
    bad[2, :, 2] = [next(n for n in row if n not in face) for row, face in zip(near, bad[2])]
    bad[2] = bad[2, :1]
    lone = vertices[::500] + 0.01
    got = carry_offsets(
        model, head, offsets, np.concatenate([vertices, lone]), np.concatenate([triangles, *bad])
    )
    error = np.linalg.norm(got[:, : len(vertices)] - truth, axis=2)
    assert np.isfinite(got).all() and error.mean() < 0.01 and np.percentile(error.max(0), 98) < 0.2


def test_what_cannot_work_says_so(model, piece):
    _, offsets = some(model)
    rows = piece['skin']
    mesh = model.neutral[rows].astype(np.float64), own_part(model, rows)
    with pytest.raises(FacewrightError, match='None of the mesh'):
        carry_offsets(model, model.neutral, offsets, mesh[0] + (100, 0, 0), mesh[1])
    with pytest.raises(FacewrightError, match='not finite'):
        carry_offsets(model, model.neutral, offsets, mesh[0] * np.nan, mesh[1])
    with pytest.raises(FacewrightError, match='wrap this model'):
        carry_offsets(model, model.neutral[:-1], offsets, *mesh)


def test_ict(shared_data):
    model = load_model(str(shared_data / 'ict-facekit.tar.xz'))
    _names, offsets = some(model)
    head = person(model, 8)
    assert (
        np.abs(carry_offsets(model, head, offsets, head, triangulate(model.faces)) - offsets).max()
        < 1e-4
    )
    parts = pieces(model)
    rows = np.unique(np.concatenate([parts[k] for k in BODY]))
    mesh = head[rows] + 0.02 * np.sin(3 * head[rows][:, [1, 2, 0]])
    error = np.linalg.norm(
        carry_offsets(model, head, offsets, mesh, own_part(model, rows)) - offsets[:, rows], axis=2
    )
    assert error.mean() < 0.005 and np.percentile(error.max(0), 99) < 0.1
