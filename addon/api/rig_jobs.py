"""Tasks on one head's rig: the head in its face model's topology, as the engine takes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.core.files import write_npz
from ...engine.formats.rig import Rig, read_rig, write_rig
from .. import models
from ..scene import head_space
from .head import find_model
from .selection import chosen_meshes
from .shared import checked_path


@dataclass(frozen=True)
class RigJob:
    """A task on one head.

    head: the object's name, '' where there is none. rig: the head as it was, in head space (cm);
    None without a head. matrix 4×4: the object's axes → head space. keys: the shape keys' names in
    the rig's order. edits: arrays for edits.npz, by name. arguments: the task's.
    """

    head: str
    rig: Rig | None
    matrix: np.ndarray
    arguments: dict
    keys: tuple[str, ...] = ()
    edits: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the rig's expressions."""
        return self.rig.names if self.rig is not None else ()

    def write(self, folder: Path) -> None:
        """Put the task's input into its job's folder."""
        if self.rig is not None:
            write_rig(folder / 'rig.npz', self.rig)
        if self.edits:
            write_npz(folder / 'edits.npz', **self.edits)

    def object(self) -> bpy.types.Object:
        """Return the head; raises FacewrightError where it is gone or changed."""
        thing = bpy.data.objects.get(self.head)
        if (
            thing is None
            or thing.type != 'MESH'
            or (self.rig is not None and len(thing.data.vertices) != len(self.rig.neutral))
        ):
            raise FacewrightError(
                f'{self.head} is no longer the mesh it was when this started: do it again.'
            )
        return thing

    def read_rigs(self, folder: str | Path) -> tuple[Rig, Rig]:
        """Return the rig as it was, and as the task left it in a folder; raises FacewrightError
        where they are not of one head.
        """
        was, now = self.rig, read_rig(Path(folder) / 'rig.npz')
        if was is None or now.names != was.names or now.expressions.shape != was.expressions.shape:
            raise FacewrightError(f'The result in {folder} is for another head: do it again.')
        return was, now


def model_of(scene: bpy.types.Scene, thing: bpy.types.Object) -> str:
    """Return the face model whose topology a mesh has ('builtin' or a path): the built-in head's or
    the scene's. Raises FacewrightError for neither.
    """
    sources = list(dict.fromkeys((models.source_of(scene.facewright), models.BUILTIN)))
    for source in sources:
        if source != models.BUILTIN:
            source = checked_path(source, 'face model')
        model = models.cached(source)
        if model is not None and head_space.has_topology(thing, model):
            return source
    if models.cached(models.BUILTIN) is None or thing.get('facewright_model') not in (
        None,
        'builtin',
    ):
        find_model(sources[0])
    raise FacewrightError(
        f"{thing.name} has not the face model's own topology, which this needs: generate its "
        'shape keys onto the face model first, '
        'or choose the model it was made from in the Head panel.'
    )


def active_head(context: bpy.types.Context) -> bpy.types.Object:
    """Return the selected head, up to date where it is in edit mode; raises FacewrightError for
    none.
    """
    chosen = chosen_meshes(context)
    if not chosen:
        raise FacewrightError('No mesh is selected: select a head.')
    chosen[0].update_from_editmode()
    return chosen[0]
