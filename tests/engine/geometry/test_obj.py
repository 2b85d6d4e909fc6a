"""Wavefront OBJ as programs really write it: the file's order, whatever the white space."""

import lzma

import numpy as np
import pytest

from facewright.engine.core.errors import FacewrightError
from facewright.engine.geometry.user_mesh import read_mesh

PLAIN = 'v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 .5\nvt 0 0\nf 1/1 2/1 3/1 4/1\n'
SAME = {
    'a byte-order mark': '\ufeff' + PLAIN,
    'tabs': PLAIN.replace(' ', '\t'),
    'Windows lines': PLAIN.replace('\n', '\r\n'),
    'old Mac lines': PLAIN.replace('\n', '\r'),
    'indented lines': '\n'.join(f'  {line}' for line in PLAIN.split('\n')),
    'indented by tabs': '\n'.join(f'\t{line}' for line in PLAIN.split('\n')),
    'a continued face': PLAIN.replace('2/1 ', '2/1 \\\n'),
    'a continued vertex': PLAIN.replace('v 1 1', 'v 1 \\  \n  1'),
    'a face continued in Windows': PLAIN.replace('2/1 ', '2/1 \\\n').replace('\n', '\r\n'),
    'comments behind': PLAIN.replace('\n', ' # so\n'),
    'negative indices': PLAIN.replace('f 1/1 2/1 3/1 4/1', 'f -4/-1 -3/-1 -2/-1 -1/-1'),
    'normals alone': PLAIN.replace('/1', '//1'),
    'nothing but positions': PLAIN.replace('/1', ''),
    'a fourth coordinate': PLAIN.replace('v 1 0 0', 'v 1 0 0 1').replace('v 0 0 0', 'v 0 0 0 1'),
    'no last line end': PLAIN.rstrip(),
    'the old word for a face': PLAIN.replace('f ', 'fo '),
    'exponents': PLAIN.replace('v 1 0 0', 'v 1.0e+00 0e0 0'),
    'free-form words': 'cstype bezier\n' + PLAIN + 'l 1 2\np 1\ns off\n',
}


@pytest.mark.parametrize('how', SAME)
def test_every_way_of_writing_the_same_quad_reads_the_same(tmp_path, how):
    (tmp_path / 'a.obj').write_bytes(SAME[how].encode())
    mesh = read_mesh(tmp_path / 'a.obj')
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5]]
    assert mesh.faces.tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize('encoding', ['utf-16', 'utf-8-sig', 'latin-1'])
def test_every_encoding_that_editors_save(tmp_path, encoding):
    (tmp_path / 'a.obj').write_bytes(('o T\u00eate #1\n' + PLAIN).encode(encoding))
    mesh = read_mesh(tmp_path / 'a.obj')
    assert len(mesh.vertices) == 4 and mesh.part_names[0].endswith('te #1')


def test_colours_of_one_byte_are_colours(tmp_path):
    (tmp_path / 'a.obj').write_text('v 0 0 0 255 0 0\nv 1 0 0 0 51 0\nv 0 1 0 0 0 255\nf 1 2 3\n')
    assert read_mesh(tmp_path / 'a.obj').colours.tolist() == [[1, 0, 0], [0, 0.2, 0], [0, 0, 1]]


def test_polygons_stay_whatever_comes_last(tmp_path):
    """A pentagon beside a face of two corners at the file's end: both of its parts are kept."""
    text = 'v 0 0 0\nv 2 0 0\nv 3 1 0\nv 1 2 0\nv -1 1 0\nf 1 2 3 4 5\nf 1 2\n'
    (tmp_path / 'a.obj').write_text(text)
    assert read_mesh(tmp_path / 'a.obj').faces.tolist() == [[0, 1, 2, 3], [0, 3, 4, -1]]


@pytest.mark.parametrize('face', ['0 1 2', '-9 1 2', '1 2 5', '1 2 -5'])
def test_faces_of_missing_vertices_are_refused(tmp_path, face):
    """Also 0, which is no vertex, though others follow."""
    (tmp_path / 'a.obj').write_text(f'v 0 0 0\nv 1 0 0\nv 0 1 0\nf {face}\nv 5 5 5\n')
    with pytest.raises(FacewrightError, match='missing vertices'):
        read_mesh(tmp_path / 'a.obj')


@pytest.mark.parametrize('case', ['tabs', 'leading_spaces', 'continuation', 'bom_shift'])
def test_the_scan_of_each_case_is_the_plain_scan(shared_data, tmp_path, case):
    path = tmp_path / f'{case}.obj'
    packed = shared_data / 'cases' / 'mesh' / f'{case}.obj.xz'
    path.write_bytes(lzma.decompress(packed.read_bytes()))
    scans = shared_data / 'meshes' / 'spacetime_faces_goast'
    mesh, plain = read_mesh(path), read_mesh(scans / 'neutral.ply')
    count = len(plain.vertices)  # bom_shift has one more, which no face uses
    assert np.abs(mesh.vertices[:count] - plain.vertices).max() < 1e-3
    assert (mesh.faces == plain.faces).all()
