"""Albedo and light told apart: closed forms on the built-in head, the task on the demo's clip."""

import json

import cv2
import numpy as np
import pytest

from facewright.engine import tasks
from facewright.engine.annotate.parts import model_part_shares
from facewright.engine.core.errors import FacewrightError
from facewright.engine.core.result_folder import MANIFEST
from facewright.engine.face_model import load_model
from facewright.engine.face_model.paint import (
    SKIN_COLOUR as PAINTED,
)
from facewright.engine.face_model.paint import (
    albedo as painted_albedo,
)
from facewright.engine.face_model.paint import (
    visible_faces,
)
from facewright.engine.face_model.part_labels import NOSE, PARTS, SKIN
from facewright.engine.footage.masks import segment_parts_at
from facewright.engine.formats.result import open_result
from facewright.engine.geometry.normals import vertex_normals
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.lab.demo import render_demo_footage
from facewright.engine.render.preview import head_to_camera
from facewright.engine.render.rasterise import rasterise
from facewright.engine.render.shading import sh_basis
from facewright.engine.texture.albedo import bake
from facewright.engine.texture.layout import make_layout
from facewright.engine.texture.light import DARKER, LIGHT_LEVEL, skin_reflectance
from facewright.engine.texture.overlay import draw_mesh, draw_parts
from facewright.engine.texture.part_iou import part_labels_picture
from facewright.engine.texture.texel_samples import PosedPicture, sample_texels
from facewright.engine.worker import run

SIZE, FOCAL, TEXTURE = (360, 400), 900.0, 256
CENTRE = (SIZE[0] / 2, SIZE[1] / 2)
AMBIENT = np.zeros((9, 3))
AMBIENT[0] = 0.85 / 0.28209479
SIDE = AMBIENT + np.array([0, 0.15, 0.25, 0.3, 0, 0, 0.05, 0, 0.04])[:, None] * [1, 0.97, 0.9]
WHITENED = np.array(
    [0.03, -0.02, 0.02]
)  # linear RGB: what the test's own person has beside the painted one


@pytest.fixture(scope='module')
def model():
    return load_model()


@pytest.fixture(scope='module')
def shares(model):
    return model_part_shares(model)


@pytest.fixture(scope='module')
def layout(model):
    return make_layout(model, TEXTURE)


def shown(model, shares, colours, light, yaw, view=0, layout=None):
    """Samples of the resting head (linear albedo V×3), turned by yaw, lit in the camera's axes."""
    import torch

    vertices = head_to_camera(model.neutral.astype(np.float64), yaw)
    normals = vertex_normals(vertices, triangulate(model.faces))
    lit = colours * (sh_basis(torch.from_numpy(normals)).numpy() @ light)
    triangles = triangulate(model.faces[visible_faces(model)])
    triangle, barycentric, _ = rasterise(vertices, triangles, FOCAL, CENTRE, SIZE)
    picture = np.zeros(triangle.shape + (3,))
    drawn = triangle >= 0
    picture[drawn] = np.einsum('nc,nck->nk', barycentric[drawn], lit[triangles[triangle[drawn]]])
    shot = (np.clip(picture, 0, 1) ** (1 / 2.2) * 255 + 0.5).astype(np.uint8)
    labels = part_labels_picture(model, shares, vertices, FOCAL, CENTRE, SIZE)
    posed = PosedPicture(view, vertices, normals, FOCAL, CENTRE, shot, labels)
    return sample_texels(model, layout, shares.argmax(1), posed)


def person(model):
    """V×3 linear: the painted face in another colour, with a birthmark on the left cheek."""
    colours = painted_albedo(model).astype(np.float64) ** 2.2 + WHITENED
    cheek = model.neutral - model.neutral[model.landmarks68[[46, 54]]].mean(0)
    return np.clip(colours * (1 - 0.4 * np.exp(-(cheek**2).sum(1) / 0.3))[:, None], 0.01, 1)


@pytest.mark.parametrize('light', [AMBIENT, SIDE], ids=['constant', 'from the side'])
def test_known_albedo_and_light_come_back(model, shares, layout, light):
    truth, parts = person(model), shares.argmax(1)
    samples = [shown(model, shares, truth, light, yaw, layout=layout) for yaw in (-30, -10, 10, 30)]
    made = bake(model, layout, parts, samples, 1)
    texture = (made.texture.reshape(-1, 3)[layout.place] / 255) ** 2.2
    well = np.zeros(len(layout.place))
    for one in samples:
        well[one.texel] += one.trust
    skin = (well > 1) & np.isin(parts[layout.corner], (SKIN, NOSE)).all(1)
    ratio = np.log(texture[skin] / layout.interpolate(truth)[skin])
    assert (
        skin.sum() > 3000 and np.median(np.abs(ratio - np.median(ratio, 0))) < 0.03
    )  # up to one factor: how light is told from skin
    assert np.abs(np.median(ratio, 0)).max() < 0.12
    vertices = head_to_camera(model.neutral.astype(np.float64))
    import torch

    basis = sh_basis(
        torch.from_numpy(
            vertex_normals(vertices, triangulate(model.faces))[np.unique(layout.corner[skin])]
        )
    ).numpy()
    front = (
        vertex_normals(vertices, triangulate(model.faces))[np.unique(layout.corner[skin])][:, 2]
        < -0.4
    )
    lit = np.log((basis @ made.light[0])[front] / (basis @ light)[front])
    assert (
        np.median(np.abs(lit - np.median(lit, 0))) < 0.04
        and np.abs(np.median(lit, 0) + np.median(ratio, 0)).max() < 0.05
    )  # albedo × light is what was seen
    assert made.residual < 0.03


def test_every_texel_and_vertex_has_a_colour_and_outside_too(model, shares, layout):
    samples = [shown(model, shares, person(model), SIDE, 25, layout=layout)]
    made = bake(model, layout, shares.argmax(1), samples, 1)
    assert (
        made.texture.shape == (TEXTURE, TEXTURE, 3)
        and made.texture.min() > 0
        and np.isfinite(made.colours).all()
    )
    teeth = model.regions['teeth']
    np.testing.assert_allclose(made.colours[teeth], painted_albedo(model)[teeth], atol=1e-5)
    back = model.regions['head_neck'][model.neutral[model.regions['head_neck'], 2].argmin()]
    assert (
        np.abs(np.log(made.colours[back] ** 2.2) - np.log(person(model)[back])).max() < 0.3
    )  # what no picture shows is skin


def test_two_views_of_one_light_at_two_exposures(model, shares, layout):
    samples = [
        shown(model, shares, person(model), SIDE * gain, yaw, view, layout)
        for view, (gain, yaw) in enumerate(((1.0, -20), (0.6, 20)))
    ]
    light = bake(model, layout, shares.argmax(1), samples, 2).light
    assert np.abs(light[1, 0] / light[0, 0] - 0.6).max() < 0.05


def test_without_skin_in_sight_it_is_said(model, shares, layout):
    with pytest.raises(FacewrightError, match='No picture shows the skin'):
        bake(model, layout, shares.argmax(1), [], 1)


def test_how_light_is_told_from_skin():
    white = np.array(PAINTED) ** 2.2
    np.testing.assert_allclose(skin_reflectance(white * LIGHT_LEVEL), white, rtol=1e-6)
    dark = white * np.exp(-DARKER)
    assert (
        np.abs(np.log(skin_reflectance(dark * LIGHT_LEVEL) / dark)).max() < 0.35
    )  # dark skin stays dark
    assert (
        np.log(skin_reflectance(white * 0.4) / white).min() > -0.45
    )  # little light: mostly the light


def test_layout_covers_the_built_in_head(model, layout):
    assert [model.materials[k] for k in layout.materials][:2] == [
        'Face',
        'Head',
    ] and layout.place.size > 0.4 * TEXTURE**2
    np.testing.assert_allclose(layout.weight.sum(1), 1, atol=1e-4)
    uv = np.stack(
        [(layout.place % TEXTURE + 0.5) / TEXTURE, 1 - (layout.place // TEXTURE + 0.5) / TEXTURE], 1
    )
    faces, uvs = triangulate(model.faces), triangulate(model.face_uvs)
    place = {tuple(f): u for f, u in zip(faces.tolist(), uvs.tolist())}
    for i in range(0, len(uv), 997):
        np.testing.assert_allclose(
            layout.weight[i] @ model.uvs[place[tuple(layout.corner[i].tolist())]], uv[i], atol=1e-4
        )


def finish(task):
    seen = []
    return run(task, seen.append), seen


@pytest.fixture(scope='module')
def reconstruction(tmp_path_factory):
    out = tmp_path_factory.mktemp('a result é')
    clip = render_demo_footage(out / 'clip.mp4', frames=12, size=(320, 240))
    run(tasks.reconstruct([str(clip)], str(out / 'r')), lambda progress: None)
    return out / 'r'


def test_the_task_finds_the_demo_head_again(reconstruction, tmp_path, model):
    report, progress = finish(tasks.bake_albedo(str(reconstruction), str(tmp_path), 256))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        MANIFEST,
        'albedo.npz',
        'albedo.png',
        'light.json',
    ]
    fractions = [p.fraction for p in progress]
    assert fractions == sorted(fractions) and fractions[-1] == 1 and report['seen_percent'] > 15
    light = json.loads((tmp_path / 'light.json').read_text())
    assert (
        np.array(light['views'][0]['coefficients']).shape == (9, 3)
        and light['views'][0]['name'] == 'clip'
    )
    texture = cv2.imdecode(np.fromfile(tmp_path / 'albedo.png', np.uint8), cv2.IMREAD_COLOR)[
        ..., ::-1
    ]
    layout = make_layout(model, 256)
    nose = model.landmarks68[30]
    skin = texture.reshape(-1, 3)[layout.place[(layout.corner == nose).any(1)]].mean(0) / 255
    np.testing.assert_allclose(skin, PAINTED, atol=0.12)
    brow = (
        texture.reshape(-1, 3)[
            layout.place[np.isin(layout.corner, np.flatnonzero(model.extra['brows'] > 0.95)).all(1)]
        ].mean(0)
        / 255
    )
    assert brow.mean() < 0.7 * skin.mean()
    again = tmp_path / 'again'
    finish(tasks.bake_albedo(str(reconstruction), str(again), 256))
    assert (again / 'albedo.png').read_bytes() == (tmp_path / 'albedo.png').read_bytes()


@pytest.mark.parametrize('show', ['mesh', 'parts'])
def test_overlay(reconstruction, tmp_path, show):
    report, _ = finish(tasks.preview_overlay(str(reconstruction), str(tmp_path), show, [3, 8]))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        MANIFEST,
        '0003.png',
        '0008.png',
        'overlay.json',
    ]
    assert cv2.imdecode(np.fromfile(tmp_path / '0003.png', np.uint8), cv2.IMREAD_COLOR).shape == (
        240,
        320,
        3,
    )
    assert (
        set(report['iou']) == set(PARTS[1:])
        and report['iou']['skin'] > 0.6
        and report['iou']['nose'] > 0.4
    )
    assert json.loads((tmp_path / 'overlay.json').read_text())['frames'][1]['frame'] == 8


def test_overlay_by_default_lies_beside_the_result(reconstruction):
    report, _ = finish(tasks.preview_overlay(str(reconstruction)))
    assert (
        len(report['frames']) == 6
        and (reconstruction / 'overlay' / report['frames'][0]['picture']).exists()
    )


def test_drawing_leaves_the_frame_alone_where_no_head_is(model):
    picture = np.random.default_rng(0).integers(0, 255, (80, 200, 3), dtype=np.uint8)
    away = head_to_camera(model.neutral.astype(np.float64)) + (500, 0, 0)
    assert (draw_mesh(model, picture, away, 100.0, (50.0, 40.0)) == picture).all()
    drawn = draw_parts(picture, np.zeros((80, 200), np.uint8), np.full(8, np.nan))
    assert (drawn[:, 120:] == picture[:, 120:]).all() and drawn.shape == picture.shape
    assert segment_parts_at(picture, np.full((68, 2), np.nan)) is None


def test_a_trimmed_clip_opens_at_the_same_frames(reconstruction, tmp_path):
    clip = reconstruction.parent / 'clip.mp4'
    run(
        tasks.reconstruct([{'path': str(clip), 'start': 0.1, 'end': 0.3}], str(tmp_path)),
        lambda progress: None,
    )
    view = open_result(tmp_path).views[0]
    assert view.first == 3 and len(view.times) == 6 and view.camera.focal > 0


@pytest.mark.parametrize('missing', ['rig.npz', 'performance.npz', 'report.json', 'cameras.json'])
def test_missing_files_are_sentences(reconstruction, tmp_path, missing):
    for path in reconstruction.iterdir():
        if path.is_file() and path.name != missing:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(FacewrightError, match=missing):
        finish(tasks.bake_albedo(str(tmp_path), str(tmp_path / 'out')))
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    'spoil', ['{', '[]', '{"model": 3, "views": []}', '{"model": "builtin", "views": [4]}']
)
def test_a_spoilt_report_is_a_sentence(reconstruction, tmp_path, spoil):
    for path in reconstruction.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / 'report.json').write_text(spoil)
    with pytest.raises(FacewrightError, match=r'report\.json'):
        finish(tasks.preview_overlay(str(tmp_path)))


def test_bad_requests_are_sentences(reconstruction, tmp_path):
    folder = str(reconstruction)
    for call, says in (
        (lambda: tasks.bake_albedo(str(tmp_path / 'nowhere')), 'no folder'),
        (lambda: tasks.bake_albedo(folder, None, 7), 'size is 7: choose a whole number from 64'),
        (lambda: tasks.preview_overlay(folder, None, 'bones'), "show is 'bones': choose mesh or"),
        (lambda: tasks.preview_overlay(folder, None, 'mesh', [99]), 'no frame 99'),
    ):
        with pytest.raises(FacewrightError, match=says):
            finish(call())
    assert not (tmp_path / 'nowhere').exists()


@pytest.mark.parametrize('stop', [1, 2, 5])
@pytest.mark.parametrize('name', ['bake_albedo', 'preview_overlay'])
def test_cancel_leaves_nothing(reconstruction, tmp_path, name, stop):
    task = getattr(tasks, name)(str(reconstruction), str(tmp_path / 'out'))
    for _ in range(stop):
        next(task)
    task.close()
    assert not (tmp_path / 'out').exists() or (
        name == 'bake_albedo' and list((tmp_path / 'out').iterdir()) == []
    )


def test_irises_get_the_person_s_colour(model, shares, layout):
    """Blue eyes in the footage are blue in the vertices' colours; unseen they are as painted."""
    from facewright.engine.face_model.paint import IRIS_COLOUR, iris_vertices

    blue, rows = (
        np.array([0.12, 0.2, 0.33]),
        np.concatenate([iris_vertices(model, s) for s in 'LR']),
    )
    truth = person(model)
    truth[rows] = blue
    samples = [shown(model, shares, truth, SIDE, yaw, layout=layout) for yaw in (-15, 0, 15)]
    colours = (
        bake(model, layout, shares.argmax(1), samples, 1).colours[rows].astype(np.float64) ** 2.2
    )
    assert np.allclose(
        np.median(colours, axis=0) / np.median(colours, axis=0).mean(),
        blue / blue.mean(),
        atol=0.12,
    )
    from dataclasses import replace

    blind = [replace(taken, iris=taken.iris[:0]) for taken in samples]
    assert np.allclose(
        bake(model, layout, shares.argmax(1), blind, 1).colours[rows], IRIS_COLOUR, atol=0.01
    )
