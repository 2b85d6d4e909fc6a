"""The evidence of lids' distances, and what is known of gazes."""

import numpy as np
import pytest
import torch
from synthetic import tensor

from facewright.engine.evidence.lid_term import SIDES, gaze_hold, lid_gaps, lid_term
from facewright.engine.evidence.options import TrackOptions
from facewright.engine.evidence.parameters import POSE, FreeParameters, empty_system
from facewright.engine.evidence.priors import expression_prior, gaze_prior
from facewright.engine.evidence.state import State, Trajectory, ViewLandmarks
from facewright.engine.face_model import load_model
from facewright.engine.geometry.rotations import so3_exp


@pytest.fixture(scope='module')
def model():
    return load_model('builtin').tracked


def seen(openness, trust=1.0):
    n = len(openness)
    return ViewLandmarks(
        torch.arange(n),
        torch.zeros(n, dtype=torch.float64),
        torch.zeros(n, 478, 2, dtype=torch.float64),
        None,
        torch.full((n,), 80.0, dtype=torch.float64),
        torch.full((n, 478), trust, dtype=torch.float64),
        np.arange(n),
        tensor(openness),
    )


def fitted(model, *terms, nodes=1):
    """K×E: the weights at the minimum of some quadratic terms, bounds aside."""
    system = empty_system(FreeParameters(0, 1), nodes, POSE + len(model.names))
    weights = torch.zeros(nodes, len(model.names), dtype=torch.float64)
    pose = so3_exp(torch.zeros(nodes, 3, dtype=torch.float64)), torch.zeros(nodes, 3)
    for term in terms:
        term.linearise(State(None, Trajectory(*pose, weights)), system)
    own = slice(POSE, None)
    return -torch.linalg.solve(system.diagonal[:, own, own], system.gradient[:, own])


def test_blinks_take_all_openness_and_other_shapes_their_part(model):
    changes = lid_gaps(model).changes(torch.zeros(len(model.identities), dtype=torch.float64))
    for eye, side in enumerate(SIDES):
        change = dict(zip(model.names, changes[eye].tolist()))
        other = SIDES[1 - eye]
        assert change[f'eyeBlink_{side}'] == -1 and abs(change[f'eyeBlink_{other}']) < 1e-6
        assert -0.6 < change[f'eyeSquint_{side}'] < -0.1 and change[f'eyeWide_{side}'] > 0.2


def test_lids_seen_shut_meet_by_their_own_blink(model):
    """Against the prior of expressions, one eye alone and both."""
    changes = lid_gaps(model).changes(torch.zeros(len(model.identities), dtype=torch.float64))
    for openness in ([0.0, 1.0], [1.0, 0.0], [0.0, 0.0]):
        term = lid_term(seen([openness]), changes, model.names, 1.0)
        weights = fitted(model, term, expression_prior(model.names, TrackOptions()))[0]
        left = 1 + changes @ weights
        for eye, side in enumerate(SIDES):
            if openness[eye] == 0:
                assert abs(left[eye]) < 0.05
                assert weights[model.names.index(f'eyeBlink_{side}')] > 0.8
                assert weights[model.names.index(f'eyeSquint_{side}')] < 0.1
            else:
                assert left[eye] > 0.7


@pytest.mark.parametrize('trust', [0.0, 0.22])
def test_lids_that_are_hidden_say_nothing(model, trust):
    changes = lid_gaps(model).changes(torch.zeros(len(model.identities), dtype=torch.float64))
    term = lid_term(seen([[0.0, 0.5]], trust), changes, model.names, 1.0)
    assert not term.precision.any()


def test_a_gaze_stays_while_lids_hide_it(model):
    openness = np.ones((5, 2))
    openness[2, 0] = 0
    hold = gaze_hold((seen(openness),), model.names, 5)[:, POSE:]
    for e, name in enumerate(model.names):
        held = name.startswith('eyeLook') and name.endswith('_R')
        assert ((hold[:, e] > 0) == torch.tensor([False, held, held, False])).all()


def test_eyes_look_at_one_point_unless_they_are_seen_not_to(model):
    prior = gaze_prior(model.names)

    def cost(**weights):
        w = torch.tensor([[weights.get(name, 0.0) for name in model.names]], dtype=torch.float64)
        return float(prior.energy(State(None, Trajectory(None, None, w))))

    assert cost(eyeLookOut_L=0.6, eyeLookIn_R=0.6) == pytest.approx(0, abs=1e-9)
    assert cost(eyeLookDown_L=0.4, eyeLookDown_R=0.4) == pytest.approx(0, abs=1e-9)
    assert cost(eyeLookIn_L=0.05, eyeLookIn_R=0.05) < 1  # they meet near by
    assert cost(eyeLookUp_L=0.3) > 3 and cost(eyeLookOut_L=0.4, eyeLookOut_R=0.4) > 3
    assert cost(mouthSmile_L=1.0, eyeBlink_R=1.0) == 0
