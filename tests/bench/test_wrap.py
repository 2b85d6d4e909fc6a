"""ICT-FaceKit wrapped onto real scans: distances, contours, correspondences, seconds, sheets/."""

import time

import cv2
import numpy as np
import pytest

from facewright.engine.annotate.landmarks import model_landmarks
from facewright.engine.face_model import load_model
from facewright.engine.face_model.paint import visible_faces
from facewright.engine.footage.detector.landmark_sets import landmark_sets
from facewright.engine.geometry.closest import Surface
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.geometry.user_mesh import read_mesh
from facewright.engine.render.preview import render_head
from facewright.engine.wrap.fit_quality import fit_numbers
from facewright.engine.wrap.scan_landmarks import bare_colours, landmarks_from_all_round
from facewright.engine.wrap.wrap import wrap_mesh

pytestmark = pytest.mark.bench
SPACETIME = ('neutral', 'smile', 'disgust', 'surprise')


@pytest.fixture(scope='module')
def wraps(shared_data):
    model = load_model(str(shared_data / 'ict-facekit.tar.xz'))
    landmarks = model_landmarks(model)
    folder = shared_data / 'meshes'
    paths = sorted((folder / 'neutral_scans').glob('*.obj')) + [
        folder / 'spacetime_faces_goast' / f'{n}.ply' for n in SPACETIME
    ]
    out = {}
    for path in paths:
        mesh = read_mesh(path)
        began = time.perf_counter()
        wrapped = wrap_mesh(model, landmarks, mesh)
        out[path.stem] = mesh, wrapped, time.perf_counter() - began
    return model, out


def contours(model, wrapped) -> dict[str, float]:
    """mm, mean: from the contour the detector sees on the bare scan to that on the wrapped head.

    In the same poses.
    """
    centre = model.neutral[model.landmarks68].mean(0) - (0, 0, 3)
    scan = landmarks_from_all_round(
        wrapped.skin.vertices,
        wrapped.skin.triangles,
        bare_colours(len(wrapped.skin.vertices)),
        centre,
    )[0]
    faces = triangulate(model.faces[visible_faces(model)])
    ours = landmarks_from_all_round(
        wrapped.vertices, faces, bare_colours(len(wrapped.vertices)), centre
    )[0]
    out = {}
    for name, loops in (('lids', ('left_eye', 'right_eye')), ('lips', ('outer_lip', 'inner_lip'))):
        off = []
        for loop in loops:
            ring = landmark_sets()[loop]
            a, b = ours[ring], np.roll(ours[ring], -1, 0)
            for p in scan[ring]:
                t = np.clip(
                    ((p - a) * (b - a)).sum(1) / np.maximum(((b - a) ** 2).sum(1), 1e-9), 0, 1
                )
                off.append(10 * np.linalg.norm(a + t[:, None] * (b - a) - p, axis=1).min())
        out[name] = float(np.mean(off))
    return out


def test_every_scan(wraps, root):
    model, out = wraps
    print(
        '\n| scan | model → scan, median / 95 % (mm) | all of the narrow face | scan → model '
        '| lids, lips (mm) | turned, folds | seconds |\n|---|---|---|---|---|---|---|'
    )
    rows = []
    for name, (_, wrapped, seconds) in out.items():
        n, c = fit_numbers(model, wrapped), contours(model, wrapped)
        print(
            f'| {name} | {n["model_to_mesh_median_mm"]:.2f} / {n["model_to_mesh_95_mm"]:.2f} '
            f'| {n["model_to_mesh_all_median_mm"]:.2f} / {n["model_to_mesh_all_95_mm"]:.2f} '
            f'| {n["mesh_to_model_median_mm"]:.2f} / {n["mesh_to_model_95_mm"]:.2f} '
            f'| {c["lids"]:.2f}, {c["lips"]:.2f} '
            f'| {n["turned_triangles"]}, {n["folds"]} | {seconds:.1f} |',
            flush=True,
        )
        away = np.where(np.isfinite(wrapped.distance), 10 * wrapped.distance, 2)
        colours = (
            cv2.applyColorMap(
                np.clip(away / 2 * 255, 0, 255).astype(np.uint8)[:, None], cv2.COLORMAP_VIRIDIS
            )[:, 0, ::-1]
            / 255.0
        )
        see = {'size': (420, 420), 'look_at': np.array([0, -1, 3.0]), 'focal': 1300.0}
        visible = model.faces[visible_faces(model)]
        rows.append(
            np.concatenate(
                [
                    render_head(v, f, col, yaw=yaw, **see)
                    for v, f, col in (
                        (wrapped.skin.vertices, wrapped.skin.triangles, None),
                        (wrapped.vertices, visible, None),
                        (wrapped.vertices, visible, colours),
                    )
                    for yaw in (0, 35)
                ],
                1,
            )
        )
        assert n['model_to_mesh_median_mm'] <= 0.3 and n['mesh_to_model_median_mm'] <= 0.3
    (root / 'sheets').mkdir(exist_ok=True)
    cv2.imwrite(
        str(root / 'sheets' / 'wraps.jpg'),
        np.concatenate(rows)[..., ::-1],
        [cv2.IMWRITE_JPEG_QUALITY, 90],
    )


def test_the_same_vertex_on_the_same_point_of_four_expressions(wraps):
    """The four scans share a topology: where a wrap's vertices lie on the neutral's.

    The scan's point under each vertex of one wrap, looked up in the neutral scan, beside that of
    the neutral's wrap.
    """
    model, out = wraps
    face = model.regions['narrow_face']
    place, near = {}, {}
    for name in SPACETIME:
        mesh, wrapped, _ = out[name]
        triangle, barycentric, _, distance = Surface(mesh.vertices, mesh.triangles).closest(
            wrapped.fit.from_head(wrapped.vertices[face])
        )
        place[name] = (
            out['neutral'][0].vertices[mesh.triangles[triangle]] * barycentric[..., None]
        ).sum(1)
        near[name] = distance < 1.2
    together = np.all(list(near.values()), 0)
    print('\n| expression | median, mean, 95 % (mm) | within 2 mm |\n|---|---|---|')
    for name in SPACETIME[1:]:
        off = np.linalg.norm(place[name] - place['neutral'], axis=1)[together]
        print(
            f'| {name} | {np.median(off):.2f}, {off.mean():.2f}, {np.percentile(off, 95):.2f} '
            f'| {100 * (off < 2).mean():.0f} % |'
        )
    assert together.mean() > 0.7
