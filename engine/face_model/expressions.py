"""Expression names: ICT's 53 and tongueOut, ARKit's 52, and the way between them, as data."""

from __future__ import annotations

import numpy as np

ICT_NAMES: tuple[str, ...] = (
    'browDown_L',
    'browDown_R',
    'browInnerUp_L',
    'browInnerUp_R',
    'browOuterUp_L',
    'browOuterUp_R',
    'cheekPuff_L',
    'cheekPuff_R',
    'cheekSquint_L',
    'cheekSquint_R',
    'eyeBlink_L',
    'eyeBlink_R',
    'eyeLookDown_L',
    'eyeLookDown_R',
    'eyeLookIn_L',
    'eyeLookIn_R',
    'eyeLookOut_L',
    'eyeLookOut_R',
    'eyeLookUp_L',
    'eyeLookUp_R',
    'eyeSquint_L',
    'eyeSquint_R',
    'eyeWide_L',
    'eyeWide_R',
    'jawForward',
    'jawLeft',
    'jawOpen',
    'jawRight',
    'mouthClose',
    'mouthDimple_L',
    'mouthDimple_R',
    'mouthFrown_L',
    'mouthFrown_R',
    'mouthFunnel',
    'mouthLeft',
    'mouthLowerDown_L',
    'mouthLowerDown_R',
    'mouthPress_L',
    'mouthPress_R',
    'mouthPucker',
    'mouthRight',
    'mouthRollLower',
    'mouthRollUpper',
    'mouthShrugLower',
    'mouthShrugUpper',
    'mouthSmile_L',
    'mouthSmile_R',
    'mouthStretch_L',
    'mouthStretch_R',
    'mouthUpperUp_L',
    'mouthUpperUp_R',
    'noseSneer_L',
    'noseSneer_R',
)

# Made by us (tongue.py), for ICT has none: ARKit's name, so that its 52 are 52.
TONGUE_OUT = 'tongueOut'
# What every face model's heads carry, in this order; last those that footage gives no evidence of,
# which are never tracked and stay 0.
UNTRACKED: tuple[str, ...] = (TONGUE_OUT,)
EXPRESSION_NAMES: tuple[str, ...] = ICT_NAMES + UNTRACKED
# are meant for an open jaw, and looked at with it
WITH_OPEN_JAW: tuple[str, ...] = ('mouthClose', TONGUE_OUT)

# Apple's order in a Live Link Face file; with a small first letter these are ARKit's own names.
LIVE_LINK_NAMES: tuple[str, ...] = (
    'EyeBlinkLeft',
    'EyeLookDownLeft',
    'EyeLookInLeft',
    'EyeLookOutLeft',
    'EyeLookUpLeft',
    'EyeSquintLeft',
    'EyeWideLeft',
    'EyeBlinkRight',
    'EyeLookDownRight',
    'EyeLookInRight',
    'EyeLookOutRight',
    'EyeLookUpRight',
    'EyeSquintRight',
    'EyeWideRight',
    'JawForward',
    'JawRight',
    'JawLeft',
    'JawOpen',
    'MouthClose',
    'MouthFunnel',
    'MouthPucker',
    'MouthRight',
    'MouthLeft',
    'MouthSmileLeft',
    'MouthSmileRight',
    'MouthFrownLeft',
    'MouthFrownRight',
    'MouthDimpleLeft',
    'MouthDimpleRight',
    'MouthStretchLeft',
    'MouthStretchRight',
    'MouthRollLower',
    'MouthRollUpper',
    'MouthShrugLower',
    'MouthShrugUpper',
    'MouthPressLeft',
    'MouthPressRight',
    'MouthLowerDownLeft',
    'MouthLowerDownRight',
    'MouthUpperUpLeft',
    'MouthUpperUpRight',
    'BrowDownLeft',
    'BrowDownRight',
    'BrowInnerUp',
    'BrowOuterUpLeft',
    'BrowOuterUpRight',
    'CheekPuff',
    'CheekSquintLeft',
    'CheekSquintRight',
    'NoseSneerLeft',
    'NoseSneerRight',
    'TongueOut',
)

ARKIT_NAMES: tuple[str, ...] = tuple(n[0].lower() + n[1:] for n in LIVE_LINK_NAMES)

MERGED = {
    'browInnerUp': ('browInnerUp_L', 'browInnerUp_R'),
    'cheekPuff': ('cheekPuff_L', 'cheekPuff_R'),
}


def arkit_name(ict: str) -> str:
    """Return the ARKit name that carries an ICT name (`browInnerUp_L` → `browInnerUp`)."""
    for arkit, pair in MERGED.items():
        if ict in pair:
            return arkit
    return ict.replace('_L', 'Left').replace('_R', 'Right')


TO_ARKIT: dict[str, str] = {n: arkit_name(n) for n in EXPRESSION_NAMES}
TO_ICT: dict[str, tuple[str, ...]] = {
    a: tuple(n for n in EXPRESSION_NAMES if TO_ARKIT[n] == a) for a in ARKIT_NAMES
}


def arkit_to_ict(weights: np.ndarray, names: tuple[str, ...] = ARKIT_NAMES) -> np.ndarray:
    """Turn …×A weights under ARKit names into …×53 in ICT_NAMES order.

    A split name is copied to both; absent ones are 0.
    """
    out = np.zeros(weights.shape[:-1] + (len(ICT_NAMES),), weights.dtype)
    index = {n: i for i, n in enumerate(names)}
    for k, ict in enumerate(ICT_NAMES):
        if TO_ARKIT[ict] in index:
            out[..., k] = weights[..., index[TO_ARKIT[ict]]]
    return out


OPPOSITES = (
    ('jawLeft', 'jawRight'),
    ('mouthLeft', 'mouthRight'),
    *(
        (f'eyeLook{a}_{s}', f'eyeLook{b}_{s}')
        for s in 'LR'
        for a, b in (('In', 'Out'), ('Up', 'Down'))
    ),
    *((f'eye{a}_{s}', f'eyeWide_{s}') for s in 'LR' for a in ('Blink', 'Squint')),
)
