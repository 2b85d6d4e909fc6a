"""Each term's two faces agree.

What `linearise` adds is the cost, gradient and curvature of `energy`.

Gradients by autograd in the solver's own unknowns (rotations by their tangent). Curvatures by
autograd's Hessian where a term is a quadratic, else against JᵀJ of its residuals with robust
weights frozen, which is what Gauss-Newton takes.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic import IDENTITIES, LANDMARKS, NAMES, make_problem, moved, tensor

from facewright.engine.evidence.appearance import AppearanceSamples, PointAppearance
from facewright.engine.evidence.departures import DeparturePrior
from facewright.engine.evidence.free_appearance import FreeAppearanceTerm, free_points
from facewright.engine.evidence.gaps import GapTerm, Pairs, gap_quadratic
from facewright.engine.evidence.landmark_term import LandmarkTerm
from facewright.engine.evidence.lid_term import LidTerm
from facewright.engine.evidence.lip_contact import LipBasis, LipContactTerm, SeenTouching
from facewright.engine.evidence.motion_priors import (
    AccelerationPrior,
    DepthPrior,
    VelocityPrior,
    acceleration_precision,
    velocity_precision,
)
from facewright.engine.evidence.options import StandardOptions, TrackOptions
from facewright.engine.evidence.parameters import empty_system
from facewright.engine.evidence.part_evidence import OutlineTerm, PartTerm, PointQuadratic
from facewright.engine.evidence.photometric import (
    PhotometricTerm,
    ShadingTerm,
    appearance_quadratic,
    photometric_residuals,
    shading_residuals,
)
from facewright.engine.evidence.picture_term import PictureTerm, joined, undeviated
from facewright.engine.evidence.picture_terms import stacked
from facewright.engine.evidence.pictures import Pictures, ViewPictures
from facewright.engine.evidence.priors import (
    AnchorPrior,
    ExpressionPrior,
    FocalPrior,
    IdentityPrior,
    MouthCloseCoupling,
    NeutralPrior,
    expression_prior,
    gaze_prior,
)
from facewright.engine.evidence.sides import SidesPrior
from facewright.engine.evidence.sparsity import SparsePrior
from facewright.engine.evidence.state import State, Trajectory, pose_points, projection
from facewright.engine.evidence.stereo_term import Moment, StereoMatch, StereoTerm
from facewright.engine.evidence.term import Term
from facewright.engine.footage.crops import Crop
from facewright.engine.footage.footage import Camera
from facewright.engine.geometry.rotations import so3_exp
from facewright.engine.tracking.solver import linearise

VIEWS, NODES, OPTIONS = 2, 4, TrackOptions()
UNKNOWNS = 6 + len(NAMES)


class Bench:
    """The synthetic head near what was seen of it, and its unknowns as one vector."""

    def __init__(self, turn: float = 0.15):
        """turn: radians between neighbouring nodes."""
        self.rng = np.random.default_rng(0)
        self.problem, shared, trajectory = make_problem(self.rng, NODES, VIEWS, noise=3.0)
        turns = tensor(self.rng.normal(size=(NODES, 3)) * turn)
        still = trajectory.rotation[:1].expand(NODES, 3, 3)
        weights = trajectory.weights.clone()
        weights[::2, 1] = weights[::2, 0] + 0.1  # the mouth shuts further than the jaw is open
        pose = so3_exp(turns) @ still, trajectory.translation
        self.state = State(shared, Trajectory(*pose, weights))
        self.parameters = self.problem.parameters
        self.count = NODES * UNKNOWNS + self.parameters.count
        first_camera = NODES * UNKNOWNS + IDENTITIES + VIEWS
        self.moves = torch.ones(self.count, dtype=torch.bool)
        self.moves[first_camera : first_camera + 6] = False  # it is the world, and not solved for

    def at(self, step: torch.Tensor) -> State:
        nodes = step[: NODES * UNKNOWNS].reshape(NODES, UNKNOWNS)
        return moved(self.state, nodes, step[NODES * UNKNOWNS :], VIEWS)

    def linearised(self, term: Term):
        """(cost, gradient N, curvature N×N) as the solver gets them."""
        system = empty_system(self.parameters, NODES, UNKNOWNS)
        term.linearise(self.state, system)
        gradient = torch.cat([system.gradient.flatten(), system.gradient_shared])
        return system.cost, gradient[self.moves], dense(system)[self.moves][:, self.moves]

    def seen_in(self, view: int) -> ViewPictures:
        landmarks = self.problem.landmarks_by_view[view]
        n = len(landmarks.node)
        pictures = Pictures(np.zeros((n, 1, 1, 3)), (Crop((0.0, 0.0), 250.0),) * n, np.arange(n))
        return ViewPictures(view, landmarks, pictures, Camera(900.0, (0.0, 0.0), aspect=1.1))

    def places(self, view: int):
        """(pixels n×L×2, depth n×L) of the points, a little off."""
        landmarks, shared = self.problem.landmarks_by_view[view], self.state.shared
        camera = pose_points(self.problem.basis, *self.state, landmarks, view)[0]
        pixels = projection(camera, shared.log_focal[view].exp())
        return pixels + tensor(self.rng.normal(size=pixels.shape)), camera[..., 2]

    def picture_term(self, kind, quadratic, view: int = 1) -> PictureTerm:
        return kind(self.problem.basis, slice(0, LANDMARKS), view, quadratic)


def dense(system) -> torch.Tensor:
    """The arrow as one matrix."""
    k, m = system.gradient.shape
    out = torch.zeros(k, m, k, m, dtype=torch.float64)
    for i in range(k):
        out[i, :, i] = system.diagonal[i]
    for gap, blocks in ((1, system.upper), (2, system.second)):
        for i, block in enumerate(blocks if blocks is not None else ()):
            out[i, :, i + gap], out[i + gap, :, i] = block, block.T
    out, border = out.reshape(k * m, k * m), system.border.reshape(k * m, -1)
    out = torch.cat([torch.cat([out, border], 1), torch.cat([border.T, system.corner], 1)])
    free = system.eliminated
    if free is not None:
        rows = torch.cat([free.border.to(out.dtype).reshape(k * m, -1), free.corner])
        rows = rows[:, free.weight > 0] / free.weight[free.weight > 0].sqrt()
        out = out - rows @ rows.T
    return out


def appearance_of(bench: Bench, view: int):
    """(samples, appearance) of nothing in particular."""
    n, rng = len(bench.problem.landmarks_by_view[view].node), bench.rng
    shape = n, LANDMARKS
    normals = rng.normal(size=(*shape, 3)) * (1, 1, 0.3) - (0, 0, 2)
    samples = AppearanceSamples(
        rng.normal(size=(*shape, 2)) * 0.3,
        rng.normal(size=(*shape, 2, 2)),
        rng.uniform(size=shape),
        np.zeros((*shape, 2)),
        np.zeros((*shape, 2)),
        rng.uniform(0.2, 0.6, size=(*shape, 3)),
        rng.normal(size=(*shape, 3, 2)) * 0.05,
        normals / np.linalg.norm(normals, axis=2, keepdims=True),
    )
    light = np.zeros((VIEWS, 9, 3))
    light[:, 0] = 3.0
    support = rng.uniform(0, 9, size=LANDMARKS)
    albedo = rng.uniform(0.2, 0.6, size=(LANDMARKS, 3))
    return samples, PointAppearance(rng.normal(size=(LANDMARKS, 2)) * 0.3, support, albedo, light)


def shown(bench: Bench, view: int, kind: type):
    """What a view's pictures show beside nothing in particular."""
    (samples, appearance), seen = appearance_of(bench, view), bench.seen_in(view)
    if kind is PhotometricTerm:
        return photometric_residuals(seen, samples, appearance, StandardOptions())
    return shading_residuals(seen, samples, appearance, StandardOptions())


def of_appearance(kind: type):
    def build(bench: Bench, view: int = 1):
        at, _ = bench.places(view)
        quadratic = appearance_quadratic(bench.seen_in(view), at, shown(bench, view, kind))
        return bench.picture_term(kind, quadratic, view)

    return build


def free_appearance(bench: Bench):
    views = []
    for view in range(VIEWS):
        found = [shown(bench, view, kind) for kind in (PhotometricTerm, ShadingTerm)]
        views.append(free_points(bench.seen_in(view), bench.places(view)[0], found))
    return FreeAppearanceTerm(bench.problem.basis, tuple(views))


def of_masks(kind, joint: bool):
    def build(bench: Bench, view: int = 1):
        at, _ = bench.places(view)
        quadratics = []
        for _ in range(len(at)):
            half = bench.rng.normal(size=(LANDMARKS, 2, 2))
            half[::3] = 0  # of these nothing is said, or only together
            curvature = half @ half.transpose(0, 2, 1)
            gradient = (curvature @ bench.rng.normal(size=(LANDMARKS, 2, 1)))[..., 0]
            index = np.arange(0, LANDMARKS, 3)
            shown = np.flatnonzero(bench.rng.random(len(index)) < 0.6)
            rows = bench.rng.normal(size=(4, len(shown), 2)), bench.rng.normal(size=4)
            quadratics.append(PointQuadratic(gradient, curvature, [(index, shown, *rows)] * joint))
        return bench.picture_term(kind, stacked(quadratics, bench.seen_in(view), at), view)

    return build


def gaps(bench: Bench, view: int = 1):
    at, depth = bench.places(view)
    n, landmarks = 8, bench.problem.landmarks_by_view[view]
    upper, lower = np.arange(n), np.arange(n, 2 * n)
    corners, limit = np.tile((20, 21), (n, 1)), np.arange(n) % 2 == 0
    pairs = Pairs(upper, lower, corners, None, np.full(n, 0.02), limit)
    quadratic = gap_quadratic(pairs, landmarks, at[:, : 2 * n], depth[:, : 2 * n], 900.0, 1.0)
    run = slice(0, 2 * n)
    return GapTerm(bench.problem.basis.at(run), run, view, quadratic)


def lids(bench: Bench, view: int = 1):
    landmarks, rng = bench.problem.landmarks_by_view[view], bench.rng
    n = len(landmarks.node)
    rows, target = rng.normal(size=(3, len(NAMES))), rng.normal(size=(n, 3))
    precision = rng.uniform(1, 9, size=(n, 3))
    return LidTerm(landmarks, tensor(rows), tensor(target), tensor(precision))


def landmarks(bench: Bench):
    problem = bench.problem
    return LandmarkTerm(problem.basis, problem.landmarks_by_view[1], 1, OPTIONS.data, 2.0)


def departures(bench: Bench):
    """Some expressions pulled back by the price, others by less."""
    prior = expression_prior(NAMES, OPTIONS)
    pull = bench.linearised(replace(prior, price=1e6))[1]
    return replace(prior, price=float(pull[pull != 0].abs().quantile(0.6)))


def anchor(bench: Bench):
    now, rng = bench.state.trajectory, bench.rng
    away = so3_exp(tensor(rng.normal(size=(2, 3)) * 1e-4)) @ now.rotation[:2]
    return AnchorPrior(Trajectory(away, now.translation[:2] + 0.3, now.weights[:2] + 0.1))


def lip_contact(bench: Bench):
    """Lips of four sections, apart in some and across one another in others."""
    rng, columns, samples = bench.rng, 4, 5
    rest = np.zeros((2, columns, samples, 2))
    rest[..., 1] = np.linspace(0.3, -0.3, samples)
    rest[..., 0] = 2 * rest[..., 1] ** 2 * np.array([1, -1])[:, None, None]
    rest[0, ..., 0] += np.array([-0.1, 0.05, 0.1, -0.05])[:, None]
    basis = LipBasis(tensor(rest), tensor(0.1 * rng.normal(size=(*rest.shape, len(NAMES)))))
    share = tensor(rng.uniform(size=(NODES, columns)))
    between = tensor([0.0, 0.3, 0.6, 0.0])
    seen = SeenTouching(torch.tensor([0, 1, 1, NODES - 1]), between, share)
    return LipContactTerm(basis, (seen,), 0.01, 0.02, torch.tensor([0, 2, 3]))


def stereo(bench: Bench):
    """Matches of pictures of one node, of two nodes apart, and with a picture that is held."""
    rng, matches, now = bench.rng, [], bench.state.trajectory
    far = Trajectory(now.rotation[3:] @ now.rotation[0], now.translation[3:], now.weights[3:])
    for nodes, between, held in (
        ((1, 1), (0.0, 0.4), None),
        ((0, 2), (0.0, 0.0), None),
        ((1, 3), (0.2, 0.0), far),
    ):
        moments = [Moment(torch.tensor([n]), tensor([u])) for n, u in zip(nodes, between)]
        index, shared = torch.tensor([0, 2, 5, 7]), bench.state.shared
        basis = bench.problem.basis.at(index)
        at = []
        for view, moment in enumerate(moments):
            still = undeviated(bench.state, basis)
            camera = pose_points(basis, *still, moment, view)[0][0]
            seen = projection(camera, shared.log_focal[view].exp())
            at.append(seen + tensor(rng.normal(size=seen.shape)))
        flow, turn = tensor(rng.normal(size=(4, 2))), tensor(rng.normal(size=(4, 2, 2)))
        weight = tensor(rng.uniform(size=4))
        of = (0, 1), tuple(moments), index, tuple(at), flow, turn, weight, held
        matches.append(StereoMatch(*of))
    return StereoTerm(bench.problem.basis, tuple(matches))


STEP = tensor([0.02, 0.05, 0.03])
BUILD = {
    LandmarkTerm: landmarks,
    PhotometricTerm: of_appearance(PhotometricTerm),
    ShadingTerm: of_appearance(ShadingTerm),
    FreeAppearanceTerm: free_appearance,
    StereoTerm: stereo,
    PartTerm: of_masks(PartTerm, joint=True),
    OutlineTerm: of_masks(OutlineTerm, joint=False),
    GapTerm: gaps,
    LipContactTerm: lip_contact,
    LidTerm: lids,
    ExpressionPrior: lambda bench: gaze_prior(('eyeLookIn_L', 'eyeLookIn_R', *NAMES[2:])),
    DeparturePrior: departures,
    MouthCloseCoupling: lambda bench: MouthCloseCoupling(1, 0),
    VelocityPrior: lambda bench: VelocityPrior(velocity_precision(NAMES, OPTIONS), STEP),
    AccelerationPrior: lambda bench: AccelerationPrior(
        acceleration_precision(NAMES, OPTIONS), STEP
    ),
    DepthPrior: lambda bench: DepthPrior(tensor([0.48, -0.6, 0.64]), 0.04, STEP),
    SidesPrior: lambda bench: SidesPrior(torch.tensor([[2, 3], [4, 5]]), 0.2),
    SparsePrior: lambda bench: SparsePrior(0.3, 0.1),
    NeutralPrior: lambda bench: NeutralPrior(1, OPTIONS.neutral_sigma**-2),
    AnchorPrior: anchor,
    IdentityPrior: lambda bench: IdentityPrior(15.0),
    FocalPrior: lambda bench: FocalPrior(
        bench.state.shared.log_focal - 0.1,
        torch.linspace(0.35, 0.1, len(bench.state.shared.log_focal), dtype=torch.float64),
    ),
}
SMALL_TURNS = {AccelerationPrior: 1e-4}  # radians: see its docstring
# Relative to the largest entry: pictures' derivatives are in single precision.
TOLERANCE = {kind: 2e-5 if issubclass(kind, PictureTerm) else 1e-9 for kind in BUILD}
TOLERANCE[AccelerationPrior] = 1e-3
for kind in (FreeAppearanceTerm, StereoTerm):
    TOLERANCE[kind] = 2e-5  # their rows are in single precision


def assert_near(actual: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    scale = float(expected.abs().max())
    assert scale > 0
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance * scale)


def kinds_of(kind: type) -> set[type]:
    return {kind}.union(*(kinds_of(child) for child in kind.__subclasses__()))


def test_every_term_is_tested_here():
    assert kinds_of(Term) - {Term, PictureTerm} == set(BUILD)


@pytest.mark.parametrize('kind', BUILD, ids=lambda kind: kind.__name__)
def test_cost_and_gradient_are_those_of_the_energy(kind):
    bench = Bench(SMALL_TURNS.get(kind, 0.15))
    term = BUILD[kind](bench)
    cost, gradient, _ = bench.linearised(term)
    step = torch.zeros(bench.count, dtype=torch.float64, requires_grad=True)
    energy = term.energy(bench.at(step))
    energy.backward()
    energy = energy.detach()
    assert energy.shape == () and cost == pytest.approx(float(energy), rel=1e-12)
    assert_near(gradient, step.grad[bench.moves], TOLERANCE[kind])


QUADRATICS = {
    LidTerm: 1e-9,
    ExpressionPrior: 1e-9,
    MouthCloseCoupling: 1e-9,
    LipContactTerm: 1e-9,
    NeutralPrior: 1e-9,
    DepthPrior: 1e-9,
    IdentityPrior: 1e-9,
    FocalPrior: 1e-9,
    # exact but for the logarithm of a rotation, which is nearly linear for small turns
    VelocityPrior: 1e-3,
    AccelerationPrior: 1e-3,
    AnchorPrior: 1e-3,
}


@pytest.mark.parametrize('kind', QUADRATICS, ids=lambda kind: kind.__name__)
def test_curvature_of_a_quadratic_is_its_hessian(kind):
    bench = Bench(turn=1e-4)
    term = BUILD[kind](bench)
    _, _, curvature = bench.linearised(term)
    zero = torch.zeros(bench.count, dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(
        lambda step: term.energy(bench.at(step)), zero, vectorize=True
    )
    assert_near(curvature, hessian[bench.moves][:, bench.moves], QUADRATICS[kind])


CONCAVE = (SparsePrior,)
BELOW = (*CONCAVE, DeparturePrior)


@pytest.mark.parametrize('kind', BELOW, ids=lambda kind: kind.__name__)
def test_a_reweighted_term_lies_below_its_linearisation(kind):
    bench = Bench()
    term = BUILD[kind](bench)
    cost, gradient, curvature = bench.linearised(term)
    assert curvature.any() == (kind not in CONCAVE)
    for _ in range(8):
        weights = tensor(bench.rng.uniform(size=bench.state.trajectory.weights.shape))
        whole = torch.zeros(bench.count, dtype=torch.float64)
        change = weights - bench.state.trajectory.weights
        whole[: NODES * UNKNOWNS].view(NODES, UNKNOWNS)[:, 6:] = change
        step = whole[bench.moves]
        above = cost + float(gradient @ step + step @ curvature @ step / 2)
        assert float(term.energy(bench.at(whole))) <= above + 1e-9


def residuals(term: Term, bench: Bench):
    """The term's residuals as a function of a state.

    Their weights frozen where the bench stands: curvature is JᵀJ.
    """

    def pixels(state: State) -> torch.Tensor:
        seen = term.observed if isinstance(term, LandmarkTerm) else term.quadratic
        shared = replace(state.shared, deviation=torch.zeros_like(term.basis.mean))
        camera = pose_points(term.basis, shared, state.trajectory, seen, term.view)[0]
        return projection(camera, state.shared.log_focal[term.view].exp())

    if isinstance(term, LandmarkTerm):

        def plain(state: State) -> torch.Tensor:
            gap = pixels(state) - term.observed.pixels
            return torch.einsum('nlij,nlj->nli', term.observed.sqrt_information, gap)

        square = (plain(bench.state) ** 2).sum(2, keepdim=True) / term.scale**2
        return lambda state: (plain(state) * (term.weight / (1 + square)).sqrt()).flatten()

    if isinstance(term, StereoTerm):

        def off(state: State) -> torch.Tensor:
            rows = []
            for match in term.matches:
                basis = term.basis.at(match.index)
                first, second = (
                    projection(
                        pose_points(basis, *posed, moment, view)[0][0],
                        state.shared.log_focal[view].exp(),
                    )
                    - at
                    for (posed, moment, view), at in zip(match.posed(state, basis), match.at)
                )
                left = first - match.flow - (match.turn @ second[..., None])[..., 0]
                rows.append((match.weight.sqrt()[:, None] * left).flatten())
            return torch.cat(rows)

        return off

    if isinstance(term, SidesPrior):

        def apart(state: State) -> torch.Tensor:
            w = state.trajectory.weights
            return w[:, term.pairs[:, 0]] - w[:, term.pairs[:, 1]]

        frozen = (2 / (term.spread**2 + apart(bench.state) ** 2)).sqrt()
        return lambda state: (apart(state) * frozen).flatten()

    quadratic = term.quadratic
    value, vector = torch.linalg.eigh(quadratic.curvature)
    root = (vector * value.clamp_min(0).sqrt()[..., None, :]) @ vector.mT

    def of(state: State) -> torch.Tensor:
        off = pixels(state) - quadratic.at
        rows = [torch.einsum('nlij,nlj->nli', root, off).flatten()]
        for index, shown, weights, residual in quadratic.joint:
            for k, left in enumerate(residual):
                moved = off[k][index[shown[k]]]
                rows.append(left + torch.einsum('rli,li->r', weights[k], moved))
        return torch.cat(rows)

    return of


@pytest.mark.parametrize(
    'kind',
    [kind for kind in BUILD if kind not in (*QUADRATICS, *BELOW, FreeAppearanceTerm)],
    ids=lambda kind: kind.__name__,
)
def test_curvature_is_gauss_newtons(kind):
    bench = Bench()
    term = BUILD[kind](bench)
    of = residuals(term, bench)
    zero = torch.zeros(bench.count, dtype=torch.float64)
    j = torch.autograd.functional.jacobian(lambda step: of(bench.at(step)), zero, vectorize=True)[
        :, bench.moves
    ]
    assert_near(bench.linearised(term)[2], j.T @ j, TOLERANCE[kind])


def test_curvature_of_freed_appearance_is_minus_the_squared_sums():
    """− (Σ rows·J)ᵀ (Σ rows·J) / W, J the pixels' derivatives by all unknowns."""
    bench = Bench()
    term = free_appearance(bench)
    zero = torch.zeros(bench.count, dtype=torch.float64)

    def sums(step: torch.Tensor) -> torch.Tensor:
        total = 0.0
        for view in term.views:
            shared, trajectory = bench.at(step)
            shared = replace(shared, deviation=torch.zeros_like(term.basis.mean))
            camera = pose_points(term.basis, shared, trajectory, view.timed, view.view)[0]
            off = projection(camera, shared.log_focal[view.view].exp()) - view.at
            total = total + torch.einsum('npqi,npi->pq', view.rows, off)
        weight = sum(view.weight.sum(0) for view in term.views)
        return torch.where(weight > 0, total / weight.clamp_min(1e-12).sqrt(), 0.0).flatten()

    j = torch.autograd.functional.jacobian(sums, zero, vectorize=True)[:, bench.moves]
    assert_near(bench.linearised(term)[2], -j.T @ j, 2e-5)


def test_freeing_appearance_never_adds_to_the_cost_and_leaves_it_positive():
    """What is taken off a mean's residuals is less than they cost."""
    bench = Bench()
    rng, at = bench.rng, bench.places(1)[0]
    found = shown(bench, 1, PhotometricTerm)
    found = replace(found, gradients=rng.normal(size=found.gradients.shape) * 0.05)
    whole = bench.linearised(
        bench.picture_term(PhotometricTerm, appearance_quadratic(bench.seen_in(1), at, found))
    )
    free = FreeAppearanceTerm(bench.problem.basis, (free_points(bench.seen_in(1), at, [found]),))
    less = bench.linearised(free)
    assert less[0] < 0
    least = torch.linalg.eigvalsh(whole[2] + less[2]).min()
    assert least > -1e-5 * whole[2].abs().max()


def test_terms_of_a_view_joined_are_their_sum():
    bench = Bench()
    terms = [BUILD[kind](bench) for kind in (PhotometricTerm, ShadingTerm, PartTerm, GapTerm)]
    # all say something of where the points lay at one time
    at = terms[0].quadratic.at
    terms = [replace(one, quadratic=replace(one.quadratic, at=at[:, one.points])) for one in terms]
    whole = bench.linearised(joined(bench.problem.basis, terms))
    parts = [bench.linearised(one) for one in terms]
    assert whole[0] == pytest.approx(sum(cost for cost, _, _ in parts), rel=1e-9)
    for k in (1, 2):
        assert_near(whole[k], sum(part[k] for part in parts), 2e-5)


def test_the_solver_gets_the_sum_of_all_terms():
    bench = Bench()
    system, parts = linearise(bench.problem, bench.state), bench.problem.terms
    assert len(parts) == 8  # two views' landmarks, expressions (2), lips, velocity, identity, lens
    gradient = sum(bench.linearised(one)[1] for one in parts)
    whole = torch.cat([system.gradient.flatten(), system.gradient_shared])[bench.moves]
    torch.testing.assert_close(whole, gradient)


def test_a_head_at_rest_has_gradients():
    """Rotations do not differ from node to node, nor from the anchor."""
    bench = Bench(turn=0.0)
    now = bench.state.trajectory
    for term in (
        BUILD[VelocityPrior](bench),
        BUILD[AccelerationPrior](bench),
        AnchorPrior(now.first(2)),
    ):
        step = torch.zeros(bench.count, dtype=torch.float64, requires_grad=True)
        term.energy(bench.at(step)).backward()
        assert_finite_and_near(step.grad[bench.moves], bench.linearised(term)[1])


def assert_finite_and_near(actual: torch.Tensor, expected: torch.Tensor) -> None:
    assert torch.isfinite(actual).all()
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)
