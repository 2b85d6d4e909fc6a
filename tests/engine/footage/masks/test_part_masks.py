"""Part masks of a painted head whose parts are known, and the reader of the user's own."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.engine.annotate.parts import model_part_shares
from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model import load_model
from facewright.engine.face_model.paint import albedo, visible_faces
from facewright.engine.face_model.part_labels import (
    LEFT_BROW,
    LEFT_EYE,
    LOWER_LIP,
    NOSE,
    PARTS,
    RIGHT_EYE,
    SKIN,
    UPPER_LIP,
)
from facewright.engine.footage.detector import detect_image
from facewright.engine.footage.footage import Camera, View
from facewright.engine.footage.masks import cut_forehead, read_user_masks, segment_parts
from facewright.engine.footage.masks.user_masks import NUMBERINGS
from facewright.engine.render.preview import head_to_camera, render_camera
from facewright.engine.texture.part_iou import part_iou, part_labels_picture

SIZE, FOCAL = 400, 1000.0
SURE = np.ones(478)


@pytest.fixture(scope='module')
def look():
    """(weights by name, yaw) → picture, landmarks, true labels of the painted built-in head."""
    model = load_model('builtin')
    faces, colours, shares, seen = (
        model.faces[visible_faces(model)],
        albedo(model),
        model_part_shares(model),
        {},
    )

    def made(yaw=0.0, **weights):
        key = yaw, *weights.items()
        if key not in seen:
            head = model.shape(None, [weights.get(name, 0.0) for name in model.names])
            camera = head_to_camera(
                head.astype(np.float64), yaw, look_at=model.neutral[model.landmarks68].mean(0)
            )
            at = FOCAL, (SIZE / 2, SIZE / 2), (SIZE, SIZE)
            picture = render_camera(camera, faces, colours, *at)
            seen[key] = (
                picture,
                detect_image(picture)[0].landmarks[:, :2],
                part_labels_picture(model, shares, camera, *at),
            )
        return seen[key]

    return made


@pytest.mark.parametrize('yaw', [-30, 0, 30])
def test_parts_are_found_where_they_are(look, yaw):
    picture, points, true = look(yaw, jawOpen=0.3)
    score = part_iou(segment_parts(picture, points, SURE), true)
    assert np.nanmean(score[1:]) > 0.75 and score[1:].min() > 0.5, dict(
        zip(PARTS[1:], score.round(2))
    )


def test_closed_eyes_are_none_and_an_open_mouth_is_left_out(look):
    picture, points, true = look(eyeBlink_L=1.0, eyeBlink_R=1.0, jawOpen=0.6)
    open_ = (segment_parts(*look()[:2], SURE) == LEFT_EYE).sum()
    labels = segment_parts(picture, points, SURE)
    assert (labels == LEFT_EYE).sum() < 0.25 * open_ and (labels == RIGHT_EYE).sum() < 0.25 * open_
    rows, columns = np.nonzero(np.isin(true, (UPPER_LIP, LOWER_LIP)))
    middle = labels[
        int(rows.mean()) - 2 : int(rows.mean()) + 3,
        int(columns.mean()) - 4 : int(columns.mean()) + 5,
    ]
    assert (middle == 0).all()


def test_left_is_the_persons(look):
    labels = segment_parts(*look()[:2], SURE)

    def centre(label):
        return np.argwhere(labels == label).mean(0)[1]

    assert centre(LEFT_EYE) > centre(NOSE) > centre(RIGHT_EYE) and centre(LEFT_BROW) > centre(NOSE)


@pytest.mark.parametrize('factor', [0.3, 2.5])
def test_any_size(look, factor):
    picture, points, true = look()
    size = round(SIZE * factor)
    small = cv2.resize(
        picture, (size, size), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    )
    score = part_iou(
        segment_parts(small, points * factor, SURE),
        cv2.resize(true, (size, size), interpolation=cv2.INTER_NEAREST),
    )
    assert np.nanmean(score[1:]) > (0.6 if factor < 1 else 0.75)


def test_mirrored_pictures_have_mirrored_masks(look):
    from facewright.engine.face_model.part_labels import MIRRORED
    from facewright.engine.footage.detector.landmark_sets import mirror

    picture, points, _ = look(20, jawOpen=0.3)
    labels = segment_parts(picture, points, SURE)
    other = segment_parts(picture[:, ::-1].copy(), ((SIZE, 0) + points * (-1, 1))[mirror()], SURE)
    score = part_iou(MIRRORED[other][:, ::-1].astype(np.uint8), labels)
    assert score.min() > 0.85, score


def test_the_forehead_is_cut_above_the_brows_in_any_roll(look):
    picture, points, _ = look()
    labels = segment_parts(picture, points, SURE)
    cut = segment_parts(picture, points, SURE, forehead=False)
    brows = np.isin(labels, (3, 4))
    rows = np.nonzero(brows)[0]
    assert not (cut[: rows.min() - 3] == SKIN).any() and (labels[: rows.min() - 3] == SKIN).any()
    assert ((cut == labels) | (labels == SKIN)).all() and (
        cut[rows.max() + 1 :] == labels[rows.max() + 1 :]
    ).all()
    turned = cut_forehead(np.rot90(labels), np.stack([points[:, 1], SIZE - points[:, 0]], 1))
    assert (np.rot90(turned, -1) != cut_forehead(labels, points)).mean() < 0.003


def test_a_thing_before_the_face_and_hair_are_not_skin(look):
    picture, points, _ = look()
    picture = picture.copy()
    top = int(points[10, 1]) - 20
    picture[top : top + 60, 150:250] = (20, 18, 16)
    picture[-130:, :170] = (30, 60, 190)
    labels = segment_parts(picture, points, SURE)
    assert (labels[top + 2 : top + 55, 155:245] == SKIN).mean() < 0.05
    assert (labels[-125:, :165] == SKIN).mean() < 0.05
    assert (labels == SKIN).sum() > 0.5 * (segment_parts(*look()[:2], SURE) == SKIN).sum()


def test_hidden_parts_and_faces_are_left_out(look):
    from facewright.engine.footage.detector.landmark_sets import landmark_sets

    picture, points, _ = look()
    trust = SURE.copy()
    trust[landmark_sets()['left_eye']] = 0.02
    labels = segment_parts(picture, points, trust)
    assert not (labels == LEFT_EYE).any() and (labels == RIGHT_EYE).any()
    assert not segment_parts(picture, points, 0 * SURE).any()
    assert not segment_parts(picture, points + 5000, SURE).any()
    with pytest.raises(ValueError):
        segment_parts(picture, points[:68], SURE)


@settings(max_examples=40, deadline=None)
@given(st.integers(-300, 300), st.integers(-300, 300), st.floats(0.05, 1.5))
def test_a_face_partly_outside_never_fails(look, dx, dy, scale):
    picture, points, _ = look()
    labels = segment_parts(picture, (points * scale + (dx, dy)), SURE)
    assert labels.shape == picture.shape[:2] and labels.max() < len(PARTS)


# masks of the user's own


def view(count=3, size=(12, 10), first=0, name='front'):
    return View(
        name,
        Path('clip.mp4'),
        'video',
        size,
        25.0,
        np.arange(count) / 25,
        first,
        0,
        Camera(None, (size[0] / 2, size[1] / 2)),
    )


def write(folder, values, name='mask_{:04d}.png', first=1):
    folder.mkdir(parents=True, exist_ok=True)
    for k, v in enumerate(values):
        (folder / name.format(k + first)).write_bytes(
            cv2.imencode('.png', np.asarray(v))[1].tobytes()
        )
    return folder


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(1, 30),
    st.integers(1, 30),
    st.integers(0, 9998),
    st.randoms(use_true_random=False),
)
def test_own_masks_come_back_exactly(tmp_path_factory, count, width, height, first, random):
    values = [
        np.array([[random.randrange(9) for _ in range(width)] for _ in range(height)], np.uint8)
        for _ in range(count)
    ]
    folder = write(tmp_path_factory.mktemp('Masken 1'), values, 'm{}.png', first)
    masks = read_user_masks(folder, view(count, (width, height)))
    assert len(masks) == count and all((masks.read(k) == v).all() for k, v in enumerate(values))
    again = read_user_masks(folder / 'm*.png', view(count, (width, height)))
    assert again.files == masks.files


def test_a_view_that_starts_later_takes_its_own_masks(tmp_path):
    folder = write(tmp_path / 'front', [np.full((10, 12), k, np.uint8) for k in range(6)])
    masks = read_user_masks(tmp_path, view(3, first=2))
    assert [masks.read(k)[0, 0] for k in range(3)] == [2, 3, 4]
    assert read_user_masks(folder / 'mask_0003.png', view(1)).read(0)[0, 0] == 2


@pytest.mark.parametrize('numbering', ['celebamask-hq', 'face-parsing'])
@pytest.mark.parametrize('swap', [False, True])
def test_numberings_of_face_parsers(tmp_path, look, numbering, swap):
    true = look()[2]
    back = np.zeros(9, np.uint8)
    for value, label in NUMBERINGS[numbering].items():
        back[label] = value
    if swap:
        back[[3, 4, 5, 6]] = back[[4, 3, 6, 5]]
    values = back[true]
    values[:5] = 18
    write(tmp_path / numbering, [values])
    masks = read_user_masks(tmp_path / numbering, view(1, (SIZE, SIZE)))
    expected = true.copy()
    expected[:5] = 0
    assert masks.numbering == numbering and (masks.read(0) == expected).all()


def test_auto_takes_more_than_eight_for_celebamask_hq(tmp_path):
    value = np.zeros((10, 12), np.uint8)
    value[0] = 13
    assert read_user_masks(write(tmp_path, [value]), view(1)).numbering == 'celebamask-hq'


GOOD = np.zeros((10, 12), np.uint8)


@pytest.mark.parametrize(
    'values, message',
    [
        ([GOOD] * 2, 'holds 2 masks, the view front 3 frames'),
        ([], 'holds no masks'),
        ([GOOD[:9]] * 3, '12×9 pixels, the footage 12×10'),
        ([GOOD + 37] * 3, 'holds the label 37'),
        ([np.dstack([GOOD, GOOD + 1, GOOD])] * 3, 'colour image'),
        ([GOOD.astype(np.uint16) + 300] * 3, 'above 255'),
    ],
)
def test_wrong_masks_are_told(tmp_path, values, message):
    with pytest.raises(FacewrightError, match=message):
        read_user_masks(write(tmp_path, values), view())


def test_wrong_files_are_told(tmp_path):
    with pytest.raises(FacewrightError, match='no file or folder'):
        read_user_masks(tmp_path / 'nowhere', view())
    folder = write(tmp_path / 'a', [GOOD] * 4)
    (folder / 'mask_0002.png').unlink()
    with pytest.raises(FacewrightError, match='number 2 is missing'):
        read_user_masks(folder, view())
    (folder / 'mask_0002.png').write_bytes(b'no image')
    with pytest.raises(FacewrightError, match='not a readable image'):
        read_user_masks(folder, view(4)).read(1)
    with pytest.raises(FacewrightError, match='no numbering'):
        read_user_masks(folder, view(4), numbering='other')
