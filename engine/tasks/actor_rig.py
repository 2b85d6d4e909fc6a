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
# cm: how far an actor's 68 landmarks lie off the model's, root mean square, at most
FURTHEST = 5.0
LARGEST = 3.0  # of the model's size, and of its largest motion: how large an actor's are, at most
LEAST_MOTION = 0.01  # cm: expressions that move nothing further are none
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
    if wrong := _unlike_a_head(model, rig):
        raise FacewrightError(
            f'{path} holds no head in centimetres ({wrong}): choose a rig.npz that Facewright '
            'wrote, unchanged.'
        )
    order = [rig.names.index(name) for name in model.names]
    return model.of_actor(rig.neutral, rig.expressions[order])


def _unlike_a_head(model: FaceModel, rig: Rig) -> str:
    """Say what a rig has that no actor's has; '' for nothing."""
    marks = model.landmarks68
    off = float(np.sqrt(((rig.neutral - model.neutral)[marks].astype(float) ** 2).sum(1).mean()))
    size, usual = (np.abs(v).max() for v in (rig.neutral, model.neutral))
    if off > FURTHEST or size > LARGEST * usual:
        return (
            f"its landmarks lie {off:.3g} cm off the face model's, its furthest point at {size:.3g}"
        )
    moved, usual = (np.abs(e).max(initial=0) for e in (rig.expressions, model.expressions))
    if not LEAST_MOTION < moved < LARGEST * usual:
        return f'its expressions move it by {moved:.3g} cm at most'
    return ''


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
