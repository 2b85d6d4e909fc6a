"""Pieces of both face models: what they are made of, which jaw they move with, both sides alike."""

import numpy as np
import pytest

from facewright.engine.face_model import load_model
from facewright.engine.face_model.pieces import pieces, slit_rim, slit_sides


@pytest.fixture(scope='module', params=['builtin', 'ict'])
def model(request):
    if request.param == 'builtin':
        return load_model()
    return load_model(str(request.getfixturevalue('shared_data') / 'ict-facekit.tar.xz'))


@pytest.fixture(scope='module')
def found(model):
    return pieces(model)


def test_every_vertex_has_its_place_once(model, found):
    parts = [v for k, v in found.items() if 'lip' not in k and 'lid' not in k]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(model.vertex_count))
    for name, rows in found.items():
        assert rows.dtype == np.int32 and len(rows) and (np.diff(rows) > 0).all(), name


def test_lips_and_lids_lie_round_their_slits(model, found):
    y = model.neutral[:, 1]
    for upper, lower in (
        ('upper_lip', 'lower_lip'),
        ('upper_lid_L', 'lower_lid_L'),
        ('upper_lid_R', 'lower_lid_R'),
    ):
        assert not np.intersect1d(found[upper], found[lower]).size
        assert np.isin(np.concatenate([found[upper], found[lower]]), found['skin']).all()
        assert y[found[upper]].mean() > y[found[lower]].mean() + 0.2
    assert np.isin(model.landmarks68[[50, 51, 52, 61, 62, 63]], found['upper_lip']).all()
    assert np.isin(model.landmarks68[[56, 57, 58, 65, 66, 67]], found['lower_lip']).all()
    assert (
        np.isin(model.landmarks68[[43, 44]], found['upper_lid_L']).all()
        and np.isin(model.landmarks68[[46, 47]], found['lower_lid_L']).all()
    )
    assert (
        np.isin(model.landmarks68[[37, 38]], found['upper_lid_R']).all()
        and np.isin(model.landmarks68[[40, 41]], found['lower_lid_R']).all()
    )
    for slit in ('mouth', 'eye_L', 'eye_R'):
        *_, high, low = slit_sides(model, slit)
        assert (
            np.array_equal(np.union1d(high, low), slit_rim(model, slit))
            and not np.intersect1d(high, low).size
        )
        middle = high[np.abs(model.neutral[high, 0] - model.neutral[high, 0].mean()).argmin()]
        assert y[middle] > y[low].min() + 0.04


def test_jaws(model, found):
    motion = np.linalg.norm(model.expressions[model.names.index('jawOpen')], axis=1)
    for name in ('upper_teeth', 'upper_gums'):
        assert motion[found[name]].max() < 0.1, name
    for name in ('lower_teeth', 'lower_gums', 'tongue'):
        assert motion[found[name]].min() > 0.4, name
    assert len(found['tongue']) < 0.35 * len(model.regions['gums_tongue'])
    assert np.abs(model.neutral[found['tongue'], 0]).max() < 2.2  # inside the arch
    front = found['tongue'][model.neutral[found['tongue'], 2].argmax()]
    assert model.neutral[front, 2] < model.neutral[found['lower_gums'], 2].max()


def test_left_and_right_alike(model, found):
    for name in [k[:-2] for k in found if k.endswith('_L')]:
        assert len(found[f'{name}_L']) == len(found[f'{name}_R']), name
        assert (model.neutral[found[f'{name}_L'], 0] > -0.05).all() and (
            model.neutral[found[f'{name}_R'], 0] < 0.05
        ).all(), name


def test_films_over_the_eyes_are_ict_alone(model, found):
    assert 'lashes_L' in found and ('eye_surface_R' in found) == (model.name == 'ict')
