"""The built-in head: its mesh, its expressions, its identities."""

from __future__ import annotations

import numpy as np
import pytest

from facewright.engine.face_model.builtin import build
from facewright.engine.face_model.builtin.assemble import assemble
from facewright.engine.face_model.builtin.cage import EYE_CENTRE_L, EYE_RADIUS
from facewright.engine.face_model.builtin.identities import mode_names
from facewright.engine.face_model.expressions import EXPRESSION_NAMES, ICT_NAMES
from facewright.engine.face_model.regions import REGION_NAMES
from facewright.engine.geometry.polygons import triangulate

FILLED = (
    'narrow_face',
    'face',
    'head_neck',
    'mouth_socket',
    'eye_socket_L',
    'eye_socket_R',
    'gums_tongue',
    'teeth',
    'eyeball_L',
    'eyeball_R',
    'eyelashes_L',
    'eyelashes_R',
)


@pytest.fixture(scope='module')
def model():
    return build()


@pytest.fixture(scope='module')
def head():
    return assemble()


def offsets(model, name):
    return model.expressions[ICT_NAMES.index(name)].astype(float)


def mark(model, k):
    return int(model.landmarks68[k])


def edge_uses(faces):
    """{(a, b)}: how often each directed edge is used."""
    uses = {}
    for face in faces:
        corners = [int(v) for v in face if v >= 0]
        for a, b in zip(corners, corners[1:] + corners[:1]):
            uses[a, b] = uses.get((a, b), 0) + 1
    return uses


def triangle_normals(points, triangles):
    p = points[triangles]
    return np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])


def test_size_and_quads(model):
    assert 5000 <= model.vertex_count <= 14000
    assert (model.faces[:, 3] >= 0).mean() >= 0.95
    low, high = model.neutral.min(0), model.neutral.max(0)
    assert -10 < low[0] < -7 and 7 < high[0] < 10 and 13 < high[1] < 16 and 12 < high[2] < 14.5


def test_skin_is_one_surface_open_at_the_neck_only(head):
    skin = head.faces[np.isin(head.faces[:, 0], head.pieces['skin'])]
    uses = edge_uses(skin)
    assert max(uses.values()) == 1  # oriented, manifold
    rim = {a: b for a, b in uses if (b, a) not in uses}
    start = next(iter(rim))
    seen, v = [start], rim[start]
    while v != start:
        seen.append(v)
        v = rim[v]
    assert len(seen) == len(rim)  # one loop
    assert head.vertices[seen][:, 1].max() < -14
    reached, queue = {start}, [start]
    beside = {}
    for a, b in uses:
        beside.setdefault(a, []).append(b)
        beside.setdefault(b, []).append(a)
    while queue:
        for w in beside[queue.pop()]:
            if w not in reached:
                reached.add(w)
                queue.append(w)
    assert len(reached) == len(np.unique(skin[skin >= 0]))  # one piece


def test_faces_look_outwards(model):
    triangles = triangulate(model.faces)
    points = model.neutral.astype(float)
    normal = triangle_normals(points, triangles)
    assert np.linalg.norm(normal, axis=1).min() > 1e-5
    face = np.isin(triangles, model.regions['head_neck']).all(1)
    outward = points[triangles[face]].mean(1) - [0, 2, 1]
    ears = np.abs(points[triangles[face]].mean(1)[:, 0]) > 6.8
    assert ((normal[face] * outward).sum(1)[~ears] > 0).mean() > 0.999
    for side in 'LR':
        ball = np.isin(triangles, model.regions['eyeball_' + side]).all(1)
        centre = points[model.regions['eyeball_' + side]].mean(0)
        assert ((normal[ball] * (points[triangles[ball]].mean(1) - centre)).sum(1) > 0).all()


def test_mirror_is_exact(model):
    mirror = model.extra['mirror']
    assert (mirror[mirror] == np.arange(model.vertex_count)).all()
    flip = np.array([-1, 1, 1], np.float32)
    np.testing.assert_allclose(model.neutral[mirror] * flip, model.neutral, atol=1e-6)
    for k, name in enumerate(ICT_NAMES):
        other = (
            name[:-2] + {'_L': '_R', '_R': '_L'}[name[-2:]]
            if name[-2:] in ('_L', '_R')
            else name.replace('Left', '#').replace('Right', 'Left').replace('#', 'Right')
        )
        np.testing.assert_allclose(
            model.expressions[k][mirror] * flip, offsets(model, other), atol=2e-6, err_msg=name
        )
    for mode in model.identities:
        np.testing.assert_allclose(mode[mirror] * flip, mode, atol=2e-6)
    for a, b in (('eyeball_L', 'eyeball_R'), ('eye_socket_L', 'eye_socket_R')):
        assert set(mirror[model.regions[a]]) == set(model.regions[b])


def test_regions(model):
    assert tuple(model.regions) == REGION_NAMES
    for name in FILLED:
        assert len(model.regions[name]) > 100, name
    disjoint = [model.regions[n] for n in FILLED if n != 'narrow_face']
    assert np.array_equal(np.sort(np.concatenate(disjoint)), np.arange(model.vertex_count))
    assert set(model.regions['narrow_face']) < set(model.regions['face'])
    assert np.array_equal(
        model.regions['face'], np.arange(len(model.regions['face']))
    )  # skin of the face comes first


def test_landmarks(model):
    p = model.neutral[model.landmarks68]
    assert (
        len(set(model.landmarks68.tolist())) == 68
        and np.isin(model.landmarks68, model.regions['face']).all()
    )
    swap = (
        list(range(16, -1, -1))
        + list(range(26, 16, -1))
        + [27, 28, 29, 30, 35, 34, 33, 32, 31]
        + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
        + [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
    )
    np.testing.assert_allclose(p[swap] * [-1, 1, 1], p, atol=1e-4)
    assert (np.diff(p[:17, 0]) > 0).all() and p[8, 1] == p[:17, 1].min()
    assert p[42:48, 0].min() > 1 and p[43:45, 1].min() > p[46:48, 1].max()
    assert (p[17:27, 1] > p[36:48, 1].max()).all() and p[30, 2] > p[:, 2].max() - 0.4
    assert (p[49:54, 1] > p[[59, 58, 57, 56, 55], 1]).all() and (
        p[61:64, 1] >= p[[67, 66, 65], 1]
    ).all()


def test_landmarks_agree_with_ict(model, shared_data):
    """Same order and, within the two heads' difference, the same places as ICT-FaceKit's."""
    from facewright.engine.face_model.ict import read_ict

    ict = read_ict(shared_data / 'ict-facekit.tar.xz', lambda f: None)
    distance = np.linalg.norm(
        ict.neutral[ict.landmarks68] - model.neutral[model.landmarks68], axis=1
    )
    assert distance.mean() < 0.7 and distance.max() < 1.6


def test_every_expression_moves_something_and_only_there(model):
    size = np.linalg.norm(model.expressions, axis=2)
    assert model.expressions.shape == (len(EXPRESSION_NAMES), model.vertex_count, 3)
    assert (size.max(1) > 0.15).all() and (size.max(1) < 5).all()
    eyes = [k for k, n in enumerate(ICT_NAMES) if n.startswith(('eye', 'brow'))]
    lips = [mark(model, k) for k in range(48, 68)]
    assert size[eyes][:, lips].max() < 0.01
    back = model.neutral[:, 2] < -3
    assert size[:, back].max() < 0.02


@pytest.mark.parametrize(
    'name, landmark, direction',
    [
        ('jawOpen', 8, (0, -2, -1)),
        ('jawForward', 8, (0, 0, 0.7)),
        ('jawLeft', 8, (0.6, 0, 0)),
        ('jawRight', 8, (-0.6, 0, 0)),
        ('mouthSmile_L', 54, (0.4, 0.6, -0.3)),
        ('mouthSmile_R', 48, (-0.4, 0.6, -0.3)),
        ('mouthFrown_L', 54, (0, -0.4, 0)),
        ('mouthDimple_L', 54, (0.1, 0, -0.3)),
        ('mouthStretch_L', 54, (0.5, -0.1, -0.3)),
        ('mouthPucker', 54, (-0.5, 0, 0.2)),
        ('mouthPucker', 51, (0, 0, 0.5)),
        ('mouthFunnel', 54, (-0.3, 0, 0.2)),
        ('mouthFunnel', 57, (0, -0.1, 0.3)),
        ('mouthLeft', 51, (0.8, 0, 0)),
        ('mouthRight', 51, (-0.8, 0, 0)),
        ('mouthUpperUp_L', 52, (0, 0.3, 0)),
        ('mouthLowerDown_L', 56, (0, -0.3, 0)),
        ('mouthShrugLower', 57, (0, 0.4, 0.1)),
        ('mouthShrugUpper', 51, (0, 0.3, 0)),
        ('mouthRollLower', 57, (0, 0.2, -0.2)),
        ('mouthRollUpper', 51, (0, -0.2, -0.2)),
        ('noseSneer_L', 35, (0, 0.25, 0)),
        ('browDown_L', 24, (-0.1, -0.2, 0)),
        ('browInnerUp_L', 22, (0, 0.4, 0)),
        ('browOuterUp_L', 25, (0, 0.5, 0)),
        ('eyeWide_L', 43, (0, 0.12, 0)),
        ('eyeBlink_L', 43, (0, -0.5, 0)),
        ('eyeSquint_L', 46, (0, 0.1, 0)),
    ],
)
def test_direction(model, name, landmark, direction):
    """A landmark goes at least so far each way that is given; its mirror image stays, the shape
    being one-sided."""
    moved = offsets(model, name)[mark(model, landmark)]
    for value, least in zip(moved, direction):
        assert value * np.sign(least) >= abs(least), (name, moved)
    if name.endswith('_L'):
        other = {54: 48, 24: 19, 22: 21, 25: 18, 43: 38, 46: 41, 35: 31, 52: 50, 56: 58}[landmark]
        assert np.linalg.norm(offsets(model, name)[mark(model, other)]) < 0.45 * np.linalg.norm(
            moved
        )


def test_blink_closes_the_left_eye(model, head):
    offset = offsets(model, 'eyeBlink_L')
    points = model.neutral + offset
    loop = head.loops['lid_L']
    upper = offset[loop, 1] < 0
    gap = np.linalg.norm(points[loop[upper]][:, None] - points[loop[~upper]][None], axis=2).min(1)
    assert gap.max() < 0.1
    assert np.abs(model.neutral[mark(model, 43), 1] - model.neutral[mark(model, 47), 1]) > 0.6
    assert (
        np.abs(offset[model.regions['eye_socket_R']]).max() == 0
        and np.abs(offset[head.loops['lid_R']]).max() == 0
    )


def test_gaze_turns_the_eyeball_about_its_centre(model):
    for name, sign in (
        ('eyeLookIn_L', (-1, 0)),
        ('eyeLookOut_L', (1, 0)),
        ('eyeLookUp_L', (0, 1)),
        ('eyeLookDown_L', (0, -1)),
    ):
        ball = model.regions['eyeball_L']
        before, after = (
            model.neutral[ball].astype(float),
            model.neutral[ball] + offsets(model, name)[ball],
        )
        np.testing.assert_allclose(
            np.linalg.norm(after - EYE_CENTRE_L, axis=1),
            np.linalg.norm(before - EYE_CENTRE_L, axis=1),
            atol=1e-4,
        )
        pole = before[:, 2].argmax()
        turn = after[pole, :2] - before[pole, :2]
        assert (
            turn @ sign > 0.5
            and np.abs(offsets(model, name)[model.regions['eyeball_R']]).max() == 0
        )


def test_lips_meet_when_an_open_jaw_is_told_to_close_the_mouth(model):
    lips = model.landmarks68

    def gap(v):
        return np.abs(v[lips[61:64], 1] - v[lips[[67, 66, 65]], 1]).max()

    both = model.neutral + offsets(model, 'jawOpen') + offsets(model, 'mouthClose')
    assert (
        gap(model.neutral) < 0.05
        and gap(model.neutral + offsets(model, 'jawOpen')) > 2
        and gap(both) < 0.1
    )
    assert (both - model.neutral)[lips[8], 1] < -2


def test_no_skin_in_the_eyeballs(model):
    for k, name in enumerate(('neutral',) + ICT_NAMES):
        points = model.neutral + (model.expressions[k - 1] if k else 0)
        for side, sign in (('L', 1), ('R', -1)):
            skin = np.concatenate([model.regions['face'], model.regions['eye_socket_' + side]])
            assert (
                np.linalg.norm(points[skin] - EYE_CENTRE_L * [sign, 1, 1], axis=1).min()
                > EYE_RADIUS - 0.02
            ), name


def test_few_faces_turn_over(model):
    """Single shapes turn over at most 0.5 % of all triangles against the neutral, all inside
    rolled or opened lips and closed lids; of a lip rolled in, twice that: its red faces the teeth.
    """
    triangles = triangulate(model.faces)
    before = triangle_normals(model.neutral.astype(float), triangles)
    outside = np.ones(model.vertex_count, bool)
    for eye in (1, -1):
        outside &= np.linalg.norm((model.neutral - EYE_CENTRE_L * [eye, 1, 1])[:, :2], axis=1) > 1.9
    outside &= np.linalg.norm((model.neutral - [0, -3.3, 10.5]) / [1.3, 1, 1], axis=1) > 2.2
    outside &= np.isin(
        np.arange(model.vertex_count),
        np.concatenate([model.regions['face'], model.regions['head_neck']]),
    )
    for name in ICT_NAMES:
        if name == 'mouthClose':  # meaningless alone
            continue
        after = triangle_normals(model.neutral + offsets(model, name), triangles)
        turned = (before * after).sum(1) <= 0
        assert turned.mean() < (0.0115 if 'Roll' in name else 0.005), (name, turned.sum())
        assert not (turned & outside[triangles].all(1)).any(), name


def test_identities(model):
    assert len(model.identities) >= 20 and len(mode_names()) == len(model.identities)
    size = np.linalg.norm(model.identities, axis=2)
    assert (size.max(1) > 0.04).all() and (size.max(1) < 1.5).all()
    edges = np.array(list(edge_uses(model.faces)))
    length = np.linalg.norm(model.neutral[edges[:, 0]] - model.neutral[edges[:, 1]], axis=1)
    for mode, name in zip(model.identities, mode_names()):
        stretch = np.linalg.norm(mode[edges[:, 0]] - mode[edges[:, 1]], axis=1) / np.maximum(
            length, 0.02
        )
        assert np.quantile(stretch, 0.999) < 0.6, name
    for side in 'LR':  # eyeballs stay rigid
        ball = model.identities[:, model.regions['eyeball_' + side]]
        np.testing.assert_allclose(ball, np.broadcast_to(ball[:, :1], ball.shape), atol=1e-5)
    flat = model.identities.reshape(len(model.identities), -1)
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    assert np.linalg.svd(flat, compute_uv=False).min() > 0.02  # no mode is a sum of others


def test_uvs_and_materials(model):
    assert model.uvs.min() >= 0 and model.uvs.max() <= 1
    assert ((model.face_uvs >= 0) == (model.faces >= 0)).all() and model.face_uvs.max() == len(
        model.uvs
    ) - 1
    corners = model.uvs[model.face_uvs[:, :3]]
    assert (np.ptp(corners, axis=1) < 0.2).all()  # no face runs across the picture
    used = {model.materials[k] for k in np.unique(model.face_materials)}
    assert (
        used == set(model.materials) and {'Face', 'Head', 'Gums', 'Teeth', 'Sclera', 'Iris'} <= used
    )


def test_build_is_deterministic(model):
    again = build()
    for key in (
        'neutral',
        'faces',
        'expressions',
        'identities',
        'uvs',
        'face_uvs',
        'landmarks68',
        'face_materials',
    ):
        assert np.array_equal(getattr(model, key), getattr(again, key)), key


def test_the_detector_sees_it(model, head):
    """MediaPipe finds its own 468 points on a picture of the head, close to their vertices."""
    from facewright.engine.face_model.paint import albedo
    from facewright.engine.footage.detector import detect_image
    from facewright.engine.render.preview import HEAD_CENTRE, render_head

    picture = render_head(
        model.neutral, model.faces, albedo(model), size=(480, 480), focal=1000, distance=60
    )
    found = detect_image(picture)
    assert found
    p = model.neutral[head.point] - HEAD_CENTRE
    seen = np.stack([p[:, 0], -p[:, 1]], 1) / (60 - p[:, 2:]) * 1000 + 240
    error = np.linalg.norm(found[0].landmarks[:468, :2] - seen, axis=1) / np.linalg.norm(
        seen[33] - seen[263]
    )
    assert np.median(error) < 0.03


def test_teeth_lie_behind_the_lips(model, head):
    """The upper incisors' faces 3 to 6 mm behind the closed lips, overbite and overjet 2 to 3 mm,
    arches as wide as people's."""
    lips = model.neutral[model.landmarks68[60:68]].astype(float)
    upper, lower = (
        model.neutral[head.pieces[f'teeth_{jaw}']].astype(float) for jaw in ('upper', 'lower')
    )
    middle = {
        name: teeth[np.abs(teeth[:, 0]) < 0.8]
        for name, teeth in (('upper', upper), ('lower', lower))
    }
    assert 0.3 < lips[2, 2] - middle['upper'][:, 2].max() < 0.6
    assert (
        0.15 < lips[2, 1] - middle['upper'][:, 1].min() < 0.4
    )  # their edges lie just below the lips' line
    assert 0.15 < middle['lower'][:, 1].max() - middle['upper'][:, 1].min() < 0.3  # overbite
    edge = (
        middle['upper'][:, 2].max()
        - middle['lower'][middle['lower'][:, 1] > middle['lower'][:, 1].max() - 0.1][:, 2].max()
    )
    assert 0.15 < edge < 0.4  # overjet
    assert 5.4 < np.ptp(upper[:, 0]) < 6.1 and 5.0 < np.ptp(lower[:, 0]) < 5.8
    tongue = model.neutral[head.pieces['tongue']]
    assert 0.3 < middle['lower'][:, 2].max() - tongue[:, 2].max() < 1.0
    assert np.abs(tongue[:, 0]).max() < np.abs(lower[:, 0]).max() - 0.9  # between the molars
    assert (
        tongue[tongue[:, 2] > 9.5][:, 1].max() < middle['lower'][:, 1].max()
    )  # the tip below the incisors' edges


def test_lashes_follow_their_lids(model, head):
    for side in 'LR':
        lashes = head.pieces['eyelashes_' + side]
        assert np.array_equal(np.sort(lashes), model.regions['eyelashes_' + side])
        root = head.lash_roots[side]
        arm = np.linalg.norm(model.neutral[lashes] - root @ model.neutral, axis=1)
        assert arm[::6].max() < 0.03 and 0.5 < arm.max() < 1.0
        for name in ('eyeBlink', 'eyeSquint', 'eyeWide', 'eyeLookDown', 'cheekSquint', 'browDown'):
            posed = model.neutral + offsets(model, f'{name}_{side}')
            assert (
                np.abs(np.linalg.norm(posed[lashes] - root @ posed, axis=1) - arm).max() < 1e-3
            ), name  # as long as before
        tips = lashes[4::6]
        above = tips[
            model.neutral[tips, 1] > model.neutral[mark(model, 39 if side == 'R' else 42), 1] + 0.6
        ]
        down = offsets(model, f'eyeBlink_{side}')[above]
        assert (
            len(above) > 8
            and down[:, 1].max() < -0.5
            and np.abs(offsets(model, 'jawOpen')[lashes]).max() < 0.01
        )


def test_crossings_of_single_shapes_are_few(model):
    """Before its one button is pressed; mouthClose with the open jaw it needs. It was 7,429."""
    from facewright.engine.shape_keys.crossings import Checker

    check = Checker(model)
    assert check.count(model.neutral).sum() == 0
    total = {}
    for name in ICT_NAMES:
        jaw = offsets(model, 'jawOpen') if name == 'mouthClose' else 0
        total[name] = int(check.count(model.neutral + offsets(model, name) + jaw).sum())
    assert sum(total.values()) <= 60 and max(total.values()) <= 20, {
        k: v for k, v in total.items() if v
    }
