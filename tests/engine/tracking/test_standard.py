"""Quality 'standard': points keep their appearance, frames match nodes, worse frames fall back."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from facewright.engine.evidence.appearance import (
    AppearanceSamples,
    HeadInPicture,
    PointAppearance,
    draw,
    expected_appearance,
    features,
    fit_shading,
    sample_appearance,
)
from facewright.engine.evidence.options import StandardOptions
from facewright.engine.evidence.photometric import (
    appearance_quadratic,
    photometric_residuals,
    shading_residuals,
)
from facewright.engine.evidence.pictures import SIZE, Pictures, ViewPictures, choose_points
from facewright.engine.face_model import load_model
from facewright.engine.face_model.paint import albedo, visible_faces
from facewright.engine.footage.crops import Crop
from facewright.engine.footage.footage import Camera
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.geometry.rotations import so3_exp
from facewright.engine.render.preview import head_to_camera, render_camera
from facewright.engine.render.shading import sh_basis
from facewright.engine.tracking.capture_times import (
    capture_times,
    frames_between,
    nodes_of_keyframes,
    trajectory_at,
)
from facewright.engine.tracking.standard import worse_frames
from facewright.engine.tracking.window import between

OPTIONS = replace(StandardOptions(), points=300)
FOCAL, CAMERA = 900.0, Camera(900.0, (160.0, 160.0))


@pytest.fixture(scope='module')
def scene():
    """The built-in head with freckles before a camera, its points and a picture of it."""
    model = load_model('builtin')
    points = choose_points(model, OPTIONS)
    colours = albedo(model) * (
        1 - 0.25 * (np.random.default_rng(0).random(model.vertex_count)[:, None] > 0.8)
    )
    head = head_to_camera(model.neutral.astype(np.float64), distance=62.0).astype(np.float32)
    triangles = triangulate(model.faces[visible_faces(model)])
    picture = render_camera(
        head.astype(np.float64),
        model.faces[visible_faces(model)],
        colours,
        FOCAL,
        CAMERA.centre,
        (SIZE, SIZE),
        supersample=1,
    )
    pictures = Pictures(picture[None], (Crop((SIZE / 2, SIZE / 2), float(SIZE)),), np.array([0]))
    return model, points, triangles, head, pictures


def looked(scene, head):
    _, points, triangles, _, pictures = scene
    posed = HeadInPicture(head, pictures, 0, CAMERA, FOCAL)
    drawn = draw(triangles, posed)
    return AppearanceSamples(
        *(part[None] for part in sample_appearance(points, drawn, posed, 1.2, OPTIONS))
    )


def photometric(view, samples, appearance):
    return photometric_residuals(view, samples, appearance, OPTIONS)


def shading(view, samples, appearance):
    return shading_residuals(view, samples, appearance, OPTIONS)


def quadratic_of(make, samples, pictures, support=9.0, expected=None, albedo=None, light=None):
    """One view's quadratic of what `make` finds, of points seen in `support` pictures."""
    rows = SimpleNamespace(node=torch.zeros(len(samples.trust), dtype=torch.long), between=None)
    support = np.full(samples.trust.shape[1], support)
    appearance = PointAppearance(expected, support, albedo, light)
    at = torch.zeros(samples.pixels.shape)
    view = ViewPictures(0, rows, pictures, CAMERA)
    return appearance_quadratic(view, at, make(view, samples, appearance))


def test_features_do_not_see_a_light_that_goes_over_the_face():
    """A shade 12 pixels wide moves them by far less than pores do (once: by more)."""
    noise = np.random.default_rng(0).normal(size=(SIZE, SIZE)).astype(np.float32)
    pores = 0.5 + 0.1 * noise
    shade = 1 + 0.3 * np.sin(np.arange(SIZE) / 12)[None]
    lit, even = (
        np.repeat((255 * np.clip(one, 0, 1))[..., None], 3, 2).astype(np.uint8)
        for one in (pores * shade, pores * np.ones_like(shade))
    )
    shown, expected = (features(one, 0.8, OPTIONS)[20:-20, 20:-20, 0] for one in (lit, even))
    assert ((shown - expected) ** 2).mean() < 0.05 * (expected**2).mean()


def test_a_shifted_head_is_pulled_back(scene):
    """The picture's quadratic, summed over all points, has its least value near the true place."""
    right = looked(scene, scene[3])
    step = np.array([1.2, -0.9])  # pixels
    shifted = scene[3] + (np.r_[step, 0] * scene[3][:, 2].mean() / FOCAL).astype(np.float32)
    off = looked(scene, shifted)
    evidence = quadratic_of(photometric, off, scene[4], 9.0, expected=right.values[0])
    back = torch.linalg.solve(evidence.curvature[0].sum(0), -evidence.gradient[0].sum(0)).numpy()
    np.testing.assert_allclose(back, -step, atol=0.45)
    assert right.trust.sum() > 100


def test_where_nothing_moved_nothing_pulls(scene):
    right = looked(scene, scene[3])
    evidence = quadratic_of(photometric, right, scene[4], 9.0, expected=right.values[0])
    assert (
        float(evidence.gradient.abs().max()) < 1e-9
        and torch.linalg.eigvalsh(evidence.curvature).min() > -1e-9
    )


def test_points_behind_the_head_or_seldom_seen_say_nothing(scene):
    away = scene[3].copy()
    away[:, 2] = 2 * away[:, 2].mean() - away[:, 2]  # inside out: the face looks away
    assert looked(scene, away).trust.sum() < 0.2 * looked(scene, scene[3]).trust.sum()
    right = looked(scene, scene[3])
    seldom = quadratic_of(photometric, right, scene[4], 1.0, expected=right.values[0] + 1)
    assert not seldom.gradient.any() and not seldom.curvature.any()


def test_the_expected_appearance_ignores_an_outlier():
    values = np.ones((9, 5, 2))
    values[4] = 8.0
    blank = np.zeros((9, 5, 2))
    rest = np.zeros((9, 5, 3)), np.zeros((9, 5, 3, 2)), np.zeros((9, 5, 3))
    mean, support = expected_appearance(
        [AppearanceSamples(values, np.zeros((9, 5, 2, 2)), np.ones((9, 5)), blank, blank, *rest)],
        OPTIONS,
    )
    np.testing.assert_allclose(mean, 1.0, atol=0.05)
    np.testing.assert_allclose(support, 9.0)


def lit(light, albedo, count, seed=0):
    """Samples of `count` pictures of points under a light (9×3).

    Exact but for one point in ten, which a shadow or a highlight changes.
    """
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(count, len(albedo), 3)) * (1, 1, 0.6) - (0, 0, 1.2)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    colour = albedo * (sh_basis(torch.from_numpy(normals)).numpy() @ light)
    colour[rng.random(colour.shape[:2]) < 0.1] *= 1.6
    blank = np.zeros((count, len(albedo), 2))
    return AppearanceSamples(
        blank,
        blank[..., None] * 0,
        np.ones(colour.shape[:2]),
        blank,
        blank,
        colour,
        rng.normal(size=(*colour.shape, 2)),
        normals,
    )


def test_albedo_and_light_are_told_apart():
    """Two views of their own light; up to the scale that no picture tells."""
    rng = np.random.default_rng(1)
    albedo = rng.uniform(0.2, 0.7, size=(200, 3))
    lights = [
        np.concatenate(
            [[[3.0, 3.0, 2.8]], rng.normal(size=(3, 3)) * 0.35, rng.normal(size=(5, 3)) * 0.1]
        )
        for _ in range(2)
    ]
    samples = [lit(light, albedo, 12, k) for k, light in enumerate(lights)]
    found, light = fit_shading(samples)
    for c in range(3):
        np.testing.assert_allclose(
            found[:, c] / albedo[:, c], np.median(found[:, c] / albedo[:, c]), rtol=0.03
        )
    for sample, one in zip(samples, light):
        shade = sh_basis(torch.from_numpy(sample.normals)).numpy() @ one
        truth = sample.colour / (found * shade)
        assert np.median(np.abs(truth - 1)) < 0.01
    evidence = quadratic_of(
        shading,
        samples[0],
        Pictures(np.zeros((12, 1, 1, 3)), (Crop((160.0, 160.0), 320.0),) * 12, np.arange(12)),
        9.0,
        albedo=found,
        light=light,
    )
    assert float(evidence.gradient.norm(dim=2).median()) < 0.05 * float(
        evidence.curvature.diagonal(dim1=2, dim2=3).sum(-1).median()
    )


def test_views_without_pictures_have_no_light():
    albedo = np.full((50, 3), 0.5)
    some = lit(np.concatenate([[[3.0] * 3], np.zeros((8, 3))]), albedo, 4)
    none = AppearanceSamples(
        *(
            getattr(some, name)[:0]
            for name in (
                'values',
                'gradients',
                'trust',
                'crop_pixels',
                'pixels',
                'colour',
                'colour_gradients',
                'normals',
            )
        )
    )
    found, light = fit_shading([some, none])
    assert np.isfinite(found).all() and not light[1].any() and light[0].any()


def test_a_shifted_head_is_pulled_back_by_its_colours(scene):
    """An even light from everywhere: what is left are the colours themselves."""
    right = looked(scene, scene[3])
    albedo, light = fit_shading([right])
    step = np.array([1.2, -0.9])
    off = looked(
        scene, scene[3] + (np.r_[step, 0] * scene[3][:, 2].mean() / FOCAL).astype(np.float32)
    )
    evidence = quadratic_of(shading, off, scene[4], 9.0, albedo=albedo, light=light)
    back = torch.linalg.solve(evidence.curvature[0].sum(0), -evidence.gradient[0].sum(0)).numpy()
    np.testing.assert_allclose(back, -step, atol=0.5)


def views(*times):
    return SimpleNamespace(views=tuple(SimpleNamespace(times=np.asarray(t, float)) for t in times))


def test_capture_times_hold_the_first_views_and_what_lies_between():
    np.testing.assert_allclose(capture_times(views([0, 0.1, 0.2])), [0, 0.1, 0.2])
    np.testing.assert_allclose(
        capture_times(views([0, 0.1, 0.2], [-0.05, 0.05, 0.101, 0.25], [0.052, 0.15])),
        [-0.05, 0, 0.05, 0.1, 0.15, 0.2, 0.25],
    )


def test_pictures_of_other_views_long_after_the_first_views_last_belong_to_no_node():
    times = np.arange(8) / 10.0
    np.testing.assert_allclose(
        capture_times(views(times[:3], times + 0.05)), [0, 0.05, 0.1, 0.15, 0.2, 0.25]
    )
    every = times[:3]
    found = frames_between(times + 0.04, every, np.arange(3), beyond_ends=True)
    assert found.tolist() == [0, 1, 2]
    assert frames_between(times, every[:1], np.arange(1), beyond_ends=True).tolist() == [*range(8)]


def test_a_steady_turn_stays_steady_between_frames():

    def turn(t):
        return so3_exp(torch.as_tensor(np.outer(np.atleast_1d(t), [0.3, -1.0, 0.2]))).numpy()

    time = np.array([0.0, 0.1, 0.3])
    draft = SimpleNamespace(
        time=time,
        rotation=turn(time),
        translation=np.outer(time, [1.0, 2, 3]),
        weights=np.outer(time, [0.5, 1.0]),
    )
    found = trajectory_at(draft, np.array([0.0, 0.05, 0.1, 0.25, 0.3]))
    np.testing.assert_allclose(found.rotation.numpy(), turn([0.0, 0.05, 0.1, 0.25, 0.3]), atol=1e-9)
    np.testing.assert_allclose(found.translation.numpy()[:, 2], [0, 0.15, 0.3, 0.75, 0.9])
    np.testing.assert_allclose(found.weights.numpy()[:, 1], [0, 0.05, 0.1, 0.25, 0.3])
    alone = trajectory_at(
        SimpleNamespace(
            time=time[:1], rotation=turn(0.0), translation=np.ones((1, 3)), weights=np.ones((1, 2))
        ),
        time[:1],
    )
    assert torch.isfinite(alone.rotation).all() and len(alone.weights) == 1


def test_worse_frames():
    before = np.array([0.01, 0.01, 0.01, np.nan])
    assert worse_frames(np.array([0.012, 0.05, np.nan, 0.5]), before).tolist() == [1, 2]


def test_frames_between_key_nodes():
    every = np.arange(20) / 10.0
    times = every + 0.03  # another camera's clock
    nodes = np.array([2, 3, 10, 11])
    assert frames_between(times, every, nodes, beyond_ends=False).tolist() == [2, 10]
    assert frames_between(every, every, nodes, beyond_ends=False).tolist() == [2, 3, 10, 11]
    assert frames_between(times - 0.05, every, np.arange(5), beyond_ends=True).tolist() == [
        0,
        1,
        2,
        3,
        4,
    ]


def test_every_view_takes_a_picture_between_key_nodes_at_its_own_time():
    """Also one of a third of the first one's pictures a second, whose clock lies behind."""
    fast, slow = np.arange(90) / 30.0, np.arange(30) / 10.0 + 0.02
    views = tuple(SimpleNamespace(times=t, fps=fps) for t, fps in ((fast, 30.0), (slow, 10.0)))
    seen = tuple(
        SimpleNamespace(present=np.ones(len(v.times), bool), confidence=np.ones((len(v.times), 4)))
        for v in views
    )
    nodes = nodes_of_keyframes(SimpleNamespace(views=views), SimpleNamespace(views=seen), 24, fast)
    assert 20 <= len(nodes) <= 28
    runs = np.split(nodes, np.flatnonzero(np.diff(nodes) > 1) + 1)
    frames = frames_between(slow, fast, nodes, beyond_ends=False)
    for run in runs:
        inside = (slow[frames] >= fast[run[0]]) & (slow[frames] <= fast[run[-1]])
        assert inside.any() == (run[-1] < 89)  # but for what lies behind the last frame
    lone = nodes_of_keyframes(
        SimpleNamespace(views=views[:1]), SimpleNamespace(views=seen[:1]), 24, fast
    )
    assert len(lone) == 24
    assert frames_between(fast, fast, lone, beyond_ends=False).tolist() == lone.tolist()


def test_between_goes_by_equal_factors():
    assert (
        between((8.0, 1.0), 0, 4) == pytest.approx(8.0)
        and between((8.0, 1.0), 3, 4) == pytest.approx(1.0)
        and between((8.0, 1.0), 1, 4) == pytest.approx(4.0)
    )
