"""Quality 'personal': Standard's head gets its own surface, seen in the skin's texture.

papers/1, with its motion held: pictures of all views and times are compared with the drawn head,
whose skin has an appearance of its own, and the surface moves to where the texture agrees from all
sides. Solved by Gauss-Newton, where the paper descends in differential coordinates: the prior's
thin plate spreads what a vertex is told to its neighbours and to the socket behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.threads import map_in_threads
from ..face_model.lip_sections import seal_lips
from ..face_model.model import FaceModel
from ..footage.footage import View
from ..formats.trajectory import TimedTrajectory
from ..geometry.folds import unfold
from ..geometry.normals import vertex_normals
from ..wrap.template import ride_along, skin_and_sockets
from .appearance import SkinAppearance, first_appearance, fit_appearance
from .flow import VertexFlow, vertex_flow
from .options import PersonalOptions
from .pictures import Pictures, cut_pictures
from .skin_pixels import SkinPixels, SkinSurface, skin_pixels, skin_surface
from .surface_prior import most_likely, surface_prior

FIRST_APPEARANCE, NEXT_APPEARANCE = 3, 1  # times that albedo and light are found in turn
# of a round's work: when the pictures are drawn, the appearance is known, the flow is known
DRAWN, LIT, FLOWN = 0.35, 0.75, 0.95
# of the whole work: when the pictures are cut out, and their faces masked
CUT, MASKED = 0.05, 0.2


@dataclass(frozen=True)
class PersonalHead:
    """neutral: V×3 float32 cm; pictures: how many told of it; moved: mm, its face's mean motion."""

    neutral: np.ndarray
    pictures: int
    moved: float


def refine(
    model: FaceModel,
    neutral: np.ndarray,
    trajectory: TimedTrajectory,
    views: Sequence[View],
    present: Sequence[np.ndarray],
    options: PersonalOptions = PersonalOptions(),  # noqa: B008, frozen
) -> Iterator[float | PersonalHead]:
    """Find a head's own neutral: yields the part of the work done, then the PersonalHead.

    neutral: V×3 cm, Standard's
    trajectory: with the weights of the model's expressions
    views: with the cameras that were found; present: of each T bool, where the face was seen

    Raises FacewrightError where fewer than two pictures show the face.
    """
    yield 0.0
    skin, _, triangles = skin_and_sockets(model)
    face = model.regions['narrow_face']
    pictures = cut_pictures(views, present, trajectory, neutral[face], options.pictures)
    yield CUT
    faces: list[np.ndarray] = []

    def mask(row: int) -> np.ndarray:
        marks = pictures.points(row, neutral, model.expressions)[model.landmarks68]
        return pictures.face_mask(row, marks)

    for one in map_in_threads(mask, range(len(pictures))):
        faces.append(one)
        yield CUT + (MASKED - CUT) * len(faces) / len(pictures)
    surface, prior = skin_surface(model), surface_prior(neutral[skin], triangles, options)
    appearance = first_appearance(len(views), options.texels)
    moved = np.zeros((len(skin), 3))
    head = neutral.astype(np.float64)
    for turn in range(options.rounds):
        work = _Round(model, head, pictures, faces, surface, appearance, options)
        for fraction in work.look(NEXT_APPEARANCE if turn else FIRST_APPEARANCE):
            yield MASKED + (1 - MASKED) * (turn + fraction) / options.rounds
        appearance = work.appearance
        likely = most_likely(work.stiffness[skin], work.force[skin], prior, moved)
        moved += along_normals(likely - moved, vertex_normals(head[skin], triangles))
        head = ride_along(model, neutral.astype(np.float64), skin, neutral[skin] + moved)
        yield MASKED + (1 - MASKED) * (turn + 1) / options.rounds
    own, _ = unfold(neutral[skin].astype(np.float64), neutral[skin] + moved, triangles)
    head = ride_along(model, neutral.astype(np.float64), skin, own)
    head = seal_lips(model, head.astype(np.float32))
    far = np.linalg.norm(head - neutral, axis=1)[face]
    yield PersonalHead(head, len(pictures), float(10 * far.mean()))


def along_normals(moves: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Take the part of moves (S×3) along a surface's normals (S×3).

    What is left would only slide texture over the surface: it takes up that the appearance was
    found with the surface in the wrong place, and is not the surface's own.
    """
    return (moves * normals).sum(1, keepdims=True) * normals


class _Round:
    """One look at all pictures: the head drawn, its appearance, and where it should move."""

    def __init__(
        self,
        model: FaceModel,
        head: np.ndarray,
        pictures: Pictures,
        faces: Sequence[np.ndarray],
        surface: SkinSurface,
        appearance: SkinAppearance,
        options: PersonalOptions,
    ) -> None:
        self.model, self.head, self.pictures, self.faces = model, head, pictures, faces
        self.surface, self.appearance, self.options = surface, appearance, options

    def look(self, rounds: int) -> Iterator[float]:
        """Draw, fit the appearance in `rounds` turns, and sum the flow: yields the part done."""
        pictures, count = self.pictures, len(self.pictures)
        pixels: list[SkinPixels] = []
        for one in map_in_threads(self._draw, range(count)):
            pixels.append(one)
            yield DRAWN * len(pixels) / count
        self.appearance = fit_appearance(
            self.appearance, pictures.colours, pictures.view, pixels, rounds
        )
        yield LIT
        self.stiffness = np.zeros((self.model.vertex_count, 3, 3))
        self.force = np.zeros_like(self.head)
        flows = map_in_threads(lambda row: self._flow(row, pixels[row]), range(count))
        for done, one in enumerate(flows, 1):
            self.stiffness += one.stiffness
            self.force += one.force
            yield LIT + (FLOWN - LIT) * done / count

    def _draw(self, row: int) -> SkinPixels:
        pictures = self.pictures
        return skin_pixels(
            self.surface,
            self._points(row),
            float(pictures.focal[row]),
            pictures.centre[row],
            pictures.colours[row],
            self.faces[row],
        )

    def _points(self, row: int) -> np.ndarray:
        return self.pictures.points(row, self.head, self.model.expressions)

    def _flow(self, row: int, pixels: SkinPixels) -> VertexFlow:
        pictures = self.pictures
        shown = self.appearance.shown(pixels, int(pictures.view[row]))
        projection = projection_of(
            self._points(row), pictures.pose[row], float(pictures.focal[row])
        )
        return vertex_flow(shown, pictures.colours[row], pixels, projection, self.options)


def projection_of(points: np.ndarray, pose: np.ndarray, focal: float) -> np.ndarray:
    """Return how far points move in a picture as they move in head space: V×2×3, px a cm.

    points: V×3 cm, camera space; pose: 3×4, head → camera
    """
    depth = points[:, 2, None]
    in_camera = np.zeros((len(points), 2, 3))
    in_camera[:, [0, 1], [0, 1]] = focal / depth
    in_camera[:, :, 2] = -focal * points[:, :2] / depth**2
    return in_camera @ pose[:, :3]
