"""Live Link Face CSV: 52 ARKit weights, head and eye rotations, timecode; written here, read by
live_link_reader. numpy only: the add-on imports this.

Head angles (radians), as Unreal's Live Link Face sees a face that looks at the phone: yaw + turns
to the person's right, pitch + nods down, roll + tilts towards the person's left shoulder. In head
space (x left, y up, z front) the rotation head → world is R = Ry(−yaw) · Rx(pitch) · Rz(−roll),
world y up with the resting head along its axes: the identity is no rotation. The signs of yaw and
pitch were measured on a recording's eye columns against its eyeLook weights; order and roll are
Unreal's FRotator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.files import write_text
from ..core.repeatable import arctan2
from ..face_model.expressions import ARKIT_NAMES, LIVE_LINK_NAMES, TO_ICT
from ..face_model.gaze import EYE_DOWN, EYE_SIDEWAYS, EYE_UP
from .performance import Performance

HEAD = ('HeadYaw', 'HeadPitch', 'HeadRoll')
EYES = tuple(
    f'{side}Eye{angle}' for side in ('Left', 'Right') for angle in ('Yaw', 'Pitch', 'Roll')
)
HEADER = ('Timecode', 'BlendShapeCount') + LIVE_LINK_NAMES + HEAD + EYES
COUNT = len(LIVE_LINK_NAMES) + len(HEAD) + len(EYES)  # 61, what the app writes
TICKS = 60  # the app's own timecode base, used where a clip's rate has no frame count of its own
UPRIGHT = np.diag([1.0, -1.0, -1.0])  # OpenCV camera axes ↔ y up


def head_rotation(angles: np.ndarray) -> np.ndarray:
    """Turn …×3 yaw, pitch, roll (radians, the module's signs) into …×3×3 head → world, y up."""
    yaw, pitch, roll = np.moveaxis(np.asarray(angles, np.float64), -1, 0)
    return _about(1, -yaw) @ _about(0, pitch) @ _about(2, -roll)


def head_angles(rotation: np.ndarray) -> np.ndarray:
    """Find …×3 yaw, pitch, roll of …×3×3 head → world (y up); straight up or down the roll is 0."""
    r = np.asarray(rotation, np.float64)
    pitch = np.arcsin(np.clip(-r[..., 1, 2], -1, 1))
    upright = np.hypot(r[..., 1, 0], r[..., 1, 1]) > 1e-7
    yaw = np.where(
        upright, -arctan2(r[..., 0, 2], r[..., 2, 2]), arctan2(r[..., 2, 0], r[..., 0, 0])
    )
    roll = np.where(upright, -arctan2(r[..., 1, 0], r[..., 1, 1]), 0.0)
    return np.stack([yaw, pitch, roll], -1)


def _about(axis: int, angle: np.ndarray) -> np.ndarray:
    """Make …×3×3 right-handed rotations about a coordinate axis."""
    out = np.zeros(np.shape(angle) + (3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[..., axis, axis] = 1
    out[..., i, i] = out[..., j, j] = np.cos(angle)
    out[..., j, i], out[..., i, j] = np.sin(angle), -np.sin(angle)
    return out


@dataclass(frozen=True)
class Timecode:
    """A moment as SMPTE timecode counts it: ticks since midnight (frames as written, HH:MM:SS:FF),
    ticks a second (whole), drop-frame or not."""

    ticks: float = 0.0
    base: int = TICKS
    drop: bool = False

    @property
    def rate(self) -> float:
        """Ticks a true second."""
        return self.base * (1000 / 1001 if self.drop else 1)

    def later(self, seconds: float) -> Timecode:
        """Return the timecode some seconds on."""
        return Timecode(_labelled(_counted(self) + seconds * self.rate, self), self.base, self.drop)


def _counted(code: Timecode) -> float:
    """Count the ticks that truly passed since midnight.

    Drop-frame labels skip the first of each minute but the tenth (SMPTE 12M).
    """
    minutes = code.ticks // (60 * code.base)
    return code.ticks - code.drop * round(code.base / 15) * (minutes - minutes // 10)


def _labelled(counted: float, code: Timecode) -> float:
    """Invert _counted, within a day."""
    skipped = code.drop * round(code.base / 15)
    counted = round(counted, 3) % (1440 * 60 * code.base - 1296 * skipped)
    ten, rest = divmod(counted, 600 * code.base - 9 * skipped)
    minutes = max(0.0, (rest - 60 * code.base) // (60 * code.base - skipped) + 1)
    return ten * 600 * code.base + rest + skipped * minutes


def write_live_link(path: Path, performance: Performance, start: Timecode | None = None) -> None:
    """Write a performance (ICT or ARKit names) as Live Link Face CSV, the first sample at timecode
    `start`.

    Without `start` timecode counts the clip's frames, at 29.97 and its like non-drop (30 counted a
    second; so it runs .1 % slow against the clock), sixtieths of a second at a rate without a frame
    count of its own (12.5); a take that would pass no full second begins before one, so that its
    rate can be told. Eye angles follow from the eyeLook weights; positions are not kept.
    """
    weights = _arkit(performance)
    rotation = performance.rotation
    if len(rotation) and rotation[:, 1, 1].mean() < 0:  # the world is an OpenCV camera's
        rotation = UPRIGHT @ rotation
    angles = np.concatenate([head_angles(rotation), _eye_angles(weights)], 1)
    time = performance.time - performance.time[0]
    if start is None:
        base, rate = timecode_base(performance.fps)
        length = time[-1] * rate
        start = Timecode(
            base - math.ceil(length / 2) if len(time) > 1 and length < base else 0, base
        )
    else:
        rate = (
            performance.fps
            if round(performance.fps) == start.base and not start.drop
            else start.rate
        )
    lines = [','.join(HEADER)]
    for passed, row, turns in zip(time * rate, weights, angles):
        code = Timecode(_labelled(_counted(start) + passed, start), start.base, start.drop)
        lines.append(
            ','.join(
                [_timecode(code), str(COUNT)]
                + [f'{v:.10f}' for v in row]
                + [f'{v:.10f}' for v in turns]
            )
        )
    write_text(Path(path), '\n'.join(lines) + '\n')


def _arkit(performance: Performance) -> np.ndarray:
    """T×52 in ARKIT_NAMES order: names that are ARKit's as they are, ICT's by the mapping (two
    merged: their mean), absent ones 0."""
    index = {name: i for i, name in enumerate(performance.names)}
    out = np.zeros((len(performance.time), len(ARKIT_NAMES)))
    for k, name in enumerate(ARKIT_NAMES):
        have = [index[name]] if name in index else [index[n] for n in TO_ICT[name] if n in index]
        if have:
            out[:, k] = performance.weights[:, have].mean(1)
    return out


def _eye_angles(weights: np.ndarray) -> np.ndarray:
    """Find the eyes' angles T×6, in EYES order, of T×52 weights."""

    def w(name: str) -> np.ndarray:
        return weights[:, ARKIT_NAMES.index(name)]

    out = np.zeros((len(weights), 6))
    for side, sign, at in (
        ('Left', 1, 0),
        ('Right', -1, 3),
    ):  # the left eye looks in towards the person's right
        out[:, at] = sign * EYE_SIDEWAYS * (w(f'eyeLookIn{side}') - w(f'eyeLookOut{side}'))
        out[:, at + 1] = EYE_DOWN * w(f'eyeLookDown{side}') - EYE_UP * w(f'eyeLookUp{side}')
    return out


def timecode_base(fps: float) -> tuple[int, float]:
    """Tell the frames a second a timecode counts, and how many of them pass in a true second."""
    nominal = max(1, round(fps))
    if min(abs(fps / nominal - 1), abs(fps * 1.001 / nominal - 1)) < 1e-4 and nominal < 1000:
        return nominal, fps
    return TICKS, float(TICKS)


def _timecode(code: Timecode) -> str:
    thousandths = round(code.ticks * 1000)
    seconds, rest = divmod(thousandths, code.base * 1000)
    mark = ';' if code.drop else ':'
    clock = f'{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}'
    return f'{clock}{mark}{rest // 1000:02d}.{rest % 1000:03d}'
