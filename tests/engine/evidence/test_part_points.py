"""Points of a head's parts.

Mixtures of vertices that lie where the part is seen, evenly, and eyes that close.
"""

import numpy as np
import pytest
from scipy import ndimage

from facewright.engine.annotate.parts import model_part_shares, model_parts
from facewright.engine.evidence.part_points import (
    even,
    outline_points,
    outlines_seen,
    part_points,
    seen,
)
from facewright.engine.face_model import load_model
from facewright.engine.face_model.paint import visible_faces
from facewright.engine.face_model.part_labels import LEFT_EYE, PARTS, RIGHT_EYE
from facewright.engine.geometry.normals import vertex_normals
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.render.preview import head_to_camera
from facewright.engine.render.rasterise import rasterise
from facewright.engine.texture.part_iou import part_labels_picture

FOCAL, CENTRE, SIZE = 1500.0, (256.0, 256.0), (512, 512)


@pytest.fixture(scope='module')
def model():
    return load_model('builtin')


@pytest.fixture(scope='module')
def points(model):
    return part_points(model, 400, 1200)


def look(model, points, yaw):
    """Labels of the picture, pixels of the points, and which are seen."""
    camera = head_to_camera(model.neutral.astype(np.float64), yaw)
    triangles = triangulate(model.faces[visible_faces(model)])
    depth = rasterise(camera, triangles, FOCAL, CENTRE, SIZE)[2]
    at = points.matrix @ camera
    return (
        part_labels_picture(model, model_parts(model), camera, FOCAL, CENTRE, SIZE),
        at[:, :2] / at[:, 2:] * FOCAL + CENTRE,
        seen(points, camera, vertex_normals(camera, triangles), depth, FOCAL, CENTRE),
    )


def test_every_part_has_its_points(model, points):
    count = np.bincount(points.part, minlength=len(PARTS))
    assert (
        count[0] == 0
        and count[1] == 1200
        and (count[2:] == 400).all()
        and (np.diff(points.part) >= 0).all()
    )
    np.testing.assert_allclose(points.matrix.sum(1), 1)
    np.testing.assert_allclose(
        points.of(model.expressions[:2])[1], points.matrix @ model.expressions[1], atol=1e-6
    )


@pytest.mark.parametrize('yaw', [0, 35])
def test_seen_points_lie_on_their_part_of_the_picture(model, points, yaw):
    labels, pixels, visible = look(model, points, yaw)
    inside = visible & ((pixels > 0) & (pixels < SIZE)).all(1)
    x, y = pixels[inside].astype(int).T
    near = np.stack([ndimage.maximum_filter(labels == k, 3) for k in range(len(PARTS))])
    assert near[points.part[inside], y, x].mean() > 0.95


def test_what_the_head_hides_is_not_seen(model, points):
    _, _, visible = look(model, points, 80)
    one, other = visible[points.part == LEFT_EYE].mean(), visible[points.part == RIGHT_EYE].mean()
    assert min(one, other) < 0.2 < 0.8 < max(one, other)


@pytest.mark.parametrize('part', [7, 8])
def test_even_points_have_the_pictures_middle(model, points, part):
    """Of a lip half turned away, whose points crowd on the side that turns."""
    labels, pixels, visible = look(model, points, 30)
    own = pixels[visible & (points.part == part)]
    picked = own[even(own, 100)]
    true = np.argwhere(labels == part)[:, ::-1].mean(0) + 0.5
    off = np.linalg.norm(picked.mean(0) - true)
    assert len(picked) <= 100 and off < 1.5
    assert off < 0.25 * np.linalg.norm(own.mean(0) - true)
    assert (even(own, 100) == even(own, 100)).all() and len(even(own[:1], 5)) == 1


def test_eyes_close(model, points):
    weights = np.zeros(len(model.names))
    weights[model.names.index('eyeBlink_L')] = 1

    def thickness(head, label):
        own = (points.matrix @ head)[points.part == label]
        own = own[np.abs(own[:, 0] - own[:, 0].mean()) < 0.2]
        return np.ptp(own[:, 1])

    closed = model.shape(weights=weights)
    assert thickness(closed, LEFT_EYE) < 0.3 * thickness(model.neutral, LEFT_EYE)
    assert thickness(closed, RIGHT_EYE) == pytest.approx(
        thickness(model.neutral, RIGHT_EYE), rel=0.05
    )


def test_outlines_lie_where_the_picture_ends_a_part(model):
    """Of the points seen from the front.

    All lie within two pixels of their part's edge in the picture.
    """
    outlines = outline_points(model, 60)
    np.testing.assert_allclose(outlines.matrix.sum(1), 1)
    assert set(outlines.part) == set(range(2, len(PARTS))) and (np.diff(outlines.part) >= 0).all()
    camera = head_to_camera(
        model.shape(None, np.array([0.5 * (name == 'jawOpen') for name in model.names])).astype(
            np.float64
        )
    )
    triangles = triangulate(model.faces[visible_faces(model)])
    depth = rasterise(camera, triangles, FOCAL, CENTRE, SIZE)[2]
    visible = outlines_seen(
        outlines, camera, vertex_normals(camera, triangles), depth, FOCAL, CENTRE
    )
    labels = part_labels_picture(model, model_part_shares(model), camera, FOCAL, CENTRE, SIZE)
    at = outlines.matrix @ camera
    x, y = (at[:, :2] / at[:, 2:] * FOCAL + CENTRE).astype(int).T
    for part in range(2, len(PARTS)):
        own = visible & (outlines.part == part)
        mask = labels == part
        distance = np.where(
            mask, ndimage.distance_transform_edt(mask), ndimage.distance_transform_edt(~mask)
        )
        assert (
            own.sum() > 0.6 * (outlines.part == part).sum()
            and np.median(distance[y[own], x[own]]) <= 2
            and (distance[y[own], x[own]] <= 4).mean() > 0.9
        )
    behind = head_to_camera(model.neutral.astype(np.float64), 180.0)
    assert not outlines_seen(
        outlines,
        behind,
        vertex_normals(behind, triangles),
        rasterise(behind, triangles, FOCAL, CENTRE, SIZE)[2],
        FOCAL,
        CENTRE,
    ).any()
