"""Quality 'standard' on a single picture: masks that err do not make another head of it."""

import cv2
import numpy as np
import pytest
from clips import finish

from facewright.engine.annotate.landmarks import model_landmarks
from facewright.engine.face_model import load_model
from facewright.engine.face_model.part_labels import LEFT_BROW, RIGHT_BROW
from facewright.engine.footage import open_footage
from facewright.engine.footage.detector import detect_view
from facewright.engine.footage.footage import Observations
from facewright.engine.footage.masks import UserMasks
from facewright.engine.geometry.rigid import move, rigid_motion
from facewright.engine.lab.demo import render_demo_capture
from facewright.engine.tasks.qualities import QUALITIES
from facewright.engine.tracking.draft import track
from facewright.engine.tracking.standard import refine

SIZE = 320, 240
THICKER = 7  # pixels by which a mask's brows are wider than the head's, of a face of 200
MOST_CHANGED = 0.1  # cm: of the face's shape, on the mean


@pytest.fixture(scope='module')
def photo(tmp_path_factory):
    """The demo's first frame as a photo, and masks of it whose brows are too thick."""
    folder = tmp_path_factory.mktemp('photo')
    clip = cv2.VideoCapture(str(render_demo_capture(folder, 2, SIZE)))
    cv2.imwrite(str(folder / 'photo.png'), clip.read()[1])
    labels = np.load(folder / 'parts.npz')['view'][0]
    brows = np.isin(labels, (LEFT_BROW, RIGHT_BROW))
    thick = cv2.dilate(labels * brows, np.ones((THICKER, THICKER), np.uint8))
    cv2.imwrite(str(folder / 'mask.png'), np.where(thick > 0, thick, labels))
    return folder


def test_brows_thicker_than_the_heads_do_not_reshape_it(photo):
    model, quality = load_model('builtin').tracked, QUALITIES['standard']
    landmarks, footage = model_landmarks(model), open_footage([str(photo / 'photo.png')])
    seen = Observations((detect_view(footage.views[0], 'final', lambda done, total: None),))
    draft = finish(track(model, landmarks, footage, seen, quality.tracking, -1))
    masks = UserMasks((photo / 'mask.png',), footage.views[0].size, 'facewright')
    found = finish(refine(model, landmarks, footage, seen, draft, masks=[masks]))
    face = model.regions['narrow_face']
    before, after = (v[face].astype(float) for v in (model.shape(draft.identity), found.neutral))
    aligned = move(after, *rigid_motion(after, before, scale=True))
    assert np.ptp(after, axis=0) == pytest.approx(np.ptp(before, axis=0), rel=0.05)
    assert np.linalg.norm(aligned - before, axis=1).mean() < MOST_CHANGED
