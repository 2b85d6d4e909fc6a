"""What a reconstruction's steps take: from this come its bar and the time it tells.

Seconds on two cores, measured on clips of 3 to 128 s and on captures of four views (docs/bench.md);
where another machine is slower or faster, the clock (engine/core/progress.py) finds out by how much.
"""

from __future__ import annotations

from ..evidence.options import StandardOptions, for_quality
from ..footage.footage import Footage
from ..footage.proxies import needs_proxy
from ..tracking import draft as tracker
from ..tracking import standard

READING, BINDING = 'Reading the face model', 'Finding the landmarks on the model'
WRITING, BAKING, FILMING = (
    'Writing the result',
    "Taking the skin's texture",
    'Making the clip behind the camera',
)

FROM_CACHE = 0.3  # a face model, or its landmarks, found before
READ_MODEL, BIND_MODEL, FIND_PARTS = (
    3.0,
    16.0,
    10.0,
)  # else; the parts of its face, found while writing
DETECT = {'draft': 0.022, 'standard': 0.045}  # a frame of a view
FIND_PERSON, FOLLOW = 0.095, 0.011  # a frame of a view: of the keyframes, of all
FIND_IN_PICTURES, FOLLOW_IN_PICTURES = 1.5, 0.36  # the same with quality standard
WRITE, WRITE_PIXELS = 0.5, 0.45  # a view; a million pixels of it
BAKE = 12.0  # the whole texture
FILM_PIXELS = 0.025  # a million pixels of a frame, of views that need another clip


def detecting(footage: Footage, index: int) -> str:
    """Name the stage in which the face is followed in one of the views."""
    name = footage.views[index].name
    return f'Following the face in {name}' if len(footage.views) > 1 else 'Following the face'


def expected_seconds(
    footage: Footage, quality: str, model_cached: bool, clip_rate: float | None = None
) -> dict[str, float]:
    """Return the stages of a reconstruction in order, {stage: seconds}.

    clip_rate: frames a second of the clips made for Blender's cameras; None: none are made.
    """
    views, frames = footage.views, [len(v.times) for v in footage.views]
    keyframes = for_quality(quality).keyframes
    out = {READING: FROM_CACHE, BINDING: FROM_CACHE}
    if not model_cached:
        out |= {READING: READ_MODEL, BINDING: BIND_MODEL}
    out |= {detecting(footage, i): DETECT[quality] * n for i, n in enumerate(frames)}
    out[tracker.FINDING] = FIND_PERSON * min(keyframes, frames[0]) * len(views)
    out[tracker.FOLLOWING] = FOLLOW * sum(frames)
    if quality == 'standard':
        looked_at = min(StandardOptions().keyframes, frames[0]) * len(views)
        out[standard.FINDING] = FIND_IN_PICTURES * looked_at
        out[standard.FOLLOWING] = FOLLOW_IN_PICTURES * sum(frames)
    out[WRITING] = sum(WRITE + WRITE_PIXELS * v.size[0] * v.size[1] / 1e6 for v in views)
    if not model_cached:
        out[WRITING] += FIND_PARTS
    if quality == 'standard':
        out[BAKING] = BAKE
    if clip_rate is not None:
        out[FILMING] = sum(
            FILM_PIXELS * v.size[0] * v.size[1] / 1e6 * len(v.times)
            for v in views
            if needs_proxy(v, clip_rate)
        )
    return out
