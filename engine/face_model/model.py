"""The FaceModel noun: one linear face model, whoever made it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from ..core.files import cache_folder
from ..core.sources import fingerprint
from ..core.store import make_key
from .expressions import UNTRACKED


@dataclass(frozen=True, eq=False)
class FaceModel:
    """A linear face model in head space (cm; x to the head's left, y up, z front).

    vertices = neutral + identities·α + expressions·w with α ~ N(0, 1) and w in [0, 1].
    Read-only by convention: nobody writes into its arrays.
    """

    name: str  # 'ict' or 'builtin'
    neutral: np.ndarray  # V×3 float32
    faces: np.ndarray  # F×4 int32, triangles padded with −1, counter-clockwise seen from outside
    names: tuple[str, ...]  # E expression names (expressions.EXPRESSION_NAMES order)
    expressions: np.ndarray  # E×V×3 float32 offsets from the neutral
    identities: np.ndarray  # I×V×3 float32 offsets per unit standard deviation
    uvs: np.ndarray  # U×2 float32
    face_uvs: np.ndarray  # F×4 int32 into uvs, −1 where faces is
    materials: tuple[str, ...]  # names of the surface materials
    face_materials: np.ndarray  # F uint8 into materials
    regions: dict[str, np.ndarray]  # region name (regions.REGION_NAMES) → int32 vertex indices
    landmarks68: np.ndarray  # 68 int32 vertex indices, Multi-PIE order
    source: str = ''  # where it was read from, for messages
    # model-specific arrays kept with the cache
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    # of one actor's model (of_actor): the model of anybody that it was made of
    of_template: FaceModel | None = None

    def __post_init__(self):
        v, e = len(self.neutral), len(self.names)
        shapes = {
            'neutral': (v, 3),
            'expressions': (e, v, 3),
            'identities': (len(self.identities), v, 3),
            'landmarks68': (68,),
            'faces': (len(self.faces), 4),
            'face_uvs': (len(self.faces), 4),
            'face_materials': (len(self.faces),),
        }
        for key, shape in shapes.items():
            got = getattr(self, key)
            if got.shape != shape:
                raise FacewrightError(
                    f'The face model {self.source or self.name} has {key} of shape {got.shape}, '
                    f'expected {shape}: use an unmodified copy.'
                )
            if got.dtype.kind == 'f' and not np.isfinite(got).all():
                raise FacewrightError(
                    f'The face model {self.source or self.name} holds NaN or infinite numbers in '
                    f'{key}: use an unmodified copy.'
                )
        if self.faces.max(initial=-1) >= v:
            raise FacewrightError(
                f'The face model {self.source or self.name} has faces that name missing vertices: '
                'use an unmodified copy.'
            )

    @cached_property
    def fingerprint(self) -> str:
        """Return 64 hexadecimal digits that tell this model's contents from others'.

        Its source is no part of them.
        """
        digest = hashlib.sha256(
            repr(
                (self.name, self.names, self.materials, sorted(self.regions), sorted(self.extra))
            ).encode()
        )
        arrays = [
            self.neutral,
            self.faces,
            self.expressions,
            self.identities,
            self.uvs,
            self.face_uvs,
            self.face_materials,
            self.landmarks68,
        ]
        for array in arrays + [
            held[name] for held in (self.regions, self.extra) for name in sorted(held)
        ]:
            digest.update(repr((array.dtype.str, array.shape)).encode())
            digest.update(np.ascontiguousarray(array))
        if self.of_template is not None:
            digest.update(self.of_template.fingerprint.encode())
        return digest.hexdigest()

    def cache_path(self, what: str, module: str) -> Path:
        """Return where what a module of the engine makes of this model is cached.

        what: a word for the file's name; module: such as 'annotate.parts'. Another model or another
        version of the module has another file.
        """
        key = make_key(self.fingerprint, fingerprint(module))
        return cache_folder() / 'models' / f'{self.name}-{what}-{key}.npz'

    @property
    def vertex_count(self) -> int:
        """Return V."""
        return len(self.neutral)

    def of_actor(self, neutral: np.ndarray, expressions: np.ndarray) -> FaceModel:
        """Make one actor's model: its only identity leads to the actor's neutral.

        Its own neutral stays the template's: by it surfaces, pieces and sections are found, the
        same for every actor.

        neutral: V×3 cm; expressions: E×V×3 offsets, in the order of `names`
        """
        apart = neutral.astype(np.float32) - self.neutral
        return replace(
            self,
            identities=apart[None],
            expressions=expressions.astype(np.float32),
            of_template=self.template,
        )

    @property
    def template(self) -> FaceModel:
        """Return the model of anybody: what is found once on a model is found on this one."""
        return self.of_template or self

    @property
    def known_identity(self) -> np.ndarray | None:
        """Return the coefficients at which one actor's model is the actor; None: anybody's."""
        return None if self.of_template is None else np.ones(len(self.identities))

    @cached_property
    def tracked(self) -> FaceModel:
        """Return the model without the expressions that nothing gives evidence of.

        Those of expressions.UNTRACKED: footage, photos and scans are fitted without them.
        """
        keep = [k for k, name in enumerate(self.names) if name not in UNTRACKED]
        if len(keep) == len(self.names):
            return self
        few = (
            self.expressions[: len(keep)]
            if keep == list(range(len(keep)))
            else self.expressions[keep]
        )
        return replace(self, names=tuple(self.names[k] for k in keep), expressions=few)

    def shape(
        self, identity: np.ndarray | None = None, weights: np.ndarray | None = None
    ) -> np.ndarray:
        """Return V×3 float32 vertices (cm) of somebody's face.

        identity: α, at most I standard deviations; weights: E expression weights.
        """
        out = self.neutral.copy()
        if identity is not None:
            out += np.tensordot(
                np.asarray(identity, np.float32), self.identities[: len(identity)], 1
            )
        if weights is not None:
            out += np.tensordot(np.asarray(weights, np.float32), self.expressions, 1)
        return out
