"""A real hand put over the mouths of captures and a clip: how far Draft leaves what it finds there.

The hand is cut from a clip of the data when the bench runs; the same clip without it is the truth.
"""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from clips import finish

from facewright.engine.annotate.landmarks import model_landmarks
from facewright.engine.face_model import load_model
from facewright.engine.footage import open_footage
from facewright.engine.footage.detector import detect, detect_view
from facewright.engine.footage.footage import Observations
from facewright.engine.footage.sources import read_frames
from facewright.engine.geometry.rotations import so3_log
from facewright.engine.tracking.draft import track

pytestmark = pytest.mark.bench
HAND, HAND_FRAME = 'pexels_8164110_upset_man', 86  # a hand with its arm, before black
PALM = (532.0, 430.0)  # its middle, pixels
START, STOP, RISE = 0.3, 0.7, 0.06  # of a clip: the hand is there, and how long it comes and goes
MOUTH, CHEEK = (13, 14), 50
CAPTURES, CLIP = ('dev', 'dev2', 'dev3'), 'grid_bbaf2n'
FACE_VERTICES = 6706


def cut_hand(folder):
    """(picture, alpha H×W, side of the face beside it in pixels) of the hand."""
    view = open_footage([str(folder / f'{HAND}.mp4')]).views[0]
    pictures = read_frames(view)
    picture = next(p for k, p in enumerate(pictures) if k == HAND_FRAME)
    light = cv2.GaussianBlur(picture, (0, 0), 1).max(2).astype(np.float32)
    alpha = np.clip((light - 50) / 25, 0, 1)
    y, x = np.mgrid[: len(picture), : picture.shape[1]]
    alpha[(x > 745) | ((x > 420) & (y > 800)) | (y < 200)] = 0  # the man and his shirt
    _, parts, stats, _ = cv2.connectedComponentsWithStats((alpha > 0.5).astype(np.uint8))
    alpha[parts != 1 + stats[1:, cv2.CC_STAT_AREA].argmax()] = 0
    return picture, alpha, 560.0


def with_hand(view, seen, hand):
    """The view's pictures, a hand before the mouth for a part of the clip; which frames."""
    picture, alpha, side = hand
    scale = np.median(np.ptp(seen.points, axis=1).max(1)) / side
    colour = picture[alpha > 0.9].mean(0)
    for frame, shown in enumerate(read_frames(view)):
        part = frame / len(view.times)
        up = np.clip((part - START) / RISE, 0, 1) * np.clip((STOP - part) / RISE, 0, 1)
        if up == 0 or not seen.present[frame]:
            yield shown, False
            continue
        place = seen.points[frame][list(MOUTH)].mean(0) + [
            0.06 * scale * side * np.sin(28 * part),
            1.3 * scale * side * (1 - up),
        ]
        matrix = np.array(
            [[scale, 0, place[0] - scale * PALM[0]], [0, scale, place[1] - scale * PALM[1]]]
        )
        size = shown.shape[1::-1]
        moved = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_AREA)
        over = cv2.warpAffine(alpha, matrix, size)[..., None]
        x, y = np.clip(seen.points[frame][CHEEK].astype(int), 0, np.subtract(size, 1))
        lit = np.clip(moved * (shown[y, x].astype(float) / colour), 0, 255)
        behind = over[
            np.clip(int(place[1]), 0, size[1] - 1), np.clip(int(place[0]), 0, size[0] - 1)
        ]
        yield (shown * (1 - over) + lit * over).astype(np.uint8), bool(behind > 0.5)


def draft(model, landmarks, footage, seen):
    return finish(track(model, landmarks, footage, Observations((seen,))))


def apart(model, found, clean, frames):
    """Degrees, cm, mm of the face's expression and of the head's shape between two tracks."""
    turn = so3_log(torch.as_tensor(found.rotation @ clean.rotation.transpose(0, 2, 1)))
    shapes = model.expressions.reshape(len(model.names), -1, 3)[:, :FACE_VERTICES]
    moved = np.einsum('te,evx->tvx', (found.weights - clean.weights)[frames], shapes)
    shape = (model.shape(found.identity) - model.shape(clean.identity))[:FACE_VERTICES]
    return (
        np.degrees(turn.norm(dim=1).numpy())[frames].mean(),
        np.linalg.norm(found.translation - clean.translation, axis=1)[frames].mean(),
        10 * np.linalg.norm(moved, axis=2).mean(),
        10 * np.linalg.norm(shape, axis=1).mean(),
    )


def measured(model, landmarks, path, hand, monkeypatch):
    """What a hand does to a clip's Draft without and with doubt: two of `apart`."""
    footage = open_footage([str(path)])
    view = footage.views[min(1, len(footage.views) - 1)]
    footage = replace(footage, views=(view,))
    plain = detect_view(view)
    pictures, behind = zip(*with_hand(view, plain, hand))
    with monkeypatch.context() as patch:
        patch.setattr(detect, 'read_frames', lambda *_, **__: iter(pictures))
        doubting = detect_view(view)
        patch.setattr(detect, 'confidence_beside_hands', lambda points, cover: 1 + 0 * cover)
        trusting = detect_view(view)
    clean = draft(model, landmarks, footage, plain)
    frames = np.array(behind) & plain.present
    return [
        apart(model, draft(model, landmarks, footage, seen), clean, frames)
        for seen in (trusting, doubting)
    ]


def test_a_hand_before_the_mouth(shared_data, table, monkeypatch):
    model = load_model(str(shared_data / 'ict-facekit.tar.xz')).tracked
    landmarks, rows, parts = model_landmarks(model), [], []
    hand = cut_hand(shared_data / 'videos')
    paths = [shared_data / 'captures' / name / 'capture.json' for name in CAPTURES]
    for path in [*paths, shared_data / 'videos' / f'{CLIP}.mpg']:
        before, after = measured(model, landmarks, path, hand, monkeypatch)
        name = path.parent.name if path.suffix == '.json' else path.stem
        rows.append((name, *(f'{old:.2f} → {new:.2f}' for old, new in zip(before, after))))
        parts.append(np.divide(after, before))
    table(
        'A hand before the mouth: Draft beside Draft of the same clip without it',
        ('', 'turn, °', 'place, cm', 'expression, mm', 'head, mm'),
        rows,
    )
    turn, _, expression, head = np.mean(parts, axis=0)
    assert turn < 0.7 and expression < 0.85 and head < 0.7
