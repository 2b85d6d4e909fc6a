"""Region names shared by every face model, and ICT-FaceKit's vertex ranges for them."""

from __future__ import annotations

import numpy as np

# ICT-FaceKit README, "vertex indices": [first, last] inclusive.
ICT_RANGES: dict[str, tuple[int, int]] = {
    'narrow_face': (0, 6705),
    'face': (0, 9408),
    'head_neck': (9409, 11247),
    'mouth_socket': (11248, 13293),
    'eye_socket_L': (13294, 13677),
    'eye_socket_R': (13678, 14061),
    'gums_tongue': (14062, 17038),
    'teeth': (17039, 21450),
    'eyeball_L': (21451, 23020),
    'eyeball_R': (23021, 24590),
    'lacrimal_fluid_L': (24591, 24794),
    'lacrimal_fluid_R': (24795, 24998),
    'eye_blend_L': (24999, 25022),
    'eye_blend_R': (25023, 25046),
    'eye_occlusion_L': (25047, 25198),
    'eye_occlusion_R': (25199, 25350),
    'eyelashes_L': (25351, 26034),
    'eyelashes_R': (26035, 26718),
}

REGION_NAMES: tuple[str, ...] = tuple(ICT_RANGES)


def ict_regions() -> dict[str, np.ndarray]:
    """Return region name → int32 vertex indices of ICT-FaceKit's 26,719 vertices."""
    return {name: np.arange(a, b + 1, dtype=np.int32) for name, (a, b) in ICT_RANGES.items()}
