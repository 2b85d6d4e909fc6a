"""Matches of two pictures: one drawn as the other's camera would see it, and compared.

The second picture is carried over the fitted head into the first; what is then still off is found
by dense inverse search (Kroeger et al. 2016, "Fast optical flow using dense inverse search";
OpenCV's DISOpticalFlow), which sees ten pixels far where a picture's gradient sees one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch

from ..core.threads import map_in_threads
from ..face_model.model import FaceModel
from ..face_model.paint import visible_faces
from ..geometry.polygons import triangulate
from ..geometry.rotations import so3_log
from ..render.rasterise import rasterise
from .appearance import POINT_DEPTH_TOLERANCE, AppearanceSamples, HeadInPicture, camera_in, heads
from .options import StandardOptions
from .pictures import SIZE, Points, ViewPictures
from .pixel_derivatives import by_camera_point
from .point_basis import DTYPE, PointBasis, as_tensor
from .state import State, nodes_of, to_pixels
from .stereo_term import MOST_NODES, Moment, StereoMatch

FLOW_NOISE = 0.7  # crop pixels: a match's standard deviation (dev3, at its true head: 0.6 to 0.8)
FURTHEST = 8.0  # crop pixels: of that length a flow is half believed
DISAGREEMENT = 1.0  # crop pixels: what there and back may differ by
MARGIN = 3  # pixels of the crop: matches so near to what only one picture shows are left out
FEWEST = 20  # points of a match
STEEPEST = 4.0  # of a turn: skin that one of the two sees as good as from the side
WIDE, FINE = 8.0, 0.7  # crop pixels: blurs between which a picture is compared
# What is compared is a byte: the middle, how much of it a local contrast makes, and (of the
# picture's byte) the least that counts as contrast.
MIDDLE, CONTRAST, LEAST_CONTRAST = 128, 45, 2.0
LEAST_TRUST = 0.05  # a point with less is left out
# Radians between two pictures of one view: the least, what is enough, and the most.
LEAST_TURN, TURN, MOST_TURN = 0.1, 0.3, 0.6
# Of an expression's motion: what the model has wrong of it. cm: what two pictures of a still face
# are off by (FLOW_NOISE, of a crop that shows 30 cm).
UNKNOWN_MOTION, STILL_NOISE = 0.3, 0.06
REMEMBERED = 16  # pictures that are kept drawn


@dataclass(frozen=True)
class _Picture:
    """A picture with the fitted head in it.

    posed: the head; triangle, barycentric, depth: see rasterise; detail SIZE×SIZE uint8: what is
    compared; trust P in [0, 1]: in the points there
    """

    posed: HeadInPicture
    triangle: np.ndarray
    barycentric: np.ndarray
    depth: np.ndarray
    detail: np.ndarray
    trust: np.ndarray

    def place(self, points: np.ndarray) -> np.ndarray:
        """Project N×3, camera space, to pixels of the crop (corner origin)."""
        posed = self.posed
        return posed.inside(to_pixels(points.astype(np.float64), posed.camera, posed.focal))

    def shows(self, points: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Tell which of N×3, camera space, at N×2 pixels of the crop, nothing hides."""
        x, y = np.clip(at.astype(int), 0, SIZE - 1).T
        return np.abs(points[:, 2] - self.depth[y, x]) < 2 * POINT_DEPTH_TOLERANCE


def stereo_matches(
    model: FaceModel,
    neutral: np.ndarray,
    points: Points,
    seen_by_view: Sequence[ViewPictures],
    samples: Sequence[AppearanceSamples],
    state: State,
    options: StandardOptions,
) -> tuple[StereoMatch, ...]:
    """Match every picture with the next view's nearest in time.

    Of one view alone, with those in which the head is turned otherwise, and is held there.

    neutral V×3, cm: of the person. samples: of each view, whose trust the matches share.
    """
    triangles = triangulate(model.faces[visible_faces(model)])

    @lru_cache(maxsize=REMEMBERED)
    def picture(view: int, row: int) -> _Picture:
        trust, seen = samples[view].trust[row], seen_by_view[view]
        head = heads(model, neutral, state, seen.landmarks, view, slice(row, row + 1))[0]
        focal = float(state.shared.log_focal[view].exp())
        return _draw(HeadInPicture(head, seen.pictures, row, seen.camera, focal), triangles, trust)

    def match(pair: tuple[tuple[int, int], tuple[int, int]]) -> StereoMatch | None:
        views, rows = pair
        moments = [_moment(seen_by_view[view], row) for view, row in zip(views, rows)]
        found = _compare(picture(views[0], rows[0]), picture(views[1], rows[1]), triangles, points)
        if found is None:
            return None
        held = nodes_of(state.trajectory, moments[1].node) if alone else None
        return StereoMatch(views, tuple(moments), *found[:-1], share * found[-1], held)

    alone = len(seen_by_view) == 1
    if alone:
        pairs = turned_pairs(seen_by_view[0], state, points.basis, options.partners)
        share = options.lone_stereo / max(len(pairs), 1)
    else:
        pairs, share = list(_pairs(seen_by_view)), options.stereo
    return tuple(found for found in map_in_threads(match, pairs) if found is not None)


def _pairs(
    seen_by_view: Sequence[ViewPictures],
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """List neighbouring views, and of each a picture near in time to the other's (its row)."""
    for view in range(len(seen_by_view) - 1):
        one, next_ = (seen_by_view[v].landmarks for v in (view, view + 1))
        times = (next_.node + next_.between).numpy()
        for row in range(len(one.node) if len(times) else 0):
            nearest = int(np.abs(times - float(one.node[row] + one.between[row])).argmin())
            first = torch.stack([one.node[row], next_.node[nearest]])
            last = first + (torch.stack([one.between[row], next_.between[nearest]]) > 0)
            if int(last.max() - first.min()) <= MOST_NODES:
                order = (0, 1) if row % 2 else (1, 0)  # either is carried into the other by turns
                both = (view, row), (view + 1, nearest)
                yield tuple(zip(*(both[k] for k in order)))


def turned_pairs(
    seen: ViewPictures, state: State, basis: PointBasis, partners: int
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """List, for every picture of one view, some in which the head is turned otherwise.

    Those worth most: the square of the turn over that of what the two are off by, which grows with
    how far the expression has moved the face's points.
    """
    nodes = seen.landmarks.node
    exact = (seen.landmarks.between == 0).numpy()
    rotation, weights = state.trajectory.rotation[nodes], state.trajectory.weights[nodes]
    turn = so3_log(rotation[:, None] @ rotation[None].mT).norm(dim=2).numpy()
    shapes = basis.expressions.flatten(0, 1)
    changed = weights[:, None] - weights[None]
    moved = torch.einsum('ije,ef,ijf->ij', changed, shapes.T @ shapes, changed) / len(basis.mean)
    off = 1 + moved.numpy() * (UNKNOWN_MOTION / STILL_NOISE) ** 2
    worth = np.minimum(turn, TURN) ** 2 / off
    worth[(turn <= LEAST_TURN) | (turn >= MOST_TURN) | ~exact | ~exact[:, None]] = 0
    best = np.argsort(-worth, axis=1, kind='stable')[:, :partners]
    return [
        ((seen.view, seen.view), (row, int(other)))
        for row, others in enumerate(best)
        for other in others
        if worth[row, other] > 0
    ]


def _moment(seen: ViewPictures, row: int) -> Moment:
    own = slice(row, row + 1)
    return Moment(seen.landmarks.node[own], seen.landmarks.between[own])


def _draw(posed: HeadInPicture, triangles: np.ndarray, trust: np.ndarray) -> _Picture:
    """Draw a head into a picture, and make its crop what is compared."""
    flat, focal, centre = camera_in(posed)
    drawn = rasterise(flat, triangles, focal, centre, (SIZE, SIZE))
    light = cv2.cvtColor(posed.pictures.crops[posed.row], cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = cv2.GaussianBlur(light, (0, 0), FINE) - cv2.GaussianBlur(light, (0, 0), WIDE)
    contrast = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 1.5 * WIDE)) + LEAST_CONTRAST
    detail = np.clip(MIDDLE + CONTRAST * fine / contrast, 0, 255).astype(np.uint8)
    return _Picture(posed, *drawn, detail, trust)


def _compare(
    first: _Picture,
    second: _Picture,
    triangles: np.ndarray,
    points: Points,
) -> tuple[torch.Tensor, ...] | None:
    """Match two pictures: a StereoMatch's fields from `index` on, None where few points match."""
    forward, apart, shared = _flow(first, second, triangles)
    place = first.place(first.posed.head[points.vertex])
    at = (place - 0.5).astype(np.float32)[None]
    off, apart, shared = (
        cv2.remap(one, at, None, cv2.INTER_LINEAR)[0] for one in (forward, apart, shared)
    )
    sure = (apart < DISAGREEMENT) & (shared > 1 - 1e-3)
    trust = first.trust * second.trust * sure / (1 + (off**2).sum(1) / FURTHEST**2)
    index = np.flatnonzero(trust > LEAST_TRUST)
    turn = _turn(first.posed, second.posed, points.vertex[index], points.ring[index])
    steep = torch.linalg.matrix_norm(turn, 2)
    kept = torch.isfinite(steep) & (steep < STEEPEST)
    index, turn = index[kept.numpy()], turn[kept]
    if len(index) < FEWEST:
        return None
    posed = first.posed
    scale = SIZE / posed.pictures.windows[posed.row].side * np.array([1.0, posed.camera.aspect])
    return (
        torch.as_tensor(index),
        tuple(_undistorted(one.posed, points.vertex[index]) for one in (first, second)),
        as_tensor(off[index] / scale),
        turn,
        as_tensor(trust[index] * scale.prod() / FLOW_NOISE**2),
    )


def _flow(
    first: _Picture, second: _Picture, triangles: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find how far off the second's content, carried over the head, lies in the first.

    Returns it, SIZE×SIZE×2 crop pixels; by how much there and back differ, and what both show (1,
    else 0): SIZE×SIZE float32 each.
    """
    on = first.triangle >= 0
    corners = second.posed.head[triangles[first.triangle[on]]]
    there = np.einsum('nc,nci->ni', first.barycentric[on], corners)
    at = second.place(there)
    source, both = np.full((SIZE, SIZE, 2), -1, np.float32), np.zeros((SIZE, SIZE), np.float32)
    source[on], both[on] = at - 0.5, second.shows(there, at)
    carried = cv2.remap(second.detail, source, None, cv2.INTER_LINEAR)
    carried = np.where(both > 0, carried, first.detail)
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(1)
    forward = flow.calc(carried, first.detail, None)
    backward = flow.calc(first.detail, carried, None)
    grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), -1).astype(np.float32)
    back = cv2.remap(backward, grid + forward, None, cv2.INTER_LINEAR)
    apart = np.linalg.norm(forward + back, axis=2)
    return forward, apart, cv2.erode(both, np.ones((2 * MARGIN + 1,) * 2))


def _undistorted(posed: HeadInPicture, vertex: np.ndarray) -> torch.Tensor:
    """Project vertices to pixels as a ViewLandmarks's: P×2."""
    at = posed.head[vertex].astype(np.float64)
    return torch.as_tensor(at[:, :2] / at[:, 2:] * posed.focal)


def _turn(
    first: HeadInPicture, second: HeadInPicture, vertex: np.ndarray, ring: np.ndarray
) -> torch.Tensor:
    """Find how points that slide on the skin move in the first picture by how in the second."""
    moved = []
    for posed in (first, second):
        a, b, c = np.moveaxis(posed.head[ring].astype(np.float64), 1, 0)
        at = torch.as_tensor(posed.head[vertex].astype(np.float64))
        by_point = by_camera_point(at, torch.tensor(posed.focal, dtype=DTYPE))
        moved.append(by_point @ torch.as_tensor(np.stack([b - a, c - a], -1)))
    return moved[0] @ torch.linalg.pinv(moved[1])
