"""A rig from another take: the head of an actor who is known, for further footage of the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import FacewrightError
from ..core.result_folder import recover
from ..core.words import listed
from ..face_model.expressions import UNTRACKED

if TYPE_CHECKING:
    from ..face_model.model import FaceModel
    from ..formats.rig import Rig

# Of a head that goes with its rig: its texture, and colours of what that does not cover.
TEXTURE_FILES = 'albedo.png', 'albedo.npz'
# Of the distance of the model's outer eye corners: a head in another unit is none of an actor.
LIKELY_SIZE = 0.5, 2.0
OUTER_EYES = 36, 45  # of the 68 landmarks
MODELS = {'ict': 'ICT-FaceKit', 'builtin': 'the built-in head'}


@dataclass(frozen=True)
class ActorRig:
    """The head that an earlier reconstruction made, as it was when the task began.

    path: its rig.npz, absolute
    texture: {file name: content}, of TEXTURE_FILES; {} where the head has none
    """

    path: Path
    rig: Rig
    texture: dict[str, bytes] = field(default_factory=dict)


def read_actor_rig(path: str | Path) -> ActorRig:
    """Read a rig.npz, with the texture that lies beside it.

    Raises FacewrightError where there is none, or it is damaged.
    """
    from ..formats.rig import read_rig

    path = Path(path).absolute()
    if path.is_dir():
        raise FacewrightError(f'{path} is a folder: choose the rig.npz in it.')
    recover(path.parent)
    rig = read_rig(path)
    beside = [path.parent / name for name in TEXTURE_FILES]
    whole = all(file.is_file() for file in beside)
    return ActorRig(path, rig, {file.name: file.read_bytes() for file in beside} if whole else {})


def model_of_actor(model: FaceModel, actor: ActorRig) -> FaceModel:
    """Make the actor's own model of a tracked face model.

    Raises FacewrightError where the rig is of another model or topology, or lacks expressions.
    """
    rig, path = actor.rig, actor.path
    if len(rig.neutral) != model.vertex_count or not np.array_equal(rig.faces, model.faces):
        raise FacewrightError(_of_another_model(model, actor))
    unknown = [name for name in rig.names if name not in (*model.names, *UNTRACKED)]
    missing = [name for name in model.names if name not in rig.names]
    if unknown or missing:
        wrong = f'lacks {listed(missing, 4)}' if missing else f'has {listed(unknown, 4)}'
        raise FacewrightError(
            f"{path} {wrong}, unlike the face model's expressions: choose a rig.npz that "
            'Facewright wrote, unchanged.'
        )
    first, second = model.landmarks68[list(OUTER_EYES)]
    apart, usual = (np.linalg.norm(v[first] - v[second]) for v in (rig.neutral, model.neutral))
    if not LIKELY_SIZE[0] * usual < apart < LIKELY_SIZE[1] * usual:
        raise FacewrightError(
            f"{path} is no head in centimetres (its eyes' outer corners lie {apart:.3g} apart): "
            'choose a rig.npz that Facewright wrote, unchanged.'
        )
    order = [rig.names.index(name) for name in model.names]
    return model.of_actor(rig.neutral, rig.expressions[order])


def _of_another_model(model: FaceModel, actor: ActorRig) -> str:
    """Say, in a sentence, which face model a rig needs."""
    from ..face_model.ict import VERTICES

    given, count = actor.rig, len(actor.rig.neutral)
    needed = ''
    if count == VERTICES != model.vertex_count:
        needed = MODELS['ict']
    elif model.name != 'builtin':
        from ..face_model import load_model

        built_in = load_model()
        if count == built_in.vertex_count and np.array_equal(given.faces, built_in.faces):
            needed = MODELS['builtin']
    if needed:
        return (
            f'{actor.path} is a head of {needed}, and the face model is '
            f'{MODELS.get(model.name, model.name)}: choose {needed} as the face model, '
            'or another rig.'
        )
    return (
        f'{actor.path} has another topology ({count:,} vertices) than the face model '
        f'({model.vertex_count:,}): choose a rig that was reconstructed with this face model.'
    )
