"""What people see of a head's colours: irises and pupils behind clear corneas, lips, lashes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facewright.engine.face_model import load_model
from facewright.engine.face_model.paint import (
    IRIS_COLOUR,
    LIP_COLOUR,
    PUPIL_COLOUR,
    SKIN_COLOUR,
    albedo,
    iris_vertices,
    natural_albedo,
    opacity,
    surface_materials,
)
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.render.preview import head_to_camera
from facewright.engine.render.rasterise import project, rasterise

FOCAL, SIZE = 3000.0, (1200, 800)
CLEAR = ('cornea', 'lacrimal', 'blend', 'occlusion', 'lash')


@pytest.fixture(scope='module', params=['builtin', 'ict'])
def model(request):
    if request.param == 'builtin':
        return load_model('builtin')
    archive = Path(__file__).resolve().parents[4] / 'shared' / 'data' / 'ict-facekit.tar.xz'
    if not archive.exists():
        pytest.skip('needs shared/data beside the project')
    return load_model(str(archive))


def looked_at(model, hidden):
    """(material of each pixel, −1 for none; where each eye's iris should be; names), from the front
    and without `hidden` materials."""
    names, of = surface_materials(model)
    keep = ~np.isin(
        of, [k for k, name in enumerate(names) if any(word in name.lower() for word in hidden)]
    )
    faces, shown = model.faces[keep], of[keep]
    number = np.concatenate([shown, shown[faces[:, 3] >= 0]])
    middle = np.mean([model.neutral[model.regions[f'eyeball_{s}']].mean(0) for s in 'LR'], axis=0)
    camera = head_to_camera(model.neutral.astype(np.float64), 0, 0, 0, 60.0, middle)
    triangle, _, _ = rasterise(camera, triangulate(faces), FOCAL, (SIZE[0] / 2, SIZE[1] / 2), SIZE)
    irises = [
        project(camera[iris_vertices(model, s)].mean(0)[None], FOCAL, (SIZE[0] / 2, SIZE[1] / 2))[0]
        for s in 'LR'
    ]
    return np.where(triangle >= 0, number[triangle], -1), irises, names


def test_behind_what_is_clear_one_sees_an_iris_round_a_pupil_and_white_beside(model):
    seen, irises, names = looked_at(model, CLEAR)

    def word(iris, dx, dy=0.0):
        """What is seen beside the middle of an iris, at (dx, dy) cm of 50 pixels each."""
        return names[seen[int(iris[1] + dy * 50), int(iris[0] + dx * 50)]].lower()

    for iris in irises:
        assert word(iris, 0).startswith('pupil')
        assert all(
            word(iris, dx, dy).startswith('iris') for dx, dy in ((0.38, 0), (-0.38, 0), (0, 0.3))
        )
        assert word(iris, 0.8).startswith('sclera') and word(iris, -0.8).startswith('sclera')


def test_each_material_of_an_eye_has_one_colour(model):
    colours, (names, of) = natural_albedo(model), surface_materials(model)
    for word, value in (('iris', IRIS_COLOUR), ('pupil', PUPIL_COLOUR)):
        for k in [k for k, name in enumerate(names) if name.lower().startswith(word)]:
            middle = np.median(colours[model.faces[of == k, :3]].reshape(-1, 3), axis=0)
            assert np.allclose(middle, value, atol=0.02)
    for k in [k for k, name in enumerate(names) if name.startswith('Sclera')]:
        white = np.median(colours[model.faces[of == k, :3]].reshape(-1, 3), axis=0)
        assert (white > 0.7).all() and (white < 0.87).all()


def test_lips_are_a_little_redder_than_skin_and_no_more(model):
    colours = natural_albedo(model)
    lip = np.median(colours[model.landmarks68[[50, 51, 52, 56, 57, 58, 62, 66]]], axis=0)
    assert (
        1.05
        < (lip[0] / lip[1]) / (SKIN_COLOUR[0] / SKIN_COLOUR[1])
        < 1.35
        < (LIP_COLOUR[0] / LIP_COLOUR[1]) / (SKIN_COLOUR[0] / SKIN_COLOUR[1])
    )


def test_the_back_of_the_head_is_skin_in_the_solid_view(model):
    colours, (names, of) = natural_albedo(model), surface_materials(model)
    back = names.index('BackHead' if 'BackHead' in names else 'Head')
    assert np.allclose(
        np.median(colours[model.faces[of == back, :3]].reshape(-1, 3), axis=0),
        SKIN_COLOUR,
        atol=0.02,
    )


def test_brows_are_painted_along_their_landmarks(model):
    extra = {name: values for name, values in model.extra.items() if name != 'brows'}
    colours = albedo(replace(model, extra=extra), brow=(0.0, 0.0, 0.0))
    face = model.regions['face']
    dark = face[colours[face].max(1) < 0.05]
    for marks in (slice(17, 22), slice(22, 27)):
        line = model.neutral[model.landmarks68[marks]].astype(float)
        line = line[np.argsort(line[:, 0])]
        beside = dark[
            (model.neutral[dark, 0] > line[0, 0]) & (model.neutral[dark, 0] < line[-1, 0])
        ]
        height = model.neutral[beside, 1] - np.interp(
            model.neutral[beside, 0], line[:, 0], line[:, 1]
        )
        assert len(beside) > 20
        assert abs((height.max() + height.min()) / 2) < 0.06  # cm


def test_lashes_fade_to_their_tips(model):
    there = opacity(model)
    lashes = np.concatenate(
        [model.regions.get(f'eyelashes_{s}', np.zeros(0, int)) for s in 'LR']
    ).astype(int)
    assert (np.delete(there, lashes) == 1).all()
    if model.name == 'ict':  # cards
        assert there[lashes].max() == 1 and there[lashes].min() < 0.05
    elif len(lashes):  # hairs
        assert (there[lashes] == 1).all() and natural_albedo(model)[lashes].max() < 0.15


def test_irises_have_the_colour_asked_for(model):
    blue = (0.35, 0.45, 0.6)
    assert np.allclose(natural_albedo(model, blue)[iris_vertices(model, 'L')], blue, atol=1e-6)
