"""The parts of a face in a picture (papers/4, section 3.2): from landmarks and what it shows.

No trained parser: the landmarks' outlines say about where each part ends, and colours inside and
outside of them, learnt from this one picture, move the edge to where it is seen. All lengths are
parts of the working picture's face (WORKING_SIDE); colours are CIELAB.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from ...face_model.part_labels import (
    LEFT_BROW,
    LEFT_EYE,
    LOWER_LIP,
    NOSE,
    RIGHT_BROW,
    RIGHT_EYE,
    SKIN,
    UPPER_LIP,
)
from ...geometry.planar import inside_polygon
from ..detector.landmark_sets import (
    COUNT,
    OUTER_EYE_CORNERS,
    between_corners,
    landmark_sets,
    resting_face,
    tesselation,
)

# Half of the nose's outline: root, the bridge's side, wing, base; then the other half.
_NOSE_RIGHT = (168, 122, 174, 198, 49, 48, 64, 98, 97, 2)
_NOSE_LEFT = (326, 327, 294, 278, 279, 420, 399, 351)
NOSE_OUTLINE = [*_NOSE_RIGHT, *_NOSE_LEFT]  # landmarks round the nose, in order
CHIN, SUBNASAL = 152, 2
MOUTH_CORNERS = (78, 308)  # of the inner lip, the person's right first
# A brow's upper and lower landmarks, from the temple.
_BROW_ROWS = {
    'right': ([70, 63, 105, 66, 107], [46, 53, 52, 65, 55]),
    'left': ([300, 293, 334, 296, 336], [276, 283, 282, 295, 285]),
}

# Pixels: the longer side of the landmarks' box in the working picture; a landmark's error is 1 to
# 2 % of it.
WORKING_SIDE = 288.0
BOX_MARGIN = 0.22  # of that side, round the box
TRUSTED = 0.08  # mean confidence below which a part is taken for hidden
MOUTH_SHUT = 0.012  # gap between the lips over the mouth's width: below, they touch
# Uncertainty of an outline, of the face's side; most a colour may say (log odds).
OUTLINE_NOISE = {
    'lip': (0.008, 4.5),
    'inside': (0.006, 3.5),
    'eye': (0.006, 6.0),
    'brow': (0.007, 5.0),
}
# CIELAB beside the skin's: mean and spread of whites and irises of all kinds.
EYE_COLOUR = (np.array([-12.0, -5.0, -8.0]), np.array([24.0, 8.0, 10.0]))
# How far brows and eyes are looked for, of the face's side; what the furthest costs (L; log odds):
# see _best_shift.
BROW_SHIFT, EYE_SHIFT = (0.06, 6.0), (0.03, 1.0)
MIN_SAMPLES, MAX_SAMPLES = 12, 1200  # pixels a colour is learnt from; the most is approximate
LOG_LIGHT = np.log((np.arange(256) / 255) ** 2.2 + 0.01).astype(np.float32)  # of a byte
NO_EDGE = np.float32(1e4)  # pixels: how far the edge of a mask without one lies
MIN_WINDOW = 4  # pixels: a window narrower than that, at the picture's border, shows nothing
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
SHADING_SCALE = 0.10  # of the face's side: how smooth the skin's own shading is
# Variances that a few pixels may not show: noise, JPEG; the same for lips, whose folds shade them.
COLOUR_NOISE = np.diag([9.0, 2.5, 2.5]).astype(np.float32)
LIP_NOISE = np.diag([60.0, 9.0, 9.0]).astype(np.float32)
# Variance of one skin's log R/G and log G/B beyond what is seen: redness, coloured light.
CHROMA_SPREAD = np.diag([0.08, 0.08]).astype(np.float32) ** 2
# Log odds from which a colour is not the skin's; the same where a beard may grow.
NOT_SKIN, NOT_BEARD = 5.0, 14.0
# L beside the skin's from which something on the upper face is hair, whatever its colour.
HAIR_DARKNESS = -38.0


@dataclass(frozen=True)
class _WorkingPicture:
    """The face, or a window of it, at the working scale."""

    lab: np.ndarray  # H×W×3 float32 CIELAB less the skin's own smooth shading: skin is about 0
    points: np.ndarray  # 478×2 px in it
    face: np.ndarray  # H×W bool: inside the landmarks' mesh

    def window(self, around: np.ndarray, pad: float) -> tuple[_WorkingPicture, tuple[slice, slice]]:
        """The part within `pad` px of the points N×2 (may be empty), and where it lies."""
        low = np.clip(np.floor(around.min(0) - pad), 0, self.lab.shape[1::-1]).astype(int)
        high = np.clip(np.ceil(around.max(0) + pad), 0, self.lab.shape[1::-1]).astype(int)
        where = slice(low[1], max(high[1], low[1])), slice(low[0], max(high[0], low[0]))
        return _WorkingPicture(self.lab[where], self.points - low, self.face[where]), where

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.lab.shape[:2]


def segment_parts(
    picture: np.ndarray, points: np.ndarray, confidence: np.ndarray, forehead: bool = True
) -> np.ndarray:
    """Label the parts of the one face whose landmarks are given; 0 where other or hidden.

    picture: H×W×3 uint8 RGB.
    points: 478×2 landmarks, pixels (corner origin).
    confidence: 478 in [0, 1]; a face without any gives an empty picture.
    forehead: False cuts the skin above the brows, where papers/4 does not trust it for hair.
    Returns H×W uint8 labels of face_model.part_labels. Not told apart: hands and other skin before
    the face, and hair or clothes of the skin's colour.
    """
    labels = np.zeros(picture.shape[:2], np.uint8)
    if points.shape != (COUNT, 2) or confidence.shape != (COUNT,):
        raise ValueError(
            f'expected {COUNT}×2 points and {COUNT} confidences, '
            f'not {points.shape} and {confidence.shape}'
        )
    if not np.isfinite(points).all() or confidence.max() <= 0:
        return labels
    low, high = points.min(0), points.max(0)
    side = float((high - low).max())
    low = np.maximum(np.floor(low - BOX_MARGIN * side), 0).astype(int)
    high = np.minimum(np.ceil(high + BOX_MARGIN * side), picture.shape[1::-1]).astype(int)
    if side < 8 or (high - low < 8).any():
        return labels
    size = np.maximum(np.round((high - low) * WORKING_SIDE / side).astype(int), 8)
    small = cv2.resize(
        picture[low[1] : high[1], low[0] : high[0]],
        size.tolist(),
        interpolation=cv2.INTER_AREA if side > WORKING_SIDE else cv2.INTER_LINEAR,
    )
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32) * np.float32(
        [100 / 255, 1, 1]
    ) - np.float32([0, 128, 128])
    logs = LOG_LIGHT[small]
    found = _label_parts(
        cv2.GaussianBlur(lab, (0, 0), 0.7),
        cv2.GaussianBlur(logs[..., :2] - logs[..., 1:], (0, 0), 0.7),
        (points.astype(np.float64) - low) * size / (high - low),
        confidence,
        forehead,
    )
    labels[low[1] : high[1], low[0] : high[0]] = _resized(found, tuple(high - low))
    return labels


def cut_forehead(labels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Take away the skin above the brows (papers/4, supplement B).

    Above the lines along their upper edges, carried on outwards.
    """
    upper = [points[_BROW_ROWS['right'][0]], points[_BROW_ROWS['left'][0]][::-1]]
    line = np.concatenate(upper).astype(np.float64)
    up = line.mean(0) - points[CHIN]
    up *= 3 / max(np.linalg.norm(up), 1e-9) * np.ptp(points, axis=0).max()
    across = line[-1] - line[0]
    line = np.concatenate([[line[0] - 9 * across], line, [line[-1] + 9 * across]])
    above = _fill(labels.shape, np.concatenate([line, [line[-1] + up, line[0] + up]]))
    return np.where(above & (labels == SKIN), 0, labels)


def _resized(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Labels at (width, height): each pixel takes the label that covers most of it."""
    if size[0] * 1.5 > labels.shape[1]:
        return cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
    share = [
        cv2.resize((labels == k).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        for k in range(LOWER_LIP + 1)
    ]
    return np.stack(share).argmax(0).astype(np.uint8)


def _fill(
    shape: tuple[int, int],
    polygon: np.ndarray | None = None,
    triangles: np.ndarray | None = None,
) -> np.ndarray:
    """H×W bool: pixels inside the polygon (N×2 px, corner origin) or any of the T×3×2 triangles."""
    out = np.zeros(shape, np.uint8)
    if polygon is not None:
        cv2.fillPoly(out, [_fixed(polygon)], 1, shift=4)
    for corners in () if triangles is None else _fixed(triangles):
        cv2.fillConvexPoly(out, corners, 1, shift=4)
    return out > 0


def _fixed(points: np.ndarray) -> np.ndarray:
    """OpenCV's fixed-point coordinates, its pixel centres at whole numbers."""
    return np.round((np.clip(points, -4000, 4000) - 0.5) * 16).astype(np.int32)


def _smooth(loop: np.ndarray, steps: int = 4) -> np.ndarray:
    """A closed curve through N×2 points, 4·N×2 (Catmull–Rom)."""
    a, b, c, d = (np.roll(loop, k, 0)[:, None] for k in (1, 0, -1, -2))
    u = (np.arange(steps) / steps)[None, :, None]
    doubled = (
        2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u**2 + (3 * b - a - 3 * c + d) * u**3
    )
    return (0.5 * doubled).reshape(-1, 2)


@functools.cache
def _part_triangles() -> dict[str, np.ndarray]:
    """Name → T×3 landmarks: 'nose', 'upper_lip', 'lower_lip', 'face'.

    Filled together they cover a part up to its silhouette in any pose.
    """
    face, sets, every = resting_face(), landmark_sets(), tesselation()

    def within(outline) -> np.ndarray:
        inside = inside_polygon(face, face[outline, :2])
        inside[outline] = True
        return every[inside[every].all(1)]

    lips = within(sets['outer_lip'])
    inner = face[sets['inner_lip'], :2]
    order = np.argsort(inner[:, 0])
    middle = face[lips].mean(1)
    upper = middle[:, 1] < np.interp(middle[:, 0], inner[order, 0], inner[order, 1])
    return {
        'nose': within(NOSE_OUTLINE),
        'upper_lip': lips[upper],
        'lower_lip': lips[~upper],
        'face': every,
    }


def _signed_distance(mask: np.ndarray) -> np.ndarray:
    """Pixels to the edge of a mask, positive inside."""
    one = mask.astype(np.uint8)
    return np.clip(
        cv2.distanceTransform(one, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - one, cv2.DIST_L2, 3),
        -NO_EDGE,
        NO_EDGE,
    )


def _gaussian(
    sample: np.ndarray, noise: np.ndarray = COLOUR_NOISE
) -> tuple[np.ndarray, np.ndarray]:
    """Mean C and covariance C×C of N×C colours, outliers left out."""
    sample = sample[:: max(1, len(sample) // MAX_SAMPLES)]
    away = np.abs(sample - np.median(sample, 0))
    kept = sample[(away <= 3 * np.median(away, 0) + 1.5 * np.sqrt(np.diag(noise))).all(1)]
    mean = kept.mean(0)
    return mean, (kept - mean).T @ (kept - mean) / len(kept) + noise


def _log_density(lab: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    factor = np.linalg.inv(np.linalg.cholesky(covariance)).astype(np.float32)
    away = lab.reshape(-1, len(mean)) @ factor.T - factor @ mean.astype(np.float32)
    return (np.log(np.diag(factor)).sum() - 0.5 * np.einsum('ij,ij->i', away, away)).reshape(
        lab.shape[:-1]
    )


def _two_gaussians(sample: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Gaussians of the darker and the lighter half (cavity and teeth, upper and lower lip)."""
    light = sample[:, 0]
    level = np.median(light)
    for _ in range(4):
        level = (
            (light[light <= level].mean() + light[light > level].mean()) / 2
            if (light > level).any()
            else level
        )
    return [
        _gaussian(half) for half in (sample[light <= level], sample[light > level]) if len(half) > 5
    ]


def _log_odds(
    lab: np.ndarray,
    inside: list[tuple[np.ndarray, np.ndarray]],
    outside: list[tuple[np.ndarray, np.ndarray]],
    most: float,
) -> np.ndarray:
    """H×W log odds that a pixel's colour is of a Gaussian inside rather than of one outside.

    most: their limit either way.
    """
    odds = np.max([_log_density(lab, *g) for g in inside], 0) - np.max(
        [_log_density(lab, *g) for g in outside], 0
    )
    return cv2.GaussianBlur(np.clip(odds, -most, most).astype(np.float32), (0, 0), 1.0)


def _fit_edge(
    lab: np.ndarray,
    mask: np.ndarray,
    sample_in: np.ndarray,
    sample_out: np.ndarray,
    kind: str,
    noise: np.ndarray = COLOUR_NOISE,
) -> np.ndarray:
    """Move a mask's edge to where the colours change.

    That is where the log odds of distance and colour together are above 0.

    sample_in, sample_out: H×W bool, pixels each colour is learnt from; for the mouth's inside, and
        the lips round it, two colours each.
    """
    sigma, most = OUTLINE_NOISE[kind][0] * WORKING_SIDE, OUTLINE_NOISE[kind][1]
    odds = 2 * _signed_distance(mask) / sigma
    if min(sample_in.sum(), sample_out.sum()) >= MIN_SAMPLES:
        inside, outside = (
            (_two_gaussians(lab[sample]) if kind == 'inside' else [_gaussian(lab[sample], noise)])
            for sample in (sample_in, sample_out)
        )
        odds += _log_odds(lab, inside, outside, most)
    return odds > 0


def _largest(mask: np.ndarray, least: float = 0) -> np.ndarray:
    """The largest connected piece, or nothing where it has fewer than `least` pixels."""
    count, piece, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return mask
    best = 1 + stats[1:, cv2.CC_STAT_AREA].argmax()
    return (piece == best) & (stats[best, cv2.CC_STAT_AREA] >= least)


def _label_parts(
    lab: np.ndarray, chroma: np.ndarray, points: np.ndarray, confidence: np.ndarray, forehead: bool
) -> np.ndarray:
    """Labels of the working picture."""
    sets, shape = landmark_sets(), lab.shape[:2]
    work, skin = _skin(lab, chroma, points)
    labels = np.where(skin, SKIN, 0).astype(np.uint8)
    if not forehead:
        labels = cut_forehead(labels, points)
    nose = _fill(shape, _smooth(points[NOSE_OUTLINE]), points[_part_triangles()['nose']])
    for side, label in (('left', LEFT_BROW), ('right', RIGHT_BROW)):
        if confidence[np.concatenate(_BROW_ROWS[side])].mean() >= TRUSTED:
            mask, where = _brow(work, side)
            labels[where][mask] = label
    for side, label in (('left', LEFT_EYE), ('right', RIGHT_EYE)):
        if confidence[sets[f'{side}_eye']].mean() >= TRUSTED:
            mask, where = _eye(work, sets[f'{side}_eye'])
            labels[where][mask] = label
    if confidence[sets['lips']].mean() >= TRUSTED:
        upper, lower, inside, where = _lips(work)
        labels[where][inside] = 0
        labels[where][upper], labels[where][lower] = UPPER_LIP, LOWER_LIP
    labels[nose] = NOSE
    return labels


def _skin(
    lab: np.ndarray, chroma: np.ndarray, points: np.ndarray
) -> tuple[_WorkingPicture, np.ndarray]:
    """The working picture with the skin's shading taken off, and its skin, H×W bool.

    Skin is the face without hair and things of another colour that reach in from its border; beards
    are skin.
    """
    sets, shape = landmark_sets(), lab.shape[:2]
    face = _fill(shape, points[sets['oval']], points[_part_triangles()['face']])
    features = np.zeros(shape, bool)
    for loop in (
        sets['left_eye'],
        sets['right_eye'],
        sets['outer_lip'],
        *(np.concatenate([high, low[::-1]]) for high, low in _BROW_ROWS.values()),
    ):
        features |= _fill(shape, cv2.convexHull(points[loop].astype(np.float32))[:, 0])
    depth = _signed_distance(face)
    sure = (
        face & (_signed_distance(~features) > 0.02 * WORKING_SIDE) & (depth > 0.04 * WORKING_SIDE)
    )
    if sure.sum() < MIN_SAMPLES:
        return _WorkingPicture(lab, points, face), face
    mean, covariance = _gaussian(chroma[sure], CHROMA_SPREAD)
    unlike = _log_density(mean, mean, covariance) - _log_density(chroma, mean, covariance)
    sure &= (unlike < 3) & (lab[..., 0] > 0.35 * np.median(lab[..., 0][sure][::7]))
    if sure.sum() < MIN_SAMPLES:
        return _WorkingPicture(lab, points, face), face
    mean = lab[sure].mean(0)
    small = (max(shape[1] // 4, 2), max(shape[0] // 4, 2))
    weight = cv2.resize(sure.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    total = cv2.GaussianBlur(
        cv2.resize(lab * sure[..., None], small, interpolation=cv2.INTER_AREA),
        (0, 0),
        SHADING_SCALE * WORKING_SIDE / 4,
    )
    weight = cv2.GaussianBlur(weight, (0, 0), SHADING_SCALE * WORKING_SIDE / 4)[..., None]
    base = (total + 1e-3 * mean.astype(np.float32)) / (weight + 1e-3)
    relative = lab - cv2.resize(base, shape[::-1], interpolation=cv2.INTER_LINEAR)
    upper = _fill(shape, _upper_face(points))
    strange = unlike > np.where(upper, NOT_SKIN, NOT_BEARD)
    strange |= upper & (relative[..., 0] < HAIR_DARKNESS)
    strange = cv2.morphologyEx(
        (strange & face).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)
    )
    _, piece, stats, _ = cv2.connectedComponentsWithStats(strange, connectivity=4)
    left_out = np.isin(np.arange(len(stats)), piece[face & (depth < 0.02 * WORKING_SIDE)]) & (
        stats[:, cv2.CC_STAT_AREA] > 0.001 * WORKING_SIDE**2
    )
    left_out[0] = False
    return _WorkingPicture(relative, points, face), face & ~left_out[piece]


def _upper_face(points: np.ndarray) -> np.ndarray:
    """4×2 polygon of where no beard grows.

    All above the line through the eyes' outer corners, lowered to the nose's middle.
    """
    right, left = points[list(OUTER_EYE_CORNERS)]
    down = 0.5 * (points[SUBNASAL] - (right + left) / 2)
    across = 3 * (left - right)
    return np.stack(
        [
            right + down - across,
            left + down + across,
            left - 9 * down + across,
            right - 9 * down - across,
        ]
    )


def _eye(work: _WorkingPicture, loop: np.ndarray) -> tuple[np.ndarray, tuple[slice, slice]]:
    """What is not skin between the lids; nothing where they are closed."""
    part, where = work.window(work.points[loop], 0.09 * WORKING_SIDE)
    outline = _smooth(part.points[loop])
    if min(part.shape) < MIN_WINDOW:
        return np.zeros(part.shape, bool), where
    distance = _signed_distance(_fill(part.shape, outline))
    skin = part.face & (distance < -0.02 * WORKING_SIDE) & (distance > -0.06 * WORKING_SIDE)
    if skin.sum() < MIN_SAMPLES:
        return np.zeros(part.shape, bool), where
    sigma, most = OUTLINE_NOISE['eye'][0] * WORKING_SIDE, OUTLINE_NOISE['eye'][1]
    odds = _log_odds(
        part.lab, [(EYE_COLOUR[0], np.diag(EYE_COLOUR[1] ** 2))], [_gaussian(part.lab[skin])], most
    )
    distance = _signed_distance(_fill(part.shape, outline + _best_shift(odds, outline, *EYE_SHIFT)))
    out = (
        cv2.morphologyEx((2 * distance / sigma + odds > 0).astype(np.uint8), cv2.MORPH_OPEN, CROSS)
        > 0
    )
    width = np.linalg.norm(part.points[loop][:, None] - part.points[loop], axis=-1).max()
    return _largest(out & part.face & (distance > -0.03 * WORKING_SIDE), 0.04 * width**2), where


def _brow(work: _WorkingPicture, side: str) -> tuple[np.ndarray, tuple[slice, slice]]:
    high, low = _BROW_ROWS[side]
    part, where = work.window(work.points[high + low], 0.14 * WORKING_SIDE)
    if min(part.shape) < MIN_WINDOW:
        return np.zeros(part.shape, bool), where
    outline = _smooth(np.concatenate([part.points[high], part.points[low][::-1]]))
    outline += _best_shift(np.clip(-part.lab[..., 0], -5, 30), outline, *BROW_SHIFT)
    mask = _fill(part.shape, outline)
    distance = _signed_distance(mask)
    near, outside, inside = (
        part.face & (distance > -0.045 * WORKING_SIDE),
        part.face & (distance < -0.03 * WORKING_SIDE),
        mask & part.face,
    )
    for _ in range(2):
        inside = _fit_edge(part.lab, mask, inside & near, outside, 'brow') & near
    return _largest(inside), where


def _best_shift(evidence: np.ndarray, outline: np.ndarray, reach: float, cost: float) -> np.ndarray:
    """The shift (x, y px) that puts an outline where evidence inside it is highest.

    That is beside its surroundings.

    evidence: H×W.
    reach: of the face's side.
    cost: what a shift as far as that costs, in the evidence's unit.
    """
    reach = int(reach * WORKING_SIDE)
    mask = _fill(evidence.shape, outline)
    distance = _signed_distance(mask)
    ring = (distance < -0.012 * WORKING_SIDE) & (distance > -0.05 * WORKING_SIDE)
    if min(evidence.shape) <= 2 * reach + 4 or not mask.any() or not ring.any():
        return np.zeros(2)
    kernel = (mask / mask.sum() - ring / ring.sum()).astype(np.float32)[reach:-reach, reach:-reach]
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    gain = (
        cv2.matchTemplate(evidence.astype(np.float32), kernel, cv2.TM_CCORR)
        - cost * (x**2 + y**2) / reach**2
    )
    return np.array([x.ravel()[gain.argmax()], y.ravel()[gain.argmax()]], np.float64)


def _lips(work: _WorkingPicture) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[slice, slice]]:
    """Upper lip, lower lip and what is between them, in a window."""
    sets = landmark_sets()
    part, where = work.window(work.points[sets['outer_lip']], 0.10 * WORKING_SIDE)
    points, shape = part.points, part.shape
    if min(shape) < MIN_WINDOW:
        return *[np.zeros(shape, bool)] * 3, where
    high, low = (
        _fill(shape, None, points[_part_triangles()[name]]) for name in ('upper_lip', 'lower_lip')
    )
    inside = (
        _fill(shape, _smooth(points[sets['inner_lip']]))
        if _mouth_gap(points) > MOUTH_SHUT
        else np.zeros(shape, bool)
    )
    whole = _fill(shape, _smooth(points[sets['outer_lip']])) | high | low
    distance, depth = (
        _signed_distance(whole),
        _signed_distance(inside) if inside.any() else np.full(shape, -99.0, np.float32),
    )
    near = distance > -0.03 * WORKING_SIDE
    ring = (distance > 0.006 * WORKING_SIDE) & (depth < -0.006 * WORKING_SIDE)
    upper, skin = (
        _above_mouth(points, shape),
        part.face & (distance < -0.015 * WORKING_SIDE) & (distance > -0.07 * WORKING_SIDE),
    )
    outer = np.zeros(shape, bool)
    for half in (upper, ~upper):  # lit differently
        outer |= half & _fit_edge(part.lab, whole, ring & half, skin & half, 'lip', noise=LIP_NOISE)
    outer = outer & near | (distance > 0.03 * WORKING_SIDE) | inside
    if inside.any():
        inside = (
            _fit_edge(
                part.lab,
                inside,
                depth > min(0.01 * WORKING_SIDE, 0.4 * depth.max()),
                ring,
                'inside',
            )
            & whole
            & (depth > -0.03 * WORKING_SIDE)
        )
    red = _largest(
        cv2.morphologyEx((outer & part.face).astype(np.uint8), cv2.MORPH_OPEN, CROSS, iterations=2)
        > 0
    )
    return red & ~inside & upper, red & ~inside & ~upper, inside, where


def _mouth_gap(points: np.ndarray) -> float:
    """Area between the lips, of the mouth's width squared."""
    x, y = inner = points[landmark_sets()['inner_lip']].T
    width = np.linalg.norm(inner.T[:, None] - inner.T, axis=-1).max()
    return float(
        abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2 / max(width, 1e-9) ** 2
    )


def _above_mouth(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pixels above the middle line between the lips, carried on beyond the mouth's corners."""
    one, other = (
        points[way] for way in between_corners(landmark_sets()['inner_lip'], MOUTH_CORNERS)
    )
    middle = (one + other) / 2
    across = middle[-1] - middle[0]
    up = (points[landmark_sets()['outer_lip']].mean(0) - points[CHIN]) * 9
    line = np.concatenate([[middle[0] - across], middle, [middle[-1] + across]])
    return _fill(shape, np.concatenate([line, [line[-1] + up, line[0] + up]]))
