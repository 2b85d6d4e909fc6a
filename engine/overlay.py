"""The overlay picture: the fitted head drawn over frames of the footage, beside the frames themselves."""
from __future__ import annotations

import cv2
import numpy as np

from .face_model.model import FaceModel
from .face_model.paint import visible_faces
from .fit.tracker import Track
from .footage import read_frames
from .footage.footage import View
from .render.preview import contact_sheet, render_camera

TILE = 360        # px: the longer side of a tile
OPACITY = .72
CLAY = (.62, .72, .80)


def chosen_frames(count: int, tiles: int) -> np.ndarray:
    """Evenly spread frame numbers, at most `tiles`."""
    return np.unique(np.linspace(0, count - 1, min(tiles, count)).astype(int))


def face_only(model: FaceModel) -> np.ndarray:
    """F×4 faces of the face's skin and the eyeballs: what can be judged against a frame."""
    keep = np.zeros(model.vertex_count, bool)
    for name in ('narrow_face', 'eyeball_L', 'eyeball_R', 'teeth'):
        keep[model.regions[name]] = True
    return model.faces[keep[model.faces[:, 0]] & keep[model.faces[:, 1]] & keep[model.faces[:, 2]] & visible_faces(model)]


def overlay_tiles(model: FaceModel, neutral: np.ndarray, track: Track, view: View, index: int, tiles: int = 6) -> list[np.ndarray]:
    """Per chosen frame of the view one picture: the frame, and the same with the head drawn over it (lens distortion is not drawn)."""
    camera = track.cameras[index]
    frames = chosen_frames(len(view.times), tiles)
    scale = TILE / max(view.size)
    size = (max(int(view.size[0] * scale), 8), max(int(view.size[1] * scale), 8))
    faces, out = face_only(model), []
    for frame, picture in zip(frames, read_frames(view, frames)):
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        drawn = small
        if np.isfinite(track.errors[index][frame]):
            node = int(np.abs(track.time - view.times[frame]).argmin())
            head = neutral + np.tensordot(track.weights[node].astype(np.float32), model.expressions, 1)
            points = (head @ track.rotation[node].T + track.translation[node]) @ camera.rotation.T + camera.translation
            colours = np.broadcast_to(np.asarray(CLAY), head.shape).copy()
            for side in 'LR':
                colours[model.regions[f'eyeball_{side}']] = EYE
            points[:, 1] *= camera.aspect
            head_picture = render_camera(points, faces, colours, camera.focal * scale, (camera.centre[0] * scale, camera.centre[1] * scale), size, small)
            drawn = cv2.addWeighted(head_picture, OPACITY, small, 1 - OPACITY, 0)
        out.append(np.concatenate([small, drawn], 1 if size[0] <= size[1] * 1.2 else 0))
    return out


EYE = (.95, .95, .95)


def overlay(model: FaceModel, neutral: np.ndarray, track: Track, views: tuple[View, ...], tiles: int = 6) -> np.ndarray:
    """H×W×3 uint8 RGB contact sheet over all views."""
    pictures, labels = [], []
    for i, view in enumerate(views):
        made = overlay_tiles(model, neutral, track, view, i, tiles)
        pictures += made
        labels += [f'{view.name} {t:.2f} s' for t in view.times[chosen_frames(len(view.times), tiles)]]
    height, width = max(p.shape[0] for p in pictures), max(p.shape[1] for p in pictures)
    padded = [cv2.copyMakeBorder(p, 0, height - p.shape[0], 0, width - p.shape[1], cv2.BORDER_CONSTANT, value=(40, 40, 40)) for p in pictures]
    return contact_sheet(padded, min(len(padded), 6 if width < 500 else 3), labels)
