"""Outlines of parts against masks.

Pulled to where the masks end, each along the mask's own normal.
"""

from dataclasses import replace

import numpy as np
import pytest

from facewright.engine.annotate.parts import model_part_shares
from facewright.engine.evidence.appearance import Drawn
from facewright.engine.evidence.options import StandardOptions
from facewright.engine.evidence.part_evidence import GRID, MaskedPicture, outline_quadratic
from facewright.engine.evidence.part_points import outline_points
from facewright.engine.evidence.pictures import SIZE
from facewright.engine.face_model import load_model
from facewright.engine.face_model.paint import visible_faces
from facewright.engine.face_model.part_labels import NOSE, PARTS, UPPER_LIP
from facewright.engine.geometry.normals import vertex_normals
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.render.preview import head_to_camera
from facewright.engine.render.rasterise import rasterise
from facewright.engine.texture.part_iou import part_labels_picture

FOCAL, CENTRE, ONE = 900.0, (SIZE / 2, SIZE / 2), np.ones(2)


@pytest.fixture(scope='module')
def scene():
    model = load_model('builtin')
    head = head_to_camera(
        model.shape(None, np.array([0.4 * (name == 'jawOpen') for name in model.names])).astype(
            np.float64
        ),
        8.0,
        distance=62.0,
    )
    triangles = triangulate(model.faces[visible_faces(model)])
    drawn = Drawn(head, rasterise(head, triangles, FOCAL, CENTRE, (SIZE, SIZE))[2], FOCAL, CENTRE)
    scale = GRID / SIZE
    labels = part_labels_picture(
        model,
        model_part_shares(model),
        head,
        FOCAL * scale,
        tuple(np.array(CENTRE) * scale),
        (GRID, GRID),
    )
    return outline_points(model), triangles, drawn, labels


def pulls(scene, labels, **options):
    """Gradient and curvature of the outlines' term, every part as important as another."""
    points, triangles, drawn, _ = scene
    normals = vertex_normals(drawn.vertices, triangles)
    picture = MaskedPicture((), labels, drawn, drawn.vertices, normals, ONE)
    alike = {'lips': 1.0, 'eyes': 1.0, 'brows': 1.0} | options
    return outline_quadratic(points, picture, replace(StandardOptions(), **alike))[:2]


@pytest.mark.parametrize('shift', [(0, 0), (2, 0), (0, -2), (-1, 1)])
def test_shifted_masks_pull_the_head_after_them(scene, shift):
    gradient, curvature = pulls(scene, np.roll(scene[3], shift[::-1], (0, 1)))
    step = np.linalg.solve(curvature.sum(0), -gradient.sum(0))
    np.testing.assert_allclose(step, shift, atol=0.5)


def test_a_part_that_is_not_seen_in_the_mask_says_nothing(scene):
    gradient, curvature = pulls(scene, np.where(scene[3] == NOSE, 1, scene[3]))
    nose = scene[0].part == NOSE
    assert not gradient[nose].any() and not curvature[nose].any() and gradient[~nose].any()


def test_a_part_counts_as_much_however_many_points_it_has_and_a_far_one_little(scene):
    whole = pulls(scene, scene[3], outlines=6.0, hidden=0.0)[1]
    for part in range(NOSE, len(PARTS)):
        assert whole[scene[0].part == part].trace(axis1=1, axis2=2).sum() == pytest.approx(
            6.0, rel=0.7
        )
    near, far = (
        np.abs(
            pulls(scene, np.roll(scene[3], k, 0), outline_robust=3.0)[0][scene[0].part == UPPER_LIP]
        ).sum()
        for k in (3, 40)
    )
    assert far < 0.2 * near
