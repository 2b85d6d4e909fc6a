"""Meshes as their owners made them: kinds of file, and all that can be wrong with one."""

import contextlib

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.engine.core.errors import FacewrightError
from facewright.engine.geometry.polygons import polygons_to_faces
from facewright.engine.geometry.user_mesh import UserMesh, checked, read_mesh, welded, write_mesh

CUBE = trimesh.creation.box((1.0, 2, 3))


@pytest.mark.parametrize('suffix', ['.ply', '.stl', '.off', '.glb', '.obj'])
def test_every_kind_of_file_holds_the_same_surface(tmp_path, suffix):
    CUBE.export(tmp_path / f'box{suffix}')
    mesh = read_mesh(tmp_path / f'box{suffix}')
    vertices, triangles, of = welded(mesh)
    assert len(vertices) == 8 and len(triangles) == 12 and len(of) == len(mesh.vertices)
    assert trimesh.Trimesh(vertices, triangles, process=False).volume == pytest.approx(6)


def test_an_obj_keeps_its_order_quads_objects_and_relative_indices(tmp_path):
    (tmp_path / 'a.obj').write_text(
        'o left\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nf 1/1 2/1 3/1 4/1\n'
        'o right\nv 5 0 0\nv 6 0 0\nv 6 1 0\nf -3 -2 -1\n'
    )
    mesh = read_mesh(tmp_path / 'a.obj')
    assert (
        mesh.faces.tolist() == [[0, 1, 2, 3], [4, 5, 6, -1]]
        and mesh.part_names == ('left', 'right')
        and mesh.part.tolist() == [0] * 4 + [1] * 3
    )
    assert (mesh.vertices[4] == (5, 0, 0)).all()


def test_the_add_ons_file_comes_back_as_it_was(tmp_path):
    mesh = UserMesh(
        np.random.default_rng(0).normal(size=(4, 3)),
        np.array([[0, 1, 2, 3]], np.int32),
        np.array([0, 0, 1, 1], np.int32),
        ('head', 'äyes'),
    )
    write_mesh(tmp_path / 'm.npz', mesh)
    again = read_mesh(tmp_path / 'm.npz')
    assert (
        (again.vertices == mesh.vertices).all()
        and (again.faces == mesh.faces).all()
        and again.part_names == mesh.part_names
        and (again.part == mesh.part).all()
    )


@given(st.lists(st.integers(3, 9), min_size=1, max_size=6))
def test_polygons_keep_their_area(sizes):
    """Regular polygons side by side: cut into quads and triangles they cover the same."""
    points, total = [], 0.0
    for k, n in enumerate(sizes):
        angle = 2 * np.pi * np.arange(n) / n
        points.append(np.c_[np.cos(angle) + 3 * k, np.sin(angle), np.zeros(n)])
        total += n / 2 * np.sin(2 * np.pi / n)
    corners = np.arange(sum(sizes))
    faces = polygons_to_faces(corners, np.array(sizes))
    points = np.concatenate(points)
    mesh = UserMesh(points, faces.astype(np.int32), np.zeros(len(points), np.int32), ('m',))
    t = mesh.triangles
    cross = np.cross(points[t[:, 1]] - points[t[:, 0]], points[t[:, 2]] - points[t[:, 0]])[:, 2]
    assert (cross > 0).all() and cross.sum() / 2 == pytest.approx(total)


def test_welding_joins_what_lies_together_within_a_part_only():
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    mesh = UserMesh(
        np.concatenate([corners, corners + 1e-12, corners]),
        np.array([[0, 1, 2, -1], [3, 4, 5, -1], [6, 7, 8, -1], [0, 0, 1, -1]], np.int32),
        np.array([0] * 6 + [1] * 3, np.int32),
        ('a', 'b'),
    )
    vertices, triangles, of = welded(mesh)
    assert len(vertices) == 6 and of.tolist() == [0, 1, 2, 0, 1, 2, 3, 4, 5] and len(triangles) == 3


@pytest.mark.parametrize(
    'change,says',
    [
        ({'vertices': np.full((4, 3), np.nan)}, 'not finite'),
        ({'faces': np.array([[0, 1, 9, -1]], np.int32)}, 'missing vertices'),
        ({'faces': np.zeros((0, 4), np.int32)}, 'no faces'),
        ({'vertices': np.zeros((4, 3))}, 'no extent'),
        ({'part': np.array([0, 0, 0, 5], np.int32)}, 'which object'),
    ],
)
def test_what_cannot_be_a_head_says_so_in_one_sentence(change, says):
    good = {
        'vertices': np.random.default_rng(0).normal(size=(4, 3)),
        'faces': np.array([[0, 1, 2, 3]], np.int32),
        'part': np.zeros(4, np.int32),
        'part_names': ('m',),
    }
    with pytest.raises(FacewrightError, match=says):
        checked(UserMesh(**(good | change)))


@pytest.mark.parametrize(
    'name,text,says',
    [
        ('a.obj', 'v 0 0 0\n', 'no faces'),
        ('a.obj', 'v 0 0\nf 1 2 3\n', '.'),
        ('a.ply', 'ply\nnonsense', 'damaged|no faces'),
        ('a.txt', '', 'save it as'),
        ('a.glb', 'glTF', 'damaged|no faces'),
        ('a.obj', 'v a b c\nf 1 1 1\n', 'damaged'),
    ],
)
def test_damaged_files_say_so(tmp_path, name, text, says):
    (tmp_path / name).write_text(text)
    with pytest.raises(FacewrightError, match=says):
        read_mesh(tmp_path / name)
    with pytest.raises(FacewrightError, match='no mesh'):
        read_mesh(tmp_path / 'absent.obj')


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(['.obj', '.ply', '.stl', '.off', '.glb', '.npz']))
def test_any_bytes_end_in_a_mesh_or_one_sentence(tmp_path_factory, data, suffix):
    path = tmp_path_factory.mktemp('m') / f'x{suffix}'
    path.write_bytes(data)
    try:
        mesh = read_mesh(path)
        assert np.isfinite(mesh.vertices).all() and mesh.faces.max() < len(mesh.vertices)
    except FacewrightError as error:
        assert str(path) in str(error)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                'v 0 0 0',
                'v 1 0 0',
                'v 0 1 0',
                'v nan 0 0',
                'v 1e400 0 0',
                'f 1 2 3',
                'f 1 2 3 4 5',
                'f 1//2 2//3 3',
                'f 0 1 2',
                'f -1 -2 -3',
                'o a',
                'o',
                'vt 0 0',
                'f',
                'f 1 2',
                'x',
            ]
        ),
        max_size=12,
    )
)
def test_any_obj_ends_in_a_mesh_or_one_sentence(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp('m') / 'x.obj'
    path.write_text('\n'.join(lines))
    with contextlib.suppress(FacewrightError):
        read_mesh(path)


def test_faces_of_no_area_alone_say_so():
    mesh = UserMesh(
        np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0.0]]),
        np.array([[0, 0, 1, -1]], np.int32),
        np.zeros(3, np.int32),
        ('head',),
        source='Head',
    )
    with pytest.raises(FacewrightError, match='Head has no face of any area'):
        welded(checked(mesh))
