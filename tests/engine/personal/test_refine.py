"""A head whose surface is known, filmed from three sides with a freckled skin, is found again."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model import load_model
from facewright.engine.footage import open_footage
from facewright.engine.footage.footage import Camera
from facewright.engine.formats.trajectory import TimedTrajectory
from facewright.engine.geometry.folds import flipped
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.personal.options import PersonalOptions
from facewright.engine.personal.refine import PersonalHead, refine
from facewright.engine.personal.skin_pixels import skin_surface
from facewright.engine.render.preview import HEAD_TO_CAMERA, rotation_from_angles
from facewright.engine.render.rasterise import rasterise

SIZE, FOCAL, DISTANCE = 260, 900.0, 60.0
YAWS = (-30, 0, 30)


@pytest.fixture(scope='module')
def model():
    return load_model('builtin').tracked


def bump(model):
    """V×3 cm: the right cheek 3 mm further out than the model's, smoothly."""
    cheek = np.array([-3.5, model.neutral[model.landmarks68[33], 1], 0.0])
    away = np.linalg.norm((model.neutral - cheek)[:, :2], axis=1)
    out = 0.3 * np.exp(-((away / 1.5) ** 2))[:, None] * np.array([-0.3, 0.0, 1.0])
    inside = np.ones(model.vertex_count, bool)
    inside[model.regions['narrow_face']] = False
    out[inside] = 0
    return out


def film(model, neutral, folder):
    """Three photos from three sides and their cameras; freckles are noise in texture space."""
    surface = skin_surface(model)
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.normal(size=(768, 768)).astype(np.float32), (0, 0), 3)
    noise = 0.55 + 0.1 * noise / noise.std()
    cameras, paths = [], []
    middle = neutral[model.landmarks68].mean(0)
    for k, yaw in enumerate(YAWS):
        rotation = HEAD_TO_CAMERA @ rotation_from_angles(np.radians(yaw), 0, 0)
        translation = np.array([0, 0, DISTANCE]) - rotation @ middle
        points = neutral @ rotation.T + translation
        triangle, weight, _ = rasterise(
            points, surface.triangles, FOCAL, (SIZE / 2, SIZE / 2), (SIZE, SIZE)
        )
        uv = (surface.uvs[np.maximum(triangle, 0)] * weight[..., None]).sum(2).astype(np.float32)
        shown = cv2.remap(noise, 768 * uv[..., 0] - 0.5, 768 * uv[..., 1] - 0.5, cv2.INTER_LINEAR)
        grey = np.where(triangle >= 0, np.clip(shown, 0, 0.95), 0.3)
        path = Path(folder) / f'{k}.png'
        cv2.imwrite(str(path), np.repeat(np.round(255 * grey)[..., None], 3, 2).astype(np.uint8))
        paths.append(str(path))
        cameras.append(
            Camera(FOCAL, (SIZE / 2, SIZE / 2), rotation=rotation, translation=translation)
        )
    views = open_footage(paths).views
    return [replace(view, camera=camera) for view, camera in zip(views, cameras)]


def still(model):
    return TimedTrajectory(
        np.eye(3)[None], np.zeros((1, 3)), np.zeros((1, len(model.names))), time=np.zeros(1)
    )


def found(model, neutral, views, present=None, options=PersonalOptions()):  # noqa: B008
    present = present or [np.ones(len(view.times), bool) for view in views]
    *steps, head = refine(model, neutral, still(model), views, present, options)
    assert steps == sorted(steps) and steps[0] >= 0 and steps[-1] <= 1
    assert isinstance(head, PersonalHead)
    return head


def test_a_cheek_that_stands_out_is_found(model, tmp_path, monkeypatch):
    true = model.neutral + bump(model)
    views = film(model, true, tmp_path)
    # the drawn head is no face to the detector: all of it may be looked at
    monkeypatch.setattr(
        'facewright.engine.personal.pictures.segment_parts_at', lambda picture, at: None
    )
    options = PersonalOptions(pixels_of_one=1.0, rounds=4)
    head = found(model, model.neutral, views, options=options)
    cheek = np.linalg.norm(bump(model), axis=1) > 0.1
    before = np.linalg.norm(bump(model)[cheek], axis=1).mean()
    after = np.abs((head.neutral - true)[cheek, 2]).mean()
    assert after < 0.5 * before
    assert head.pictures == 3 and head.moved > 0
    assert not flipped(model.neutral.astype(float), head.neutral, triangulate(model.faces)).any()
    again = found(model, model.neutral, views, options=options)
    assert np.array_equal(head.neutral, again.neutral)


def test_one_picture_is_too_little(model, tmp_path):
    views = film(model, model.neutral, tmp_path)
    unseen = [np.zeros(1, bool), np.ones(1, bool), np.zeros(1, bool)]
    with pytest.raises(FacewrightError, match='Fewer than two pictures'):
        found(model, model.neutral, views, unseen)
