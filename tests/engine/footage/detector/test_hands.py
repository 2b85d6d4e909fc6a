"""Hands before a face: on the built-in head with a patch that passes for a hand, and a real one."""

import functools

import cv2
import films
import numpy as np
import pytest

from facewright.engine.footage import open_footage
from facewright.engine.footage.detector import detect_view, landmark_sets
from facewright.engine.footage.detector.hands import Hand, HandFollower, covered
from facewright.engine.footage.detector.networks import CropFace, CropHand, HandNetworks

SIDE, FRAMES, FIRST, LAST = 200, 40, 13, 29
BOX = (70, 105, 130, 180)  # left, top, right, bottom of the patch over the mouth, pixels
GREEN = (40, 220, 60)
# A hand, upright, in parts of its box: the wrist, then thumb, index, middle, ring, little finger.
FINGERS = [((0.7, 0.6, 0.5, 0.45), (0.5, 0.3, 0.15, 0.0))[x > 0] for x in range(5)]
JOINTS = np.array([(0.5, 1.0), *((x / 4, y) for x, ys in enumerate(FINGERS) for y in ys)])
FOREHEAD, CHIN = 151, 152


@functools.cache
def head():
    """The built-in head on grey."""
    from facewright.engine.face_model import load_model
    from facewright.engine.face_model.paint import albedo, visible_faces
    from facewright.engine.render.preview import render_head

    model = load_model('builtin')
    return render_head(
        model.neutral, model.faces[visible_faces(model)], albedo(model), size=(SIDE, SIDE)
    )


def film(path, patched=range(FIRST, LAST), colour=GREEN):
    """A head that sways, a patch before its mouth in some frames."""
    pictures = []
    for frame in range(FRAMES):
        picture = head().copy()
        if frame in patched:
            picture[BOX[1] : BOX[3], BOX[0] : BOX[2]] = colour
        pictures.append(np.roll(picture, round(3 * np.sin(frame / 4)), 1))
    films.write_video(path, pictures, rate=25, codec='libx264', options={'crf': '10'})
    return open_footage(path).views[0]


def box_of(crop, is_hand):
    """Whether a crop has a hand, and its box: low corner, extent, in sides of the crop."""
    y, x = np.nonzero(is_hand(crop.astype(int)))
    if len(x) < 50:
        return False, np.zeros(2), np.full(2, 0.1)
    return (
        True,
        np.array([x.min(), y.min()]) / len(crop),
        np.array([np.ptp(x), np.ptp(y)]) / len(crop),
    )


def is_green(crop):
    return crop[..., 1] > crop[..., 0] + 60


def networks(is_hand=is_green, score=0.9):
    """Networks that take what is_hand says of a crop's pixels for one hand."""

    def palms(crop):
        there, low, extent = box_of(crop, is_hand)
        lower = np.array([*(low + extent * (0, 0.5)), *(extent * (1, 0.5))])
        points = low + extent * JOINTS[[0, 5, 9, 13, 17, 1, 2]]
        return [CropFace(score, lower, points)] if there else []

    def hand(crop):
        there, low, extent = box_of(crop, is_hand)
        return CropHand(low + extent * JOINTS, 0.9 if there else 0.1)

    return HandNetworks(palms, 96, hand, 96)


@pytest.fixture
def nobody(monkeypatch):
    """No hand in any picture."""
    monkeypatch.setattr(landmark_sets, 'HANDS', networks(lambda crop: crop[..., 0] > 300))


def lips_of(seen):
    return seen.confidence[:, landmark_sets.landmark_sets()['lips']].mean(1)


def test_what_a_hand_covers_is_doubted(tmp_path, monkeypatch, nobody):
    view = film(tmp_path / 'a.mp4')
    plain = detect_view(view)
    monkeypatch.setattr(landmark_sets, 'HANDS', networks())
    seen = detect_view(view)
    assert (seen.points == plain.points).all()
    behind = np.zeros(FRAMES, bool)
    behind[FIRST:LAST] = True
    assert lips_of(plain)[behind].min() > 0.5  # the detector itself doubts nothing
    assert lips_of(seen)[behind].max() < 0.2  # from its first frame on, by following backwards
    assert (seen.confidence[~behind] == plain.confidence[~behind]).all()
    assert (seen.confidence[:, FOREHEAD] > 5 * lips_of(seen))[behind].all()


def test_what_looks_as_ever_is_not_covered(tmp_path, monkeypatch, nobody):
    """A network that takes a shadow of the face for fingers in a part of a clip."""
    view = film(tmp_path / 'a.mp4', patched=range(0))
    plain = detect_view(view)
    now, step = [0], HandFollower.step

    def watched(self, frame, picture, face):
        now[0] = frame
        step(self, frame, picture, face)

    def skin(crop):
        return (crop[..., 0] > crop[..., 2] + 15) & (FIRST <= now[0] < LAST)

    monkeypatch.setattr(HandFollower, 'step', watched)
    monkeypatch.setattr(landmark_sets, 'HANDS', networks(skin))
    assert any(networks(skin).palms(head()) for now[0] in [FIRST])
    assert (detect_view(view).confidence == plain.confidence).all()


def test_one_weak_look_is_no_hand(tmp_path, monkeypatch, nobody):
    view = film(tmp_path / 'a.mp4', patched=range(12, 13))  # a frame that is looked at
    plain = detect_view(view)
    monkeypatch.setattr(landmark_sets, 'HANDS', networks(score=0.3))
    assert (detect_view(view).confidence == plain.confidence).all()


def test_a_photo_has_one_look(tmp_path, monkeypatch):
    picture = head().copy()
    picture[BOX[1] : BOX[3], BOX[0] : BOX[2]] = GREEN
    encoded = cv2.imencode('.png', picture[..., ::-1])[1]
    (tmp_path / 'a.png').write_bytes(encoded.tobytes())
    monkeypatch.setattr(landmark_sets, 'HANDS', networks())
    assert lips_of(detect_view(open_footage(tmp_path / 'a.png').views[0]))[0] < 0.2


def test_covered_is_what_lies_within_a_finger():
    hand = Hand(100 + 80 * JOINTS)
    tip, beside = hand.joints[12], hand.joints[12] - [0, 3 * hand.radius]
    palm = hand.joints[[0, 5, 17]].mean(0)
    assert covered(np.array([tip, palm, beside]), hand).tolist() == [1, 1, 0]


def test_a_real_hand(shared_data):
    """Fingers over half a mouth: doubted there, less where it is seen, and not without them."""
    path = shared_data / 'videos' / 'pexels_wlanger_cry_to_smile.mp4'
    seen = detect_view(open_footage([{'path': path, 'start': 9.0, 'end': 10.4}]).views[0])
    right, left, eye = 61, 291, 263  # corners of the mouth, of the left eye
    behind = seen.confidence[2:8]
    assert behind[:, right].max() < 0.03
    assert (behind[:, left] > 2 * behind[:, right]).all() and behind[:, eye].min() > 0.2
    assert seen.confidence[-5:, right].min() > 0.8
