"""tongueOut: the expression that ICT-FaceKit lacks, for both models; never tracked."""

from __future__ import annotations

import numpy as np
import pytest

from facewright.engine.face_model import load_model
from facewright.engine.face_model.expressions import (
    ARKIT_NAMES,
    EXPRESSION_NAMES,
    ICT_NAMES,
    TO_ARKIT,
    TO_ICT,
    UNTRACKED,
)
from facewright.engine.face_model.pieces import pieces
from facewright.engine.geometry.intersections import Crosser
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.shape_keys.crossings import sample_combinations


@pytest.fixture(scope='module', params=['builtin', 'ict'])
def model(request):
    if request.param == 'builtin':
        return load_model('builtin')
    return load_model(str(request.getfixturevalue('shared_data') / 'ict-facekit.tar.xz'))


def offsets(model, name):
    return model.expressions[model.names.index(name)].astype(float)


def test_every_one_of_arkits_names_has_a_shape():
    assert all(TO_ICT[name] for name in ARKIT_NAMES) and len(set(TO_ARKIT.values())) == 52
    assert (*ICT_NAMES, 'tongueOut') == EXPRESSION_NAMES and UNTRACKED == ('tongueOut',)


def test_moves_the_tongue_alone_out_of_the_lips(model):
    assert model.names == EXPRESSION_NAMES
    out, tongue = offsets(model, 'tongueOut'), pieces(model)['tongue']
    still = np.setdiff1d(np.arange(model.vertex_count), tongue)
    assert np.abs(out[still]).max() == 0
    posed = model.neutral[tongue] + out[tongue]
    lips = model.neutral[model.landmarks68[[62, 66]]].mean(0)
    assert 1.2 < posed[:, 2].max() - lips[2] < 2.5
    before = posed[posed[:, 2] > lips[2] + 0.3]
    assert (
        np.ptp(before[:, 0]) > 1.2 and 0.25 < np.ptp(before[np.abs(before[:, 0]) < 0.2][:, 1]) < 1.4
    )  # a tongue's tip, no spike


def test_passes_between_the_teeth_of_an_open_jaw(model):
    """And the lips: no triangle of the tongue through a tooth or the skin, the jaw fully open."""
    part, triangles = pieces(model), triangulate(model.faces)

    def of(*names):
        member = np.zeros(model.vertex_count, bool)
        member[np.concatenate([part[name] for name in names])] = True
        return triangles[member[triangles].all(1)]

    posed = model.neutral + offsets(model, 'jawOpen') + offsets(model, 'tongueOut')
    assert (
        len(Crosser(of('tongue'), of('upper_teeth', 'lower_teeth', 'skin'), model.neutral)(posed))
        == 0
    )


def test_is_left_out_where_there_is_no_evidence_for_it(model):
    few = model.tracked
    assert few.names == ICT_NAMES and few.tracked is few and model.tracked is few
    assert np.array_equal(few.expressions, model.expressions[:53])
    assert np.shares_memory(few.expressions, model.expressions)
    weights = sample_combinations(model.names, 200, 3)
    assert weights[:, -1].max() == 0 and weights[:, :-1].max(0).min() > 0
