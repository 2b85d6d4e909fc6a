"""A FaceModel in one .npz: the compact cache.

numpy only, so that the add-on reads it inside Blender.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from ..core.files import check_arrays, read_npz, write_npz
from .model import FaceModel

FORMAT = 3
_ARRAYS = (
    'neutral',
    'faces',
    'expressions',
    'identities',
    'uvs',
    'face_uvs',
    'face_materials',
    'landmarks68',
)


def write_model(path: Path, model: FaceModel) -> None:
    """Write every field as float32 or int arrays, uncompressed: it opens ten times faster."""
    arrays = {key: getattr(model, key) for key in _ARRAYS}
    arrays |= {f'region.{name}': index.astype(np.int32) for name, index in model.regions.items()}
    arrays |= {f'extra.{name}': array for name, array in model.extra.items()}
    write_npz(
        path,
        format=np.int32(FORMAT),
        name=np.array(model.name),
        source=np.array(model.source),
        names=np.array(model.names),
        materials=np.array(model.materials),
        **arrays,
    )


def read_model(path: Path) -> FaceModel:
    """Read a cached model; FacewrightError says which array is missing, misshapen or not finite."""
    data = read_npz(path, 'cached face model')
    then = 'import the model again'
    missing = ({'format', 'name', 'names', 'materials'} | set(_ARRAYS)) - set(data)
    if missing:
        raise FacewrightError(
            f'{path} is not a cached face model (it lacks {", ".join(sorted(missing))}): {then}.'
        )
    check_arrays(
        path,
        data,
        {
            'format': ('i', ()),
            'name': ('U', ()),
            'names': ('U', (None,)),
            'materials': ('U', (None,)),
        },
        then,
    )
    if int(data['format']) != FORMAT:
        raise FacewrightError(f'{path} was made by another version of Facewright: {then}.')
    _check(path, data, then)
    return FaceModel(
        name=str(data['name']),
        names=tuple(data['names'].tolist()),
        materials=tuple(data['materials'].tolist()),
        source=str(data.get('source', path)),
        regions={key[7:]: data[key] for key in data if key.startswith('region.')},
        extra={key[6:]: data[key] for key in data if key.startswith('extra.')},
        **{key: data[key] for key in _ARRAYS},
    )


def _check(path: Path, data: dict[str, np.ndarray], then: str) -> None:
    """Raise FacewrightError where an array is misshapen, not finite or names what is not there."""
    check_arrays(
        path,
        data,
        {
            'neutral': ('f', (None, 3)),
            'uvs': ('f', (None, 2)),
            'faces': ('i', (None, 4)),
            'landmarks68': ('i', (68,)),
        },
        then,
    )
    v, f = len(data['neutral']), len(data['faces'])
    check_arrays(
        path,
        data,
        {
            'expressions': ('f', (len(data['names']), v, 3)),
            'identities': ('f', (None, v, 3)),
            'face_uvs': ('i', (f, 4)),
            'face_materials': ('u', (f,)),
        },
        then,
    )
    regions = [key for key in data if key.startswith('region.')]
    check_arrays(path, data, dict.fromkeys(regions, ('i', (None,))), then)
    ranges = [
        ('faces', -1, v),
        ('landmarks68', 0, v),
        ('face_uvs', -1, len(data['uvs'])),
        ('face_materials', 0, len(data['materials'])),
    ]
    for key, least, end in ranges + [(key, 0, v) for key in regions]:
        if data[key].min(initial=least) < least or (
            data[key].max(initial=least) >= end and data[key].size
        ):
            raise FacewrightError(
                f'{path} has {key.removeprefix("region.")} that name what is not there: {then}.'
            )
