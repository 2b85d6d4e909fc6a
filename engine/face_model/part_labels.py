"""The parts of a face (papers/4): their names, and the labels that part masks give them."""

from __future__ import annotations

import numpy as np

# left is the person's
PARTS = (
    'other',
    'skin',
    'nose',
    'left_brow',
    'right_brow',
    'left_eye',
    'right_eye',
    'upper_lip',
    'lower_lip',
)
SKIN, NOSE, LEFT_BROW, RIGHT_BROW, LEFT_EYE, RIGHT_EYE, UPPER_LIP, LOWER_LIP = range(1, 9)
MIRRORED = np.array(
    [0, SKIN, NOSE, RIGHT_BROW, LEFT_BROW, RIGHT_EYE, LEFT_EYE, UPPER_LIP, LOWER_LIP]
)
