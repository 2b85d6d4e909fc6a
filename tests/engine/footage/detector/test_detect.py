"""Finding and following faces: on the built-in head, rendered, and on a few real frames."""

import functools
import threading

import cv2
import films
import numpy as np
import pytest

from facewright.engine.core.errors import FacewrightError
from facewright.engine.footage import open_footage
from facewright.engine.footage.crops import Crop, tiles, whole_picture
from facewright.engine.footage.detector import (
    NEW_FACE_SCORE,
    detect_image,
    detect_view,
    landmark_sets,
)
from facewright.engine.footage.detector.detect import FEW_PICTURES
from facewright.engine.footage.detector.follow import FaceFollower
from facewright.engine.footage.detector.hands import HandFollower
from facewright.engine.footage.detector.landmark_sets import OUTER_EYE_CORNERS, mirror
from facewright.engine.footage.detector.networks import CropFace, CropLandmarks, FaceNetworks

SIDE = 200


@functools.cache
def head(yaw=0.0, side=SIDE):
    """The built-in head on grey, side×side×3, without its lashes: at this size each is a dot."""
    from facewright.engine.face_model import load_model
    from facewright.engine.face_model.paint import albedo, visible_faces
    from facewright.engine.render.preview import render_head

    model = load_model('builtin')
    return render_head(
        model.neutral, model.faces[visible_faces(model)], albedo(model), yaw=yaw, size=(side, side)
    )


def scene(*placed, size=(640, 360), seed=0):
    """A noisy grey picture with heads: (picture, x, y, side) of each, cut off at the borders."""
    out = np.full((size[1], size[0], 3), 92.0)
    for picture, x, y, side in placed:
        small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, size[0]), min(y + side, size[1])
        if x0 < x1 and y0 < y1:
            out[y0:y1, x0:x1] = small[y0 - y : y1 - y, x0 - x : x1 - x]
    return (out + np.random.default_rng(seed).normal(0, 4, out.shape)).clip(0, 255).astype(np.uint8)


def filmed(path, frames, rate=25):
    films.write_video(
        path, frames, rate=rate, codec='libx264', options={'crf': '12', 'preset': 'ultrafast'}
    )
    return open_footage(path).views[0]


def eyes(points):
    return float(np.linalg.norm(np.subtract(*points[list(OUTER_EYE_CORNERS), :2])))


def landmarks_of(picture):
    return detect_image(picture)[0].landmarks


def test_left_is_the_persons_left():
    points = landmarks_of(head())
    assert (
        points.shape == (478, 3)
        and points[263, 0] > points[33, 0]
        and points[152, 1] > points[10, 1]
    )
    assert (
        abs(points[:, 0].mean() - SIDE / 2) < 6 and points[1, 2] < points[[234, 454], 2].min()
    )  # the nose is nearer than the ears


@pytest.mark.parametrize('roll', range(-180, 180, 30))
def test_any_roll(roll):
    still, centre = landmarks_of(head()), (SIDE / 2 - 0.5, SIDE / 2 - 0.5)
    turn = cv2.getRotationMatrix2D(centre, roll, 1)
    found = landmarks_of(
        cv2.warpAffine(head(), turn, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    )
    expected = (still[:, :2] - 0.5) @ turn[:, :2].T + turn[:, 2] + 0.5
    assert np.linalg.norm(found[:, :2] - expected, axis=1).mean() < 0.08 * eyes(
        still
    )  # a mistaken roll: .5


@pytest.mark.parametrize(
    'side, size', [(90, (1920, 1080)), (200, (1920, 1080)), (900, (1000, 1000)), (160, (161, 203))]
)
def test_any_size(side, size):
    still = landmarks_of(head())
    x, y = int(0.6 * (size[0] - side)), int(0.3 * (size[1] - side))
    found = landmarks_of(scene((head(), x, y, side), size=size))
    expected = still[:, :2] * side / SIDE + [x, y]
    assert np.linalg.norm(found[:, :2] - expected, axis=1).mean() < 0.05 * eyes(expected)


def test_the_larger_of_two():
    found = landmarks_of(scene((head(), 20, 40, 140), (head(), 330, 20, 260)))
    assert found[:, 0].mean() > 330


@pytest.mark.parametrize(
    'picture',
    [
        np.zeros((90, 160, 3), np.uint8),
        np.full((1, 1, 3), 255, np.uint8),
        scene(),
        np.random.default_rng(3).integers(0, 255, (300, 400, 3)).astype(np.uint8),
    ],
)
def test_no_face_is_an_empty_list(picture):
    assert detect_image(picture) == []


def test_the_back_of_a_head_is_no_face():
    assert detect_image(head(180.0)) == []


def test_mirrored_pictures_give_mirrored_landmarks():
    points, other = (
        landmarks_of(head(20.0)),
        landmarks_of(np.ascontiguousarray(head(20.0)[:, ::-1])),
    )
    assert np.linalg.norm(
        (other[mirror()] * [-1, 1, 1] + [SIDE, 0, 0])[:, :2] - points[:, :2], axis=1
    ).mean() < 0.03 * eyes(points)


@pytest.mark.parametrize('quality', ['draft', 'final'])
def test_a_moving_head_is_followed(tmp_path, quality):
    at = [(100 + 6 * i, 60 + int(20 * np.sin(i / 3)), 180 + 2 * i) for i in range(20)]
    view = filmed(tmp_path / 'a.mp4', [scene((head(), *a), seed=i) for i, a in enumerate(at)])
    reported = []
    seen = detect_view(view, quality, lambda done, total: reported.append((done, total)))
    assert (
        seen.points.shape == (20, 478, 2) and seen.points.dtype == np.float32 and seen.present.all()
    )
    assert (
        seen.confidence.min() >= 0
        and seen.confidence.max() <= 1
        and seen.confidence[:, [1, 13, 14, 33, 263]].min() > 0.5
    )
    assert reported == [(i + 1, 20) for i in range(20)]
    still = landmarks_of(head())
    for i, (x, y, side) in enumerate(at):
        expected = still[:, :2] * side / SIDE + [x, y]
        assert np.linalg.norm(seen.points[i] - expected, axis=1).mean() < 0.05 * eyes(expected)


def test_the_same_twice(tmp_path):
    view = filmed(
        tmp_path / 'a.mp4', [scene((head(), 100 + 9 * i, 60, 200), seed=i) for i in range(6)]
    )
    a, b = detect_view(view), detect_view(view)
    assert np.array_equal(a.points, b.points) and np.array_equal(a.confidence, b.confidence)


def test_the_next_picture_is_looked_at_while_hands_are_looked_for(tmp_path, monkeypatch):
    followed = [threading.Event() for _ in range(6)]
    steps = FaceFollower.step, HandFollower.step

    def follow(self, frame, picture):
        followed[frame].set()
        return steps[0](self, frame, picture)

    def look_for_hands(self, frame, picture, face):
        assert followed[min(frame + 1, 5)].wait(20)
        steps[1](self, frame, picture, face)

    monkeypatch.setattr(FaceFollower, 'step', follow)
    monkeypatch.setattr(HandFollower, 'step', look_for_hands)
    frames = [scene((head(), 200, 60, 220), seed=i) for i in range(6)]
    assert detect_view(filmed(tmp_path / 'a.mp4', frames)).present.all()


def test_more_looks_tremble_less(tmp_path):
    view = filmed(tmp_path / 'a.mp4', [scene((head(), 200, 60, 220), seed=i) for i in range(25)])
    draft, final = (detect_view(view, q).points for q in ('draft', 'final'))
    tremble = [np.diff(p[5:], 2, axis=0).std() for p in (draft, final)]
    assert tremble[1] < 0.9 * tremble[0] and tremble[0] < 0.02 * eyes(draft[0])


def test_a_photo_is_looked_at_often_in_any_quality(tmp_path):
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), scene((head(), 200, 60, 220))[..., ::-1])
    view = open_footage(path).views[0]
    draft, final = (detect_view(view, quality).points for quality in ('draft', 'final'))
    assert np.array_equal(draft, final)
    frames = [scene((head(), 200, 60, 220), seed=i) for i in range(FEW_PICTURES + 1)]
    draft, final = (
        detect_view(filmed(tmp_path / 'a.mp4', frames), quality).points
        for quality in ('draft', 'final')
    )
    assert not np.array_equal(draft, final)


def test_more_looks_at_one_picture_tremble_less():
    pictures = [scene((head(), 200, 60, 220), seed=i) for i in range(10)]
    expected = Crop((310, 170), 240)
    found = [
        [detect_image(one, expected=expected, quality=quality)[0] for one in pictures]
        for quality in ('draft', 'final')
    ]
    tremble = [np.std([one.landmarks for one in kind], axis=0).mean() for kind in found]
    assert tremble[1] < 0.9 * tremble[0]
    assert [one.score for one in found[0]] == [one.score for one in found[1]]


def test_it_leaves_and_comes_back(tmp_path):
    frames = [
        scene((head(), 200 + (40 * i if i < 16 else 40 * (44 - i)), 60, 200), seed=i)
        if i < 16 or i > 28
        else scene(seed=i)
        for i in range(45)
    ]
    seen = detect_view(filmed(tmp_path / 'a.mp4', frames))
    assert seen.present[:8].all() and not seen.present[14:30].any() and seen.present[36:].all()
    assert not seen.points[~seen.present].any() and not seen.confidence[~seen.present].any()


def test_it_turns_away_and_back(tmp_path):
    turn = [
        0,
        20,
        40,
        60,
        90,
        120,
        150,
        180,
        180,
        180,
        180,
        180,
        210,
        240,
        270,
        300,
        320,
        340,
        0,
        0,
    ]
    frames = [scene((head(float(a)), 220, 60, 200), seed=i) for i, a in enumerate(turn)]
    seen = detect_view(filmed(tmp_path / 'a.mp4', frames))
    assert seen.present[:3].all() and not seen.present[6:13].any() and seen.present[16:].all()


def test_it_comes_late(tmp_path):
    seen = detect_view(
        filmed(
            tmp_path / 'a.mp4',
            [scene(seed=i) for i in range(13)]
            + [scene((head(), 300, 60, 200), seed=i) for i in range(12)],
        )
    )
    assert not seen.present[:13].any() and seen.present[13:].all()


def test_one_of_two_is_kept(tmp_path):
    """The larger goes away, the smaller comes nearer: it is not taken for the first."""
    frames = []
    for i in range(60):
        gone = 20 <= i < 45
        grows = 150 + 2 * min(i, 30)
        frames.append(
            scene((head(), 40, 60, grows), *([] if gone else [(head(), 380, 40, 240)]), seed=i)
        )
    seen = detect_view(filmed(tmp_path / 'a.mp4', frames))
    assert seen.present[:20].all() and not seen.present[20:45].any() and seen.present[46:].all()
    assert (seen.points[seen.present].mean(1)[:, 0] > 380).all()


@pytest.mark.parametrize('yaw', [-45.0, 45.0])
def test_turned_away_landmarks_are_trusted_less(tmp_path, yaw):
    seen = detect_view(
        filmed(tmp_path / 'a.mp4', [scene((head(yaw), 200, 60, 240), seed=i) for i in range(3)])
    )
    cheeks = [234, 454]  # the oval beside the person's right ear, left ear
    reach = np.abs(
        seen.points[0, cheeks, 0] - seen.points[0, 1, 0]
    )  # the one turned away lies close behind the nose
    near, far = (seen.confidence[0, cheeks[k]] for k in (reach.argmax(), reach.argmin()))
    frontal = detect_view(
        filmed(tmp_path / 'b.mp4', [scene((head(), 200, 60, 240), seed=i) for i in range(3)])
    ).confidence[0]
    assert (
        far < 0.05 < 0.4 < near and seen.confidence[0, 13] < 0.8 * frontal[13]
    )  # and all of an oblique face a little less


def test_landmarks_outside_the_picture_are_trusted_less(tmp_path):
    seen = detect_view(
        filmed(tmp_path / 'a.mp4', [scene((head(), -95, 40, 260), seed=i) for i in range(3)])
    )
    outside = seen.points[0, :, 0] < 0
    assert (
        outside.any()
        and seen.confidence[0, outside].max() < 0.11 < seen.confidence[0, ~outside].mean()
    )


def test_no_face_anywhere(tmp_path):
    with pytest.raises(
        FacewrightError, match=r'No face was found in .*empty room\.mp4: '
    ) as caught:
        detect_view(filmed(tmp_path / 'empty room.mp4', [scene(seed=i) for i in range(8)]))
    assert '\n' not in str(caught.value)


def test_a_photo_is_a_clip_of_one_frame(tmp_path):
    (tmp_path / 'a.png').write_bytes(
        cv2.imencode('.png', scene((head(), 200, 60, 240))[..., ::-1])[1].tobytes()
    )
    assert detect_view(open_footage(tmp_path / 'a.png').views[0], 'final').present.all()


@pytest.mark.parametrize(
    'name',
    [
        'grid_lwbsza.mpg',
        'obama_weekly_address_4.mp4',
        'pyfeat_single_face_smile.mp4',
        'pexels_8164110_upset_man.mp4',
    ],
)
def test_real_faces(shared_data, name):
    seen = detect_view(open_footage([{'path': shared_data / 'videos' / name, 'end': 0.6}]).views[0])
    assert seen.present.all() and np.abs(np.diff(seen.points, axis=0)).mean() < 0.03 * eyes(
        seen.points[0]
    )


def test_a_head_that_turns_round(shared_data):
    """Profile, back of the head, other side: no face, whatever the network makes of ears."""
    seen = detect_view(
        open_footage(
            [
                {
                    'path': shared_data / 'videos' / 'pexels_8090198_turntable_woman.mp4',
                    'start': 7.2,
                    'end': 23.6,
                }
            ]
        ).views[0]
    )
    assert seen.present[:20].all() and not seen.present[40:370].any() and seen.present[-10:].all()


def test_the_face_that_is_expected():
    """A place given, nothing else is searched; nothing there, the windows are."""
    picture = scene((head(), 20, 40, 140), (head(), 330, 20, 260))
    small = Crop((90.0, 110.0), 140.0)
    (there,) = detect_image(picture, expected=small, windows=())
    assert there.landmarks[:, 0].max() < 160 and there.square.side < 140
    empty = Crop((240.0, 300.0), 60.0)
    assert detect_image(picture, expected=empty, windows=()) == []
    found = detect_image(picture, expected=empty, windows=[[whole_picture((640, 360))]])
    assert found[0].landmarks[:, 0].min() > 330


def test_all_faces_and_how_surely_they_are_faces():
    picture = scene((head(), 20, 40, 140), (head(), 330, 20, 260))
    large, small = detect_image(picture, windows=[tiles((640, 360), 2)])
    assert large.square.side > small.square.side
    assert min(large.score, small.score) > NEW_FACE_SCORE
    for face in (large, small):
        assert face.confidence.shape == (478,) and face.confidence[[1, 13, 14, 33, 263]].min() > 0.5
    assert detect_image(picture, windows=[tiles((640, 360), 2)], min_score=0.99) == []


def test_another_detector(monkeypatch):
    """Networks that take the brightest square for a face: landmarks and confidence are theirs."""
    resting = landmark_sets.resting_face()
    resting = (resting - resting.mean(0)) / np.ptp(resting, axis=0).max() / 1.5 + 0.5
    own = np.linspace(0.2, 1, 478)

    def landmarks(crop):
        assert crop.shape == (64, 64, 3)
        return CropLandmarks(
            box(crop)[0] * [1, 1, 0] + box(crop)[1] * 1.5 * (resting - 0.5), 0.9, own
        )

    def box(crop):
        y, x = np.nonzero(crop[..., 0] > 128)
        if not len(x):
            return np.full(3, 0.5), 1 / 1.5
        centre = np.array([x.mean() + 0.5, y.mean() + 0.5, 0]) / len(crop)
        return centre, max(np.ptp(x), np.ptp(y)) / len(crop)

    def faces(crop):
        if (crop[..., 0] <= 128).all():
            return []
        centre, side = box(crop)
        points = landmark_sets.keypoints(centre * [1, 1, 0] + side * 1.5 * (resting - 0.5))
        return [CropFace(0.95, np.array([*(centre[:2] - side / 2), side, side]), points)]

    other = FaceNetworks(landmarks, 64, faces, 96, faces, 80)
    monkeypatch.setattr(landmark_sets, 'NETWORKS', other)
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[60:140, 100:180] = 200
    (found,) = detect_image(picture)
    assert np.abs(found.landmarks[:, :2].mean(0) - (140, 100)).max() < 4
    assert abs(found.square.side - 80) < 6
    surface = found.confidence[:468] > 0.2  # what lies behind is trusted little by either
    monkeypatch.setattr(
        landmark_sets,
        'NETWORKS',
        FaceNetworks(lambda c: CropLandmarks(landmarks(c).points, 0.9), 64, faces, 96, faces, 80),
    )
    (without,) = detect_image(picture)
    ratio = found.confidence[:468][surface] / without.confidence[:468][surface]
    assert np.allclose(ratio, own[:468][surface], atol=1e-5)
