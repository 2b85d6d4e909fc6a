"""The fitted head drawn over the footage: a sheet of frames, or whole frames with head or parts."""

from __future__ import annotations

import cv2
import numpy as np

from ..core.threads import ahead, map_in_threads
from ..face_model.model import FaceModel
from ..face_model.paint import visible_faces
from ..face_model.part_labels import PARTS
from ..footage import read_frames
from ..footage.footage import View
from ..formats.animated_head import to_camera
from ..render.preview import contact_sheet, render_camera
from ..tracking.track import Track

TILE = 280  # px: side of a tile
TILE_RADII = 2.1  # half a tile, in RMS radii of the face's landmarks
OPACITY = 0.72
CLAY, EYE = (0.62, 0.72, 0.80), (0.95, 0.95, 0.95)
HALF = 0.5  # opacity of the head over a whole frame
# RGB, of PARTS.
PART_COLOURS = (
    (0, 0, 0),
    (255, 235, 170),
    (255, 160, 0),
    (60, 220, 60),
    (0, 150, 255),
    (60, 255, 220),
    (150, 110, 255),
    (255, 60, 60),
    (255, 90, 220),
)


def chosen_frames(count: int, tiles: int) -> np.ndarray:
    """Choose evenly spread frame numbers, at most `tiles`."""
    return np.unique(np.linspace(0, count - 1, min(tiles, count)).astype(int))


def face_only(model: FaceModel) -> np.ndarray:
    """Take F×4 faces of the face's skin, eyeballs and teeth: what a frame can be judged by."""
    keep = np.zeros(model.vertex_count, bool)
    for name in ('narrow_face', 'eyeball_L', 'eyeball_R', 'teeth'):
        keep[model.regions[name]] = True
    return model.faces[
        keep[model.faces[:, 0]]
        & keep[model.faces[:, 1]]
        & keep[model.faces[:, 2]]
        & visible_faces(model)
    ]


def clay(model: FaceModel) -> np.ndarray:
    """Colour a head of clay with white eyes and teeth: V×3 sRGB in 0..1."""
    colours = np.broadcast_to(np.asarray(CLAY), model.neutral.shape).copy()
    for name in ('eyeball_L', 'eyeball_R', 'teeth'):
        colours[model.regions[name]] = EYE
    return colours


def face_window(projected: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Find the square round a face's landmarks (478×2): centre and side, px.

    Round the whole picture where they are NaN.
    """
    if not np.isfinite(projected).all():
        return np.asarray(size) / 2, float(max(size))
    middle = projected.mean(0)
    return middle, 2 * TILE_RADII * float(np.sqrt(((projected - middle) ** 2).sum(1).mean()))


def overlay_tiles(
    model: FaceModel, neutral: np.ndarray, track: Track, view: View, index: int, tiles: int = 6
) -> list[np.ndarray]:
    """Draw a picture 2·TILE × TILE for each chosen frame of the view.

    The face cut from the frame, and below it the same with the head drawn over (lens distortion is
    not drawn).
    """
    frames = chosen_frames(len(view.times), tiles)

    def drawn_over(item: tuple[int, np.ndarray]) -> np.ndarray:
        frame, picture = item
        middle, side = face_window(track.projected[index][frame], view.size)
        scale = TILE / side
        move = np.array(
            [[scale, 0, TILE / 2 - scale * middle[0]], [0, scale, TILE / 2 - scale * middle[1]]]
        )
        pixel = move.copy()
        pixel[:, 2] += (scale - 1) / 2  # OpenCV counts from pixel centres
        small = cv2.warpAffine(
            picture, pixel, (TILE, TILE), flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        )
        drawn = small
        if np.isfinite(track.errors[index][frame]):
            node = int(np.abs(track.time - view.times[frame]).argmin())
            drawn = _draw_head(model, neutral, track, index, node, move, small)
        return np.concatenate([small, drawn], 0)

    return list(map_in_threads(drawn_over, zip(frames, ahead(read_frames(view, frames), tiles))))


def _draw_head(
    model: FaceModel,
    neutral: np.ndarray,
    track: Track,
    index: int,
    node: int,
    move: np.ndarray,
    tile: np.ndarray,
) -> np.ndarray:
    """Draw a view's head at a node of the track over a tile; move 2×3: the picture's px → its."""
    camera = track.cameras[index]
    head = neutral + np.tensordot(track.weights[node].astype(np.float32), model.expressions, 1)
    world = head @ track.rotation[node].T + track.translation[node]
    drawn = render_camera(
        to_camera(world, camera),
        face_only(model),
        clay(model),
        camera.focal * move[0, 0],
        tuple(move @ (*camera.centre, 1.0)),
        (TILE, TILE),
        tile,
    )
    return cv2.addWeighted(drawn, OPACITY, tile, 1 - OPACITY, 0)


def overlay(
    model: FaceModel, neutral: np.ndarray, track: Track, views: tuple[View, ...], tiles: int = 6
) -> np.ndarray:
    """Draw a contact sheet over all views: H×W×3 uint8 RGB."""
    pictures, labels = [], []
    for i, view in enumerate(views):
        made = overlay_tiles(model, neutral, track, view, i, tiles)
        pictures += made
        labels += [
            f'{view.name} {t:.2f} s' for t in view.times[chosen_frames(len(view.times), tiles)]
        ]
    return contact_sheet(pictures, tiles, labels)


def draw_mesh(
    model: FaceModel,
    picture: np.ndarray,
    points: np.ndarray,
    focal: float,
    centre: tuple[float, float],
) -> np.ndarray:
    """Draw the face, shaded and half transparent, over a whole frame (H×W×3 uint8 RGB).

    points: V×3 cm in the camera's space; focal, centre: px
    """
    head = render_camera(
        points, face_only(model), clay(model), focal, centre, picture.shape[1::-1], picture, 1
    )
    return cv2.addWeighted(head, HALF, picture, 1 - HALF, 0)


def draw_parts(picture: np.ndarray, labels: np.ndarray, iou: np.ndarray) -> np.ndarray:
    """Draw the outlines of parts (H×W labels) and a legend over a whole frame (H×W×3 uint8 RGB).

    iou: 8, each part's, NaN: not seen
    """
    out, side = picture.copy(), max(picture.shape[:2])
    width, scale = max(1, round(side / 640)), max(side / 1600, 0.33)
    for k in range(1, len(PARTS)):
        outlines, _ = cv2.findContours(
            (labels == k).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(out, outlines, -1, PART_COLOURS[k], width, cv2.LINE_AA)
    line = round(34 * scale)
    out[: line * len(PARTS), : round(300 * scale)] //= 3
    for k in range(1, len(PARTS)):
        value = '-' if np.isnan(iou[k - 1]) else f'{100 * iou[k - 1]:.0f} %'
        cv2.putText(
            out,
            f'{PARTS[k].replace("_", " ")} {value}',
            (round(8 * scale), line * k),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.85 * scale,
            PART_COLOURS[k],
            max(1, round(1.6 * scale)),
            cv2.LINE_AA,
        )
    return out
