"""ICT-FaceKit read from its folder, its GitHub zip or a tar.

https://github.com/ICT-VGL/ICT-FaceKit, MIT licence; Li et al., "Learning formation of
physically-based face attributes", CVPR 2020.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from ..geometry.obj import decoded, parse, positions
from ..geometry.polygons import polygons_to_faces
from .expressions import ICT_NAMES
from .gaze import gaze_offsets
from .ict_files import open_members
from .model import FaceModel
from .regions import ict_regions
from .tongue import with_tongue_out

VERTICES = 26719
IDENTITIES = 100
NEUTRAL = 'generic_neutral_mesh.obj'
INDICES = 'vertex_indices.json'


def _vertices(name: str, data: bytes, source: Path) -> np.ndarray:
    """Return V×3 float64 positions (cm) of an OBJ."""
    try:
        out = positions(decoded(data))
    except ValueError as error:
        raise FacewrightError(
            f'{name} in {source} has a line that is not three numbers: download ICT-FaceKit again.'
        ) from error
    if len(out) != VERTICES:
        raise FacewrightError(
            f'{name} in {source} has {len(out)} vertices instead of {VERTICES}: download '
            'ICT-FaceKit again.'
        )
    if not np.isfinite(out).all():
        raise FacewrightError(
            f'{name} in {source} holds NaN or infinite numbers: download ICT-FaceKit again.'
        )
    return out


def _surface(data: bytes, source: Path) -> dict[str, np.ndarray]:
    """Return the neutral OBJ's UVs, faces, face UVs and materials, by FaceModel's fields."""
    try:
        found = parse(decoded(data))
        if found.sizes.min(initial=3) < 3 or found.sizes.max(initial=3) > 4:
            raise ValueError('a face that is neither triangle nor quad')
    except IndexError as error:
        raise FacewrightError(
            f'{NEUTRAL} in {source} has faces of missing vertices: download ICT-FaceKit again.'
        ) from error
    except ValueError as error:
        raise FacewrightError(
            f'{NEUTRAL} in {source} has a face or texture line that cannot be read: download '
            'ICT-FaceKit again.'
        ) from error
    faces, face_uvs = (polygons_to_faces(c, found.sizes) for c in (found.corners, found.uv_corners))
    materials = tuple(m.removeprefix('M_') or 'Face' for m in found.materials) or ('Face',)
    return {
        'uvs': found.uvs.astype(np.float32),
        'faces': faces.astype(np.int32),
        'face_uvs': face_uvs.astype(np.int32),
        'materials': materials,
        'face_materials': found.material_of_face.astype(np.uint8),
    }


def _landmarks68(indices: bytes, source: Path) -> np.ndarray:
    """Return the 68 landmarks' int32 vertices from vertex_indices.json."""
    try:
        landmarks = np.array(json.loads(indices)['idx_to_landmark_verts'], np.int32)
        if landmarks.shape != (68,) or landmarks.min() < 0 or landmarks.max() >= VERTICES:
            raise ValueError
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise FacewrightError(
            f'{INDICES} in {source} lists no 68 landmark vertices: download ICT-FaceKit again.'
        ) from error
    return landmarks


def _turn_eyeballs(
    expressions: np.ndarray, neutral: np.ndarray, regions: dict[str, np.ndarray]
) -> None:
    """Let the eyeballs turn in the eyeLook shapes of `expressions` (E×V×3), in ICT_NAMES' order.

    ICT's own move the lids and leave the eyeballs where they are.
    """
    for e, name in enumerate(ICT_NAMES):
        if name.startswith('eyeLook'):
            ball = regions[f'eyeball_{name[-1]}']
            ball = ball[ball < VERTICES]
            if len(ball):
                expressions[e, ball] = gaze_offsets(neutral[ball], name)


def read_ict(source: Path, progress: Callable[[float], None] = lambda fraction: None) -> FaceModel:
    """Read the neutral, all 100 identities and all 53 expressions.

    eyeLook shapes turn the eyeballs too (gaze.py); tongueOut is ours (tongue.py). progress: called
    with 0..1. Raises FacewrightError, which says what is missing or damaged.
    """
    source = Path(source)
    offsets: dict[str, np.ndarray] = {}
    indices, surface, total = None, None, 2 + IDENTITIES + len(ICT_NAMES)
    wanted = {
        NEUTRAL,
        INDICES,
        *(f'{n}.obj' for n in ICT_NAMES),
        *(f'identity{i:03d}.obj' for i in range(IDENTITIES)),
    }
    with open_members(source, wanted, NEUTRAL) as walk:
        for done, (name, data) in enumerate(walk()):
            if name == INDICES:
                indices = data
            else:
                offsets[name.removesuffix('.obj')] = _vertices(name, data, source)
                if name == NEUTRAL:
                    surface = _surface(data, source)
            progress(min(done / total, 1.0))
    stem = NEUTRAL.removesuffix('.obj')
    identity_names = [f'identity{i:03d}' for i in range(IDENTITIES)]
    missing = [n for n in (stem, *ICT_NAMES, *identity_names) if n not in offsets]
    if missing or indices is None:
        raise FacewrightError(
            f'{source} lacks {missing[0] + ".obj" if missing else INDICES}'
            f'{f" and {len(missing) - 1} more" if len(missing) > 1 else ""}: download ICT-FaceKit '
            'again.'
        )
    neutral, regions = offsets[stem], ict_regions()
    expressions = np.stack([offsets[n] - neutral for n in ICT_NAMES])
    _turn_eyeballs(expressions, neutral, regions)
    model = FaceModel(
        name='ict',
        neutral=neutral.astype(np.float32),
        names=ICT_NAMES,
        expressions=expressions.astype(np.float32),
        identities=np.stack([offsets[n] - neutral for n in identity_names]).astype(np.float32),
        regions=regions,
        landmarks68=_landmarks68(indices, source),
        source=str(source),
        **surface,
    )
    return with_tongue_out(model)
