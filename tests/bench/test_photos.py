"""Photographs with hand-made landmarks: the model's distance from them, Draft beside Standard.

The London set alone has the Face Research Lab's 189-point template (.tem: a count, then x and y of
each point in pixels from the picture's upper left, then lines). Measured in percent of the distance
between the hand-made pupils, over 62 points a photo: 12 on the lids' edges, 16 round the brows, 10
on the lips' outer edge, 10 between the lips, 8 round the nose's wings, each to the nearest point on
that outline of the projected model's parts; and six corners of eyes and mouth, each to the model's
own vertex there (its 68 landmarks). None of it knows of the detector's landmarks.
"""

import cv2
import numpy as np
import pytest
from photo_fit import fit
from scipy.spatial import cKDTree

pytestmark = pytest.mark.bench
PUPILS = 0, 1
OUTLINES = {
    'right lids': (19, 20, 21, 28, 29, 30),
    'left lids': (24, 25, 26, 31, 32, 33),
    'right brow': (71, 72, 73, 74, 75, 76, 83, 84),
    'left brow': (77, 78, 79, 80, 81, 82, 85, 86),
    'outer lips': (88, 89, 90, 91, 92, 104, 105, 106, 107, 108),
    'upper lip within': (94, 95, 96, 97, 98),
    'lower lip within': (99, 100, 101, 102, 103),
    'nose wings': (61, 62, 63, 64, 66, 67, 68, 69),
}
CORNERS = (18, 22, 23, 27, 87, 93), (36, 39, 42, 45, 48, 54)  # of the template, of the 68
GROUPS = {
    'lids': ('right lids', 'left lids'),
    'brows': ('right brow', 'left brow'),
    'outer lips': ('outer lips',),
    'between lips': ('upper lip within', 'lower lip within'),
    'nose wings': ('nose wings',),
    'corners': ('corners',),
}
SIDE = 900  # pixels: side of the picture the model's parts are drawn in
CROP_PUPIL_DISTANCES = 1.6  # half of it, in distances between the pupils

LARGEST = 1.85  # per cent: of Standard's mean, as asked for


def read_template(path):
    """189×2 px."""
    lines = path.read_text().split('\n')
    return np.array([[float(x) for x in line.split()] for line in lines[1 : 1 + int(lines[0])]])


def edge(mask):
    """N×2 px (corner origin): points between a mask's pixels and the others."""
    found = []
    for axis in (0, 1):
        y, x = np.nonzero(np.diff(mask.astype(np.int8), axis=axis))
        found.append(
            np.stack([x + (0.5 if axis == 0 else 1.0), y + (1.0 if axis == 0 else 0.5)], 1)
        )
    return np.concatenate(found)


def filled(mask):
    """A mask with its holes filled: the lips with what lies between them."""
    out = np.zeros(mask.shape, np.uint8)
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(out, outlines, -1, 1, -1)
    return out > 0


def model_outlines(model, neutral, track, view, window):
    """Outline's name → N×2 px, and the corners 6×2 px, of a track's first frame.

    window: (left, top, side) px of the picture
    """
    from facewright.engine.annotate.parts import model_part_shares
    from facewright.engine.evidence.state import to_pixels
    from facewright.engine.face_model.part_labels import (
        LEFT_BROW,
        LEFT_EYE,
        LOWER_LIP,
        NOSE,
        RIGHT_BROW,
        RIGHT_EYE,
        UPPER_LIP,
    )
    from facewright.engine.texture.part_iou import part_labels_picture

    camera, lens = head_in_camera(model, neutral, track), track.cameras[0]
    left, top, side = window
    scale = SIDE / side
    labels = part_labels_picture(
        model,
        model_part_shares(model),
        camera.astype(np.float32),
        lens.focal * scale,
        ((lens.centre[0] - left) * scale, (lens.centre[1] - top) * scale),
        (SIDE, SIDE),
    )
    lips = filled((labels == UPPER_LIP) | (labels == LOWER_LIP))
    outer = edge(lips)

    def within(label):
        points = edge(labels == label)
        return points[cKDTree(outer).query(points)[0] > 3]

    found = {
        'right lids': edge(labels == RIGHT_EYE),
        'left lids': edge(labels == LEFT_EYE),
        'right brow': edge(labels == RIGHT_BROW),
        'left brow': edge(labels == LEFT_BROW),
        'outer lips': outer,
        'upper lip within': within(UPPER_LIP),
        'lower lip within': within(LOWER_LIP),
        'nose wings': edge(labels == NOSE),
    }
    corners = to_pixels(camera[model.landmarks68[list(CORNERS[1])]], view.camera, lens.focal)
    return {name: points / scale + (left, top) for name, points in found.items()}, corners


def head_in_camera(model, neutral, track):
    """V×3 cm: the head of a track's first frame in its first camera."""
    head = neutral + np.tensordot(track.weights[0].astype(np.float32), model.expressions, 1)
    lens = track.cameras[0]
    return (head @ track.rotation[0].T + track.translation[0]) @ np.asarray(
        lens.rotation
    ).T + np.asarray(lens.translation)


def distances(model, neutral, track, view, template):
    """Outline's name (and 'corners') → distances of its points, percent of the pupils' distance.

    An outline that is not to be seen: NaN.
    """
    unit = np.linalg.norm(template[PUPILS[0]] - template[PUPILS[1]])
    middle = template[list(sum(OUTLINES.values(), ()))].mean(0)
    outlines, corners = model_outlines(
        model,
        neutral,
        track,
        view,
        (*(middle - CROP_PUPIL_DISTANCES * unit), 2 * CROP_PUPIL_DISTANCES * unit),
    )
    out = {
        name: 100 / unit * cKDTree(outlines[name]).query(template[list(index)])[0]
        if len(outlines[name])
        else np.full(len(index), np.nan)
        for name, index in OUTLINES.items()
    }
    return out | {
        'corners': 100 / unit * np.linalg.norm(corners - template[list(CORNERS[0])], axis=1)
    }


def grouped(found):
    """distances() → the mean of each of GROUPS, and last the mean of all points."""
    return np.array(
        [np.concatenate([found[n] for n in names]).mean() for names in GROUPS.values()]
        + [np.concatenate(list(found.values())).mean()]
    )


def test_photos_outlines(shared_data, table):
    from facewright.engine.annotate.landmarks import model_landmarks
    from facewright.engine.face_model import load_model

    model = load_model(str(shared_data / 'ict-facekit.tar.xz')).tracked
    landmarks, rows, errors = model_landmarks(model), [], {}
    photos = sorted(
        p.with_suffix('.jpg') for p in (shared_data / 'photos' / 'london').glob('*.tem')
    )
    for quality in ('draft', 'standard'):
        every = np.stack(
            [
                grouped(
                    distances(
                        model,
                        *fit(model, landmarks, photo, quality),
                        read_template(photo.with_suffix('.tem')),
                    )
                )
                for photo in photos
            ]
        )
        errors[quality] = every[:, -1]
        rows.append((quality, *(f'{v:.2f}' for v in every.mean(0)), f'{every[:, -1].max():.2f}'))
    table(
        "Photos: distance of hand-made landmarks from the model's outlines, percent of the pupils' "
        f'distance, {len(photos)} photos',
        ('quality', *GROUPS, 'all', 'worst photo'),
        rows,
    )
    assert errors['standard'].mean() <= LARGEST, errors
    assert (errors['standard'] <= errors['draft']).all(), errors
