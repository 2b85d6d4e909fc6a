"""Part IoU: eq. 13 by hand, the picture of the parts, the measure over a small capture."""

import json

import films
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facewright.engine.annotate.parts import model_part_shares, model_parts
from facewright.engine.core.errors import FacewrightError
from facewright.engine.core.files import write_npz
from facewright.engine.face_model import load_model
from facewright.engine.face_model.part_labels import (
    LEFT_EYE,
    LOWER_LIP,
    NOSE,
    PARTS,
    RIGHT_EYE,
    UPPER_LIP,
)
from facewright.engine.render.preview import HEAD_TO_CAMERA, head_to_camera
from facewright.engine.texture.part_iou import measure, part_iou, part_labels_picture, table

WIDTH, HEIGHT, FOCAL = 120, 160, 300.0
labels = arrays(np.uint8, (6, 7), elements=st.integers(0, 8))


@given(labels, labels)
def test_is_intersection_over_union(a, b):
    got = part_iou(a, b)
    for k in range(1, 9):
        both, either = ((a == k) & (b == k)).sum(), ((a == k) | (b == k)).sum()
        assert np.isnan(got[k - 1]) if not (b == k).any() else got[k - 1] == both / either


@given(labels)
def test_the_same_is_one(a):
    got = part_iou(a, a)
    assert (got[~np.isnan(got)] == 1).all() and np.isnan(got).sum() == 8 - len(
        set(np.unique(a)) - {0}
    )


def test_shapes_must_agree():
    with pytest.raises(ValueError):
        part_iou(np.zeros((4, 5), np.uint8), np.zeros((5, 4), np.uint8))


@pytest.fixture(scope='module')
def model():
    return load_model('builtin')


def picture(model, parts, yaw=0.0, **weights):
    head = model.shape(None, [weights.get(n, 0.0) for n in model.names])
    return part_labels_picture(
        model,
        parts,
        head_to_camera(head.astype(np.float64), yaw),
        700.0,
        (100.0, 110.0),
        (200, 220),
    )


def test_picture_shows_what_is_seen(model):
    shares = model_part_shares(model)
    front, side = picture(model, shares), picture(model, shares, 90)
    assert set(np.unique(front)) == set(range(9))
    assert not (side == RIGHT_EYE).any() or not (side == LEFT_EYE).any()
    opened = picture(model, shares, jawOpen=0.8)
    ys = [np.argwhere(opened == k).mean(0) for k in (UPPER_LIP, LOWER_LIP)]
    between = np.mean(ys, 0).round().astype(int)
    assert opened[tuple(between)] == 0 and ys[0][0] < ys[1][0]
    assert (picture(model, shares, eyeBlink_L=1.0) == LEFT_EYE).sum() < 0.2 * (
        front == LEFT_EYE
    ).sum()


def test_labels_and_shares_nearly_agree(model):
    a, b = picture(model, model_part_shares(model)), picture(model, model_parts(model))
    assert np.nanmin(part_iou(a, b)) > 0.75


def test_nothing_in_view_is_nothing(model):
    assert not part_labels_picture(
        model,
        model_parts(model),
        head_to_camera(model.neutral.astype(float)) + (500, 0, 0),
        700.0,
        (50.0, 50.0),
        (100, 100),
    ).any()


def at(values, time, when):
    """The row of `values` at `when`, linear between the times."""
    columns = values.reshape(len(time), -1).T
    return np.stack([np.interp(when, time, column) for column in columns]).reshape(values.shape[1:])


@pytest.fixture()
def capture(model, tmp_path):
    """Two views of a head that turns and opens its mouth; its true parts, the perfect result."""
    time = np.linspace(0, 0.4, 5)
    weights = np.zeros((5, len(model.names)))
    weights[:, model.names.index('jawOpen')] = np.linspace(0, 0.8, 5)
    angle = np.radians(np.linspace(-10, 10, 5))

    def turn(a):
        return np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])

    rotation = np.stack([turn(a) for a in angle])
    translation = np.linspace((0, 0, 0), (1, 0.5, 0), 5)
    cameras, truth, shares = [], {}, model_part_shares(model)
    for name, t, stamps in (('a', (0, 0, 55), [0.0, 0.1, 0.4]), ('b', (2, 0, 60), [0.05, 0.25])):
        films.write_video(
            tmp_path / f'{name}.mp4', [films.picture(0, (WIDTH, HEIGHT))] * len(stamps)
        )
        cameras.append(
            {
                'name': name,
                'video': f'{name}.mp4',
                'fps': 10,
                'width': WIDTH,
                'height': HEIGHT,
                'K': [[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]],
                'R': HEAD_TO_CAMERA.tolist(),
                't': list(t),
                'time': stamps,
            }
        )
        frames = []
        for when in stamps:
            w, t_head = (at(values, time, when) for values in (weights, translation))
            world = model.shape(None, w) @ turn(np.interp(when, time, angle)).T + t_head
            frames.append(
                part_labels_picture(
                    model,
                    shares,
                    world @ HEAD_TO_CAMERA.T + t,
                    FOCAL,
                    (WIDTH / 2, HEIGHT / 2),
                    (WIDTH, HEIGHT),
                )
            )
        truth[name] = np.stack(frames)
    (tmp_path / 'capture.json').write_text(json.dumps({'units': 'cm', 'cameras': cameras}))
    write_npz(tmp_path / 'parts.npz', **truth)
    result = tmp_path / 'result'
    result.mkdir()
    names = np.array(model.names)
    write_npz(
        result / 'rig.npz',
        neutral=model.neutral,
        expressions=model.expressions,
        names=names,
        faces=model.faces,
    )
    write_npz(
        result / 'performance.npz',
        time=time,
        weights=weights[:, ::-1],
        names=names[::-1],
        rotation=rotation,
        translation=translation,
        fps=np.float64(30),
    )
    return tmp_path


def test_the_perfect_result_scores_one(model, capture):
    rows = measure(capture, {'truth': capture / 'result'}, model)
    assert [(r.view, r.frames, r.missing) for r in rows] == [('a', 3, 0), ('b', 2, 0)]
    assert all(np.nanmin(r.iou) > 0.99 for r in rows) and rows[0].mean > 0.99
    text = table(rows)
    assert text.count('\n') == 5 and '| truth | all |' in text and '100.0' in text


def test_worse_results_score_less_and_missing_frames_nothing(model, capture):
    play = dict(np.load(capture / 'result' / 'performance.npz'))
    shifted = capture / 'shifted'
    shifted.mkdir()
    (shifted / 'rig.npz').write_bytes((capture / 'result' / 'rig.npz').read_bytes())
    write_npz(
        shifted / 'performance.npz', **{**play, 'translation': play['translation'] + (0.5, 0, 0)}
    )
    (row,) = measure(capture, {'shifted': shifted}, model, ('b',))
    assert row.mean < 0.9
    write_npz(
        shifted / 'performance.npz',
        **{k: v if k in ('names', 'fps') else v[:3] for k, v in play.items()},
    )
    row, _ = measure(capture, {'short': shifted}, model)
    assert (
        row.missing == 1 and abs(row.iou[NOSE - 1] - 2 / 3) < 0.01 and '(1 missing)' in table([row])
    )


def test_the_motion_between_pictures_is_played_where_there_is_one(model, capture):
    play = dict(np.load(capture / 'result' / 'performance.npz'))
    write_npz(
        capture / 'result' / 'performance.npz',
        **{**play, 'translation': play['translation'] + (0.5, 0, 0)},
    )
    write_npz(capture / 'result' / 'motion.npz', **play)
    assert all(row.mean > 0.99 for row in measure(capture, {'result': capture / 'result'}, model))


def test_wrong_input_is_told(model, capture, tmp_path):
    with pytest.raises(FacewrightError, match=r'rig\.npz'):
        measure(capture, {'none': capture / 'nowhere'}, model)
    rig = dict(np.load(capture / 'result' / 'rig.npz'))
    write_npz(
        capture / 'result' / 'rig.npz',
        **{
            **rig,
            'neutral': rig['neutral'][:100],
            'expressions': rig['expressions'][:, :100],
            'faces': rig['faces'][:0],
        },
    )
    with pytest.raises(FacewrightError, match='100 vertices'):
        measure(capture, {'other': capture / 'result'}, model)
    truth = dict(np.load(capture / 'parts.npz'))
    for broken, message in (
        ({'a': truth['a']}, 'view b'),
        ({**truth, 'b': truth['b'][:, :-1]}, 'expected labels'),
        ({**truth, 'b': truth['b'] + 9}, 'expected labels'),
    ):
        write_npz(capture / 'parts.npz', **broken)
        with pytest.raises(FacewrightError, match=message):
            measure(capture, {}, model)
    (capture / 'parts.npz').unlink()
    with pytest.raises(FacewrightError, match=r'parts\.npz'):
        measure(capture, {}, model)


def test_every_part_has_a_column():
    assert len(table([]).splitlines()[0].split('|')) == len(PARTS) + 5
