"""Matches of two views tell how far the skin lies from the fitted head; where it fits, nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from facewright.engine.evidence.options import StandardOptions
from facewright.engine.evidence.pictures import SIZE, Pictures, ViewPictures, choose_points
from facewright.engine.evidence.state import SharedParameters, State, Trajectory
from facewright.engine.evidence.stereo_matches import stereo_matches, turned_pairs
from facewright.engine.face_model import load_model
from facewright.engine.face_model.paint import albedo, visible_faces
from facewright.engine.footage.crops import Crop
from facewright.engine.footage.footage import Camera
from facewright.engine.geometry.rotations import so3_exp
from facewright.engine.render.preview import head_to_camera, render_camera

FOCAL, YAWS = 900.0, (-15.0, 15.0)
CAMERA = Camera(FOCAL, (SIZE / 2, SIZE / 2))
MOVED = 0.3  # cm: how far the fitted head's nose lies behind the true one's


def camera_of(yaw):
    """(rotation, translation) of a camera before a head that is turned."""
    ends = head_to_camera(np.concatenate([np.zeros((1, 3)), np.eye(3)]), yaw, distance=62.0)
    return (ends[1:] - ends[0]).T, ends[0]


@pytest.fixture(scope='module')
def scene():
    """The built-in head with freckles before two cameras: model, points, cameras, pictures."""
    model = load_model('builtin')
    freckled = np.random.default_rng(0).random(model.vertex_count) > 0.8
    colours = albedo(model) * (1 - 0.4 * freckled[:, None])
    cameras = [camera_of(yaw) for yaw in YAWS]
    seen = []
    for view, (rotation, translation) in enumerate(cameras):
        head = model.neutral.astype(np.float64) @ rotation.T + translation
        faces = model.faces[visible_faces(model)]
        picture = render_camera(head, faces, colours, FOCAL, CAMERA.centre, (SIZE, SIZE))
        crop = Crop((SIZE / 2, SIZE / 2), float(SIZE))
        rows = SimpleNamespace(node=torch.tensor([0]), between=torch.tensor([0.0]))
        seen.append(
            ViewPictures(view, rows, Pictures(picture[None], (crop,), np.array([0])), CAMERA)
        )
    return model, choose_points(model, StandardOptions(points=600)), cameras, tuple(seen)


def matched(scene, neutral):
    """The matches of the head as `neutral` has it."""
    model, points, cameras, seen = scene
    rotation, translation = (torch.as_tensor(np.stack(part)) for part in zip(*cameras))
    focal = torch.full((2,), np.log(FOCAL), dtype=torch.float64)
    none = torch.zeros(0, dtype=torch.float64)
    shared = SharedParameters(none, focal, rotation, translation, torch.zeros(1, 3))
    still = Trajectory(
        torch.eye(3, dtype=torch.float64)[None],
        torch.zeros(1, 3, dtype=torch.float64),
        torch.zeros(1, len(model.names), dtype=torch.float64),
    )
    samples = [SimpleNamespace(trust=np.ones((1, len(points.vertex))))] * 2
    state = State(shared, still)
    return stereo_matches(model, neutral, points, seen, samples, state, StandardOptions(stereo=1.0))


def projected(scene, head, match):
    """P×2 px of a match's points in either picture."""
    _, points, cameras, _ = scene
    out = []
    for view in match.views:
        rotation, translation = cameras[view]
        at = head[points.vertex[match.index.numpy()]].astype(np.float64) @ rotation.T + translation
        out.append(at[:, :2] / at[:, 2:] * FOCAL)
    return out


def test_the_true_head_is_left_where_it_is(scene):
    matches = matched(scene, scene[0].neutral)
    assert [match.views for match in matches] == [(1, 0)]
    again = matched(scene, scene[0].neutral)
    for match, other in zip(matches, again, strict=True):
        torch.testing.assert_close(match.flow, other.flow, rtol=0, atol=0)
        assert len(match.index) > 150
        assert float(match.flow.square().sum(1).mean().sqrt()) < 0.5


def test_a_nose_too_far_back_is_pulled_forwards(scene):
    model, points = scene[:2]
    tip = model.neutral[points.vertex][np.argmax(model.neutral[points.vertex, 2])]
    near = np.exp(-((np.linalg.norm(model.neutral - tip, axis=1) / 2.5) ** 2))
    fitted = (model.neutral - MOVED * near[:, None] * np.array([0, 0, 1])).astype(np.float32)
    for match in matched(scene, fitted):
        now, true = (projected(scene, head, match) for head in (fitted, model.neutral))
        turn = match.turn.numpy()
        wanted = (true[0] - now[0]) - np.einsum('pqc,pc->pq', turn, true[1] - now[1])
        moved = near[points.vertex[match.index.numpy()]] > 0.3
        flow, wanted = match.flow.numpy()[moved].ravel(), wanted[moved].ravel()
        assert np.sqrt((wanted**2).mean()) > 1
        assert np.corrcoef(flow, wanted)[0, 1] > 0.8
        assert 0.6 < (flow @ wanted) / (wanted @ wanted) < 1.2


def test_a_lone_view_is_matched_where_the_head_turns_and_the_face_stays(scene):
    model, points = scene[:2]
    turns = (0.0, 0.05, 0.25, 0.28, 0.9)  # rad, of each picture
    weights = torch.zeros(len(turns), len(model.tracked.names), dtype=torch.float64)
    weights[3, model.tracked.names.index('jawOpen')] = 0.8
    rotations = so3_exp(torch.tensor([[0.0, turn, 0.0] for turn in turns], dtype=torch.float64))
    trajectory = Trajectory(rotations, torch.zeros(len(turns), 3), weights)
    count = torch.arange(len(turns))
    seen = SimpleNamespace(
        view=0, landmarks=SimpleNamespace(node=count, between=torch.zeros(len(turns)))
    )
    pairs = turned_pairs(seen, State(None, trajectory), points.basis, 1)
    assert [rows for _, rows in pairs] == [(0, 2), (1, 2), (2, 0), (3, 0)]
