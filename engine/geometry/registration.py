"""Non-rigid registration of a template mesh onto any target surface (papers/3, B.1, eq. 8).

Over displacements d of the template's vertices from where they start,

    Σ aᵢ wᵢ (p₁ ‖vᵢ − cᵢ‖² + p₂ (nᵢ·(vᵢ − cᵢ))²)  +  α (dᵀ Lᵀ A⁻¹ L d + β dᵀ L d)
        +  Σ λ ‖v_l − t_l‖²

with cᵢ the closest point of the target with an agreeing normal nᵢ, p₁ = 0.1 and p₂ = 1 (paper), aᵢ
the vertex's area, L the cotangent Laplacian and A the areas of the start (bending, and a little
stretching). Where the paper's text and ours differ: the membrane acts on displacements (on
positions it shrinks the mesh); sums are integrals over area, so that α (cm⁴) and β (cm⁻²) mean the
same on any mesh: α^¼ is the length, in cm, below which the template keeps its own shape: 1.7 cm at
first, .3 cm in the end (the paper's 1e8 … 1e6 belong to its mesh, its units and its sum). The start
replaces the paper's correspondence network: search distance and normal angle begin wide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from ..core.errors import FacewrightError
from .border import Border
from .closest import Surface, interpolate
from .folds import Folded, Folds, LooseRegions, push_apart, smoothed
from .laplacian import cotangent_laplacian, mass
from .normals import vertex_normals
from .rigid import rigid_motion

HIDDEN_DISTANCE = 0.1  # cm: vertices that face the template itself match no further away than this
LOOSENINGS = 6  # rounds of dropping the matches round folds
LEAST_MATCHED = 0.05  # of the template's weight: with less it has nothing to follow


@dataclass(frozen=True)
class RegistrationOptions:
    """How `register` weighs its terms. Of a pair the first is where it begins, the second the end.

    point: weight of point-to-point (paper)
    plane: weight of point-to-plane (paper)
    stiffness: cm⁴, α (measured here: truth of captures/dev, real scans)
    relax: α is divided by this once the motion has fallen (paper 2; larger is as good and faster:
        measured here)
    membrane: cm⁻², β: stretching against bending (measured here)
    settled: cm: α falls once vertices move less than this, root mean square (paper 0.1 mm)
    iterations: at most, with one α
    distance: cm: how far a match may be (paper .1, with its network's correspondences)
    angle: degrees between the normals of a match (paper 5)
    landmark: cm², λ of a landmark (detected ones are off by 1–3 mm; sure ones: 5, 5)
    landmark_weights: L: λ's factor for each landmark
    align: rotate and shift the template onto the landmarks first
    weights: V, w: 0 where the template has nothing to follow on the target
    vertex_stiffness: V: α's factor at each vertex
    facing: cm: what faces the template itself from nearer (folds, slits) matches only where it lies
    clean: take folds and crossings away at the end
    """

    point: float = 0.1
    plane: float = 1.0
    stiffness: tuple[float, float] = (8.0, 0.01)
    relax: float = 7.4
    membrane: float = 1.0
    settled: float = 0.01
    iterations: int = 3
    distance: tuple[float, float] = (2.0, 0.3)
    angle: tuple[float, float] = (60.0, 37.0)
    landmark: tuple[float, float] = (0.5, 0.005)
    landmark_weights: np.ndarray | None = None
    align: bool = False
    weights: np.ndarray | None = None
    vertex_stiffness: np.ndarray | None = None
    facing: float = 0.6
    clean: bool = True


DEFAULTS = RegistrationOptions()


@dataclass(frozen=True)
class Registered:
    """A template on its target.

    vertices: V×3, cm
    matched: V bool: had a match in the end
    distance: V, cm to the target, of every vertex
    folds: flipped triangles and new self-crossings that cleaning could not smooth away
    """

    vertices: np.ndarray
    matched: np.ndarray
    distance: np.ndarray
    folds: int = 0


class Target:
    """A surface to register onto: welded, with vertex normals and its border known."""

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray):
        vertices, triangles = np.asarray(vertices, np.float64), np.asarray(triangles)
        Surface(vertices, triangles[:1])
        same, where = np.unique(vertices, axis=0, return_inverse=True)
        triangles = where.reshape(-1)[triangles]
        distinct = (triangles != np.roll(triangles, 1, axis=1)).all(1)
        self.surface = Surface(same, triangles[distinct])
        self.normals = vertex_normals(same, self.surface.triangles)
        self.border = Border(self.surface.triangles, len(same))

    def match(
        self, points: np.ndarray, normals: np.ndarray, distance: float, agreement: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find closest points with an agreeing normal, their normals, N×3, and which count, N bool.

        Those count that are near enough and not on a border.

        points, normals: N×3
        distance: cm, how far a match may be
        agreement: cosine between the normals of a match
        """
        triangle, barycentric, point, _ = self.surface.closest(points, distance, normals, agreement)
        found = triangle >= 0
        normal = np.zeros_like(points)
        normal[found] = interpolate(
            self.normals, self.surface.triangles, triangle[found], barycentric[found]
        )
        normal[found] /= np.maximum(np.linalg.norm(normal[found], axis=1, keepdims=True), 1e-12)
        return (
            point,
            normal,
            found
            & ~self.border.holds(triangle, barycentric)
            & ((normal * normals).sum(1) >= agreement),
        )


def register(
    source_vertices: np.ndarray,
    triangles: np.ndarray,
    target_vertices: np.ndarray,
    target_triangles: np.ndarray,
    landmarks: np.ndarray | tuple[np.ndarray, np.ndarray] | None = None,
    landmark_targets: np.ndarray | None = None,
    options: RegistrationOptions = DEFAULTS,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Registered:
    """Register a template onto a target surface of any topology; all in cm.

    The target may have holes, noise and surplus parts. The template must start near it: within
    options.distance[0], turned by less than options.angle[0]. Vertices without a match follow their
    neighbours smoothly.

    source_vertices, triangles: V×3, T×3, the template
    target_vertices, target_triangles: of any number
    landmarks: L vertex indices, or (triangles L×3 of vertex indices, barycentric weights L×3)
    landmark_targets: L×3

    Raises FacewrightError where hardly anything matches.
    """
    start, triangles = np.array(source_vertices, np.float64), np.asarray(triangles, np.int32)
    if not np.isfinite(start).all():
        raise FacewrightError(
            'The template has vertices that are not finite numbers: use an unmodified face model.'
        )
    pick, goal = _landmark_matrix(landmarks, landmark_targets, len(start))
    target = Target(target_vertices, target_triangles)
    if options.align and len(goal):
        rotation, translation, _ = rigid_motion(pick @ start, goal)
        start = start @ rotation.T + translation
    system = _System(start, triangles, pick, goal, options)
    last = _follow(system, target, options, progress)
    vertices, folds, matched = start + system.moved, 0, last.matched
    if options.clean:
        seen, matched = _cleaned(system, last, progress)
        vertices, folds = seen.vertices, seen.count
    _, _, _, away = target.surface.closest(vertices)
    progress(1.0)
    return Registered(vertices, matched, away, folds)


@dataclass(frozen=True)
class _Matches:
    """What the vertices were drawn to last.

    alpha, landmark: α and λ
    data: V, weights; point, normal: V×3; matched: V bool
    """

    alpha: float
    landmark: float
    data: np.ndarray
    point: np.ndarray
    normal: np.ndarray
    matched: np.ndarray


class _System:
    """The energy of a template: V×3 start, T×3 triangles; moved V×3 are its displacements."""

    def __init__(
        self,
        start: np.ndarray,
        triangles: np.ndarray,
        pick: sparse.csr_matrix,
        goal: np.ndarray,
        options: RegistrationOptions,
    ):
        self.start, self.triangles, self.options = start, triangles, options
        self.area = mass(start, triangles)
        self.bending = _bending(start, triangles, self.area, options)
        self.weight = self.area * (
            1.0 if options.weights is None else np.asarray(options.weights, np.float64)
        )
        self.hidden = facing_itself(start, triangles, options.facing)
        importance = (
            np.ones(len(goal))
            if options.landmark_weights is None
            else np.asarray(options.landmark_weights, np.float64)
        )
        self.pins = (pick.T @ sparse.diags(importance) @ pick).tocsr()
        self.pinned = pick.T @ (importance[:, None] * (goal - pick @ start))
        self.moved = np.zeros_like(start)

    def match(
        self, target: Target, distance: float, agreement: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Match the moved template: points and normals V×3, which count V bool."""
        vertices = self.start + self.moved
        point, normal, matched = target.match(
            vertices, vertex_normals(vertices, self.triangles), distance, agreement
        )
        matched &= (self.weight > 0) & ~(
            self.hidden & (((point - vertices) ** 2).sum(1) > HIDDEN_DISTANCE**2)
        )
        return point, normal, matched

    def solve(self, matches: _Matches, data: np.ndarray, factor=None):
        """Move to where the energy for given matches, weighed by data (V), is least.

        Returns the factor that helped: of the system with each plane term spread evenly over
        x, y, z.
        """
        options, area, normal = self.options, self.area, matches.normal
        smooth = (matches.alpha * self.bending + matches.landmark * self.pins).tocsr()
        if factor is None:
            diagonal = sparse.diags(data * (options.point + options.plane / 3) + 1e-6 * area.mean())
            factor = splu(
                (smooth + diagonal).tocsc(),
                permc_spec='MMD_AT_PLUS_A',
                diag_pivot_thresh=0,
                options={'SymmetricMode': True},
            )
        to_point, to_plane = (options.point * data)[:, None], (options.plane * data)[:, None]
        wanted = matches.point - self.start
        right = (
            to_point * wanted
            + to_plane * (normal * wanted).sum(1, keepdims=True) * normal
            + matches.landmark * self.pinned
        )
        self.moved = _conjugate_gradients(
            lambda d: (
                smooth @ d + to_point * d + to_plane * (normal * d).sum(1, keepdims=True) * normal
            ),
            factor.solve,
            right,
            self.moved,
        )
        return factor


def _follow(
    system: _System,
    target: Target,
    options: RegistrationOptions,
    progress: Callable[[float], None],
) -> _Matches:
    """Match and move by turns, with α falling; returns the last matches."""
    softer = np.log(options.stiffness[0] / options.stiffness[1]) / np.log(options.relax)
    stages = 1 + max(0, int(np.ceil(softer - 1e-9)))
    for stage in range(stages):
        along = stage / max(stages - 1, 1)
        alpha, distance, landmark = (
            a ** (1 - along) * b**along
            for a, b in (options.stiffness, options.distance, options.landmark)
        )
        agreement = np.cos(np.radians(options.angle[0] * (1 - along) + options.angle[1] * along))
        factor = None
        for iteration in range(options.iterations):
            point, normal, matched = system.match(target, distance, agreement)
            data = np.where(matched, system.weight, 0.0)
            if data.sum() < LEAST_MATCHED * system.weight.sum():
                raise FacewrightError(
                    'The face model found almost no surface to follow near where it starts: check '
                    'that the mesh is a face seen from outside (normals outwards) and place a few '
                    'markers by hand.'
                )
            matches = _Matches(alpha, landmark, data, point, normal, matched)
            before = system.moved
            factor = system.solve(matches, data, factor)
            progress((stage + (iteration + 1) / options.iterations) / stages * 0.8)
            if np.sqrt(((system.moved - before) ** 2).sum(1).mean()) < options.settled:
                break
    return matches


def _cleaned(
    system: _System, last: _Matches, progress: Callable[[float], None]
) -> tuple[Folded, np.ndarray]:
    """Take folds away; returns the vertices with what is left of them, and V bool still matched."""
    start, triangles, matched = system.start, system.triangles, last.matched
    finder, loose = Folds(start, triangles), LooseRegions(start, triangles)
    seen = push_apart(finder, finder.find(start + system.moved))
    # What stays folded had a wrong match: without matches there, the membrane bridges it.
    for turn in range(LOOSENINGS):
        if not seen.count:
            break
        kept = 1 - loose.spread(finder.corners(seen))
        system.solve(last, last.data * kept)
        seen = push_apart(finder, finder.find(start + system.moved))
        matched = matched & (kept > 0.5)
        progress(0.8 + 0.1 * (turn + 1) / LOOSENINGS)
    return smoothed(finder, seen), matched


def facing_itself(vertices: np.ndarray, triangles: np.ndarray, reach: float) -> np.ndarray:
    """Find vertices (V bool) whose normal runs into the mesh itself within `reach`."""
    normals = vertex_normals(vertices, triangles)
    return Surface(vertices, triangles).rays(vertices + 1e-3 * normals, normals, reach)[0] >= 0


def _landmark_matrix(landmarks, targets, n: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Return the L×n matrix that takes vertices to landmarks, and L×3 goals."""
    if landmarks is None:
        return sparse.csr_matrix((0, n)), np.zeros((0, 3))
    corners, weights = (
        landmarks
        if isinstance(landmarks, tuple)
        else (np.asarray(landmarks).reshape(-1, 1), np.ones((len(landmarks), 1)))
    )
    targets = np.asarray(targets, np.float64).reshape(-1, 3)
    if len(targets) != len(corners) or not np.isfinite(targets).all():
        raise FacewrightError(
            f'{len(corners)} landmarks were given with {len(targets)} finite positions: '
            'give one for each.'
        )
    rows = np.repeat(np.arange(len(corners)), corners.shape[1])
    return sparse.csr_matrix(
        (np.ravel(weights).astype(np.float64), (rows, np.ravel(corners))), (len(corners), n)
    ), targets


def _bending(
    vertices: np.ndarray, triangles: np.ndarray, area: np.ndarray, options: RegistrationOptions
) -> sparse.csr_matrix:
    """Build Lᵀ A⁻¹ L + β L with the vertices' own stiffness."""
    laplacian = cotangent_laplacian(vertices, triangles)
    stiff = (
        np.ones(len(vertices))
        if options.vertex_stiffness is None
        else np.asarray(options.vertex_stiffness, np.float64)
    )
    inverse = sparse.diags(stiff / np.maximum(area, 1e-3 * area.mean()))
    root = sparse.diags(np.sqrt(stiff))
    return (
        laplacian.T @ inverse @ laplacian
        + options.membrane
        * (root @ laplacian @ root if options.vertex_stiffness is not None else laplacian)
    ).tocsr()


def _conjugate_gradients(
    apply, precondition, right: np.ndarray, guess: np.ndarray, steps: int = 6, enough: float = 1e-3
) -> np.ndarray:
    """Solve apply(x) = right (N×3, one symmetric positive definite system).

    At most `steps` steps, or until the residual's energy fell by `enough`²: matches change more
    than that from one iteration to the next.
    """
    x = guess.copy()
    residual = right - apply(x)
    z = precondition(residual)
    direction, energy = z, float((residual * z).sum())
    first = energy
    for _ in range(steps):
        if energy <= enough**2 * first or energy <= 0:
            break
        image = apply(direction)
        step = energy / float((direction * image).sum())
        x += step * direction
        residual = residual - step * image
        z = precondition(residual)
        energy, last = float((residual * z).sum()), energy
        direction = z + energy / last * direction
    return x
