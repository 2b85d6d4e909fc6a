"""The expressions as shape keys of any head (papers/1, sections E and F, without the footage)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..annotate.landmarks import ModelLandmarks
from ..core.errors import FacewrightError
from ..face_model.expressions import TONGUE_OUT
from ..face_model.gaze import sphere_centre
from ..face_model.model import FaceModel
from ..face_model.tongue import append_tongue_out
from ..formats.rig import Rig
from ..geometry.closest import Surface
from ..geometry.laplacian import components, edges_of
from ..geometry.polygons import triangulate
from ..geometry.rigid import rigid_motion
from ..geometry.user_mesh import UserMesh, welded
from ..wrap.fit_quality import fit_numbers, fit_warnings
from ..wrap.linear_fit import unit_of
from ..wrap.template import Wrapped, at_rest
from ..wrap.transfer import transfer_expressions
from ..wrap.wrap import wrap_mesh
from .carry import carry_offsets
from .contact import settle_contacts, settle_neutral
from .lids import lids_over_eyeballs

LIPS_DEEP = 1.2  # cm: skin that stands no further behind the lips in an open mouth closes it

Report = Callable[[float, str], None]


@dataclass(frozen=True)
class Generated:
    """What was made for a mesh.

    rig: in head space. to_head: 4×4, the mesh's own space → head space. numbers: what report.json
    says of it.
    """

    rig: Rig
    to_head: np.ndarray
    numbers: dict = field(default_factory=dict)


def has_topology(model: FaceModel, mesh: UserMesh) -> bool:
    """Tell whether a mesh has the model's vertices and faces, in the model's order."""
    if len(mesh.vertices) != model.vertex_count:
        return False
    ours, theirs = edges_of(triangulate(model.faces)), edges_of(mesh.triangles)
    # Their quads may be cut the other way.
    if not len(theirs) or abs(len(ours) - len(theirs)) >= 0.2 * len(ours):
        return False
    ours, theirs = (e[:, 0].astype(np.int64) * model.vertex_count + e[:, 1] for e in (ours, theirs))
    return bool(np.isin(theirs, ours).mean() > 0.6)


def align_to_head(model: FaceModel, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """Bring a head in the model's topology (V×3, any unit) into head space.

    By the similarity that takes its still part (head and neck) to the model's. Returns (V×3 in head
    space, 4×4 to it, unit).
    """
    part = model.regions['head_neck']
    rotation, translation, scale = rigid_motion(
        vertices[part], model.neutral[part].astype(np.float64), scale=True
    )
    unit, known = unit_of(float(scale))
    if known is not None:
        middle = vertices[part].mean(0)
        translation, scale = translation + (scale - known) * rotation @ middle, known
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = scale * rotation, translation
    return scale * vertices @ rotation.T + translation, matrix, unit


def generate(
    model: FaceModel,
    landmarks: ModelLandmarks | Callable[[], ModelLandmarks],
    mesh: UserMesh,
    onto: str = 'mesh',
    markers: dict[int, np.ndarray] | None = None,
    settle: bool = True,
    expression: bool = True,
    report: Report = lambda fraction, stage: None,
) -> Generated:
    """Make the model's expressions for the head of a mesh.

    landmarks: the model's, or a function that finds them where they are needed.
    onto: 'model' for a rig in the model's topology, 'mesh' for one in the mesh's own, vertex for
    vertex (of a mesh in the model's topology both are the same).
    markers, expression: as wrap_mesh takes them. settle: lips, lids and cavities are kept from
    crossing.
    report: called with (0..1, stage). Raises FacewrightError.
    """
    if onto not in ('model', 'mesh'):
        raise FacewrightError(f'Shape keys cannot go onto {onto!r}: choose model or mesh.')
    model = model.tracked
    if has_topology(model, mesh):
        neutral, to_head, unit = align_to_head(model, mesh.vertices)
        neutral, offsets, settling = make_shapes(
            model, neutral, settle, lambda f, stage: report(0.05 + 0.9 * f, stage)
        )
        numbers = {'topology': 'model', 'unit': unit} | settling
        report(0.95, 'Finishing')
        return Generated(rig_in_topology(model, neutral, offsets), to_head, numbers)
    landmarks = landmarks() if callable(landmarks) else landmarks
    wrapped = wrap_mesh(
        model, landmarks, mesh, markers, expression, lambda f, stage: report(0.4 * f, stage)
    )
    fit = fit_numbers(model, wrapped)
    warnings = fit_warnings(fit, mesh.source or 'the mesh', bool(markers))
    # Aligned as where the result is given again.
    aligned, to_aligned, _ = align_to_head(model, at_rest(model, wrapped))
    neutral, offsets, settling = make_shapes(
        model, aligned, settle, lambda f, stage: report(0.4 + 0.4 * f, stage)
    )
    back = np.linalg.inv(to_aligned)
    neutral, offsets = neutral @ back[:3, :3].T + back[:3, 3], offsets @ back[:3, :3].T
    numbers = {
        'topology': 'own',
        'unit': wrapped.unit,
        'expression': removed_expression(model, wrapped),
        'turned': wrapped.turned,
        'fit': fit,
        'warnings': warnings,
    } | settling
    if onto == 'model':
        report(0.95, 'Finishing')
        return Generated(rig_in_topology(model, neutral, offsets), wrapped.fit.matrix, numbers)
    report(0.8, 'Carrying the shapes onto the mesh')
    rig = onto_mesh(model, wrapped, neutral, offsets, mesh)
    numbers['warnings'] = warnings + sealed_lips_warning(model, wrapped, rig)
    return Generated(rig, wrapped.fit.matrix, numbers)


def rig_in_topology(model: FaceModel, neutral: np.ndarray, offsets: np.ndarray) -> Rig:
    """Return a head in the model's topology as a rig, with a tongueOut of its own.

    neutral: V×3, offsets: E×V×3, cm.
    """
    neutral = neutral.astype(np.float32)
    return Rig(
        neutral,
        append_tongue_out(model, neutral, offsets.astype(np.float32)),
        (*model.names, TONGUE_OUT),
        model.faces,
    )


def make_shapes(
    model: FaceModel, neutral: np.ndarray, settle: bool, report: Report
) -> tuple[np.ndarray, np.ndarray, dict]:
    """Return (neutral V×3, offsets E×V×3, what to report) of a head in the model's topology.

    Shapes are made from the settled neutral, so that the same come out where that is given.
    """
    report(0.0, 'Carrying the expressions over')
    if not settle:
        return neutral, transfer_expressions(model, neutral), {}
    neutral = settle_neutral(model, neutral)
    offsets = transfer_expressions(model, neutral)
    report(0.4, 'Settling lips, lids and cavities')
    neutral, offsets, contacts = settle_contacts(model, neutral, offsets)
    return neutral, offsets, {'contacts': contacts}


def sealed_lips_warning(model: FaceModel, wrapped: Wrapped, rig: Rig) -> list[str]:
    """Return a sentence where the mesh's lips are one surface, so that no shape can part them.

    Looking into the open mouth one still meets skin.
    """
    jaw = rig.expressions[rig.names.index('jawOpen')]
    vertices, t = rig.neutral + jaw, triangulate(rig.faces)
    component = components(len(vertices), t)
    body = component == np.bincount(component[t[:, 0]]).argmax()
    upper, lower = (
        wrapped.vertices[model.landmarks68[[61, 62, 63]]],
        wrapped.vertices[model.landmarks68[[67, 66, 65]]],
    )
    lower = lower + model.expressions[model.names.index('jawOpen')][model.landmarks68[[67, 66, 65]]]
    middle = (upper + lower) / 2
    _, _, depth = Surface(vertices, t[body[t].all(1)]).rays(
        middle + (0, 0, 3.0), np.tile((0.0, 0, -1), (len(middle), 1))
    )
    if np.median(depth) < 3.0 + LIPS_DEEP:
        return [
            'The lips are one closed surface on this mesh, so they stretch instead of parting: cut '
            'them open, or put the shape keys onto the face model for a mouth that opens.'
        ]
    return []


def onto_mesh(
    model: FaceModel, wrapped: Wrapped, neutral: np.ndarray, offsets: np.ndarray, mesh: UserMesh
) -> Rig:
    """Return the wrapped head's shapes on the mesh itself, in the mesh's order.

    Its expression, where it had one, is taken off its neutral.
    """
    vertices, triangles, of = welded(mesh)
    if wrapped.turned:
        triangles = triangles[:, ::-1]
    part = np.zeros(len(vertices), np.int32)
    part[of] = mesh.part
    head = wrapped.fit.to_head(vertices)
    calmed = bool(wrapped.made.any())
    moved = np.concatenate([offsets, (neutral - wrapped.vertices)[None]]) if calmed else offsets
    carried = carry_offsets(
        model, wrapped.vertices, moved.astype(np.float32), head, triangles, part
    )
    rest = head + carried[-1] if calmed else head
    centres = {side: sphere_centre(neutral[model.regions[f'eyeball_{side}']]) for side in 'LR'}
    carried[: len(offsets)] = lids_over_eyeballs(
        rest, triangles, carried[: len(offsets)], model.names, centres
    )
    return Rig(
        rest[of].astype(np.float32),
        carried[: len(offsets), of].astype(np.float32),
        model.names,
        mesh.faces,
    )


def removed_expression(model: FaceModel, wrapped: Wrapped) -> dict[str, float]:
    """Return the expression that was found on the mesh and taken off: {name: weight}."""
    return {n: round(float(w), 3) for n, w in zip(model.names, wrapped.made) if w > 0}
