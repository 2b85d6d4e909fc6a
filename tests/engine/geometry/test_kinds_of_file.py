"""Files as other programs write them, and what is told of those that cannot be read."""

import json
import struct

import numpy as np
import pytest
import trimesh

from facewright.engine.core.errors import FacewrightError
from facewright.engine.geometry.user_mesh import read_mesh, welded

POINTS = [(0, 0, 0), (2, 0, 0), (3, 1, 0), (1, 2, 0.5), (-1, 1, 0), (5, 5, 1)]
POLYGONS = [(0, 1, 2, 3, 4), (2, 5, 3), (0, 1, 2, 5)]
FACES = [[0, 1, 2, 3], [2, 5, 3, -1], [0, 1, 2, 5], [0, 3, 4, -1]]


def ply(order: str, points=POINTS, polygons=POLYGONS, count: str | None = None) -> bytes:
    """A PLY with colours, text or binary, of polygons of several sizes."""
    kind = {'': 'ascii', '<': 'binary_little_endian', '>': 'binary_big_endian'}[order]
    head = (
        f'ply\nformat {kind} 1.0\ncomment made here\nelement vertex {count or len(points)}\n'
        'property float x\nproperty float y\nproperty float z\n'
        'property uchar red\nproperty uchar green\nproperty uchar blue\n'
    )
    if polygons:
        head += f'element face {len(polygons)}\n'
        head += 'property list uchar int vertex_indices\nproperty uchar flags\n'
    head += 'end_header\n'
    if not order:
        rows = [f'{x:g} {y:g} {z:g} 255 0 51' for x, y, z in points]
        rows += [' '.join(map(str, (len(p), *p, 7))) for p in polygons]
        return (head + '\n'.join(rows) + '\n').encode()
    rows = [struct.pack(f'{order}fffBBB', *p, 255, 0, 51) for p in points]
    rows += [struct.pack(f'{order}B{len(p)}iB', len(p), *p, 7) for p in polygons]
    return head.encode() + b''.join(rows)


@pytest.mark.parametrize('order', ['', '<', '>'])
def test_a_ply_of_triangles_quads_and_more(tmp_path, order):
    """Blender writes such; trimesh calls them damaged."""
    (tmp_path / 'a.ply').write_bytes(ply(order))
    mesh = read_mesh(tmp_path / 'a.ply')
    assert np.allclose(mesh.vertices, POINTS) and mesh.faces.tolist() == FACES
    assert np.allclose(mesh.colours, (1, 0, 0.2))


@pytest.mark.parametrize('order', ['', '<', '>'])
@pytest.mark.parametrize('size', [3, 4])
def test_a_ply_of_faces_that_are_alike(tmp_path, order, size):
    faces = [tuple(range(k, k + size)) for k in range(3)][: 7 - size]
    (tmp_path / 'a.ply').write_bytes(ply(order, polygons=faces))
    mesh = read_mesh(tmp_path / 'a.ply')
    assert [tuple(f[f >= 0]) for f in mesh.faces] == faces


@pytest.mark.parametrize(
    'data,says',
    [
        (ply('', polygons=()), 'points alone'),
        (ply('<', polygons=()), 'points alone'),
        (ply('', count='99999999999999'), 'cut off'),
        (ply('<', count='99999999999999'), 'cut off'),
        (ply('>')[:-40], 'cut off|damaged'),
        (ply('', polygons=[(0, 1, 17)]), 'missing vertices'),
        (ply('<', polygons=[(0, 1, -2), (1, 2, 3, 4)]), 'missing vertices'),
        (ply('', count='-3'), 'damaged'),
    ],
)
def test_a_ply_that_holds_no_surface_says_so(tmp_path, data, says):
    (tmp_path / 'a.ply').write_bytes(data)
    with pytest.raises(FacewrightError, match=says):
        read_mesh(tmp_path / 'a.ply')


def changed(data: bytes, change) -> bytes:
    """A .glb whose JSON went through change(document)."""
    length = struct.unpack_from('<I', data, 12)[0]
    document = json.loads(data[20 : 20 + length])
    change(document)
    text = json.dumps(document).encode()
    text += b' ' * (-len(text) % 4)
    rest = data[20 + length :]
    return (
        struct.pack('<4sIIII', b'glTF', 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A)
        + text
        + rest
    )


def compressed(tmp_path, extension: str):
    """A .glb of a box that says it needs an extension."""
    needs = {'extensionsRequired': [extension], 'extensionsUsed': [extension]}
    data = changed(
        trimesh.creation.box().export(file_type='glb'), lambda document: document.update(needs)
    )
    (tmp_path / 'a.glb').write_bytes(data)
    return tmp_path / 'a.glb'


@pytest.mark.parametrize(
    'extension,says',
    [
        ('KHR_draco_mesh_compression', 'Draco.*without compression'),
        ('EXT_meshopt_compression', 'meshopt.*without'),
        ('KHR_mesh_quantization', 'quantised.*without'),
    ],
)
def test_a_compressed_gltf_says_how_it_is_and_what_to_do(tmp_path, extension, says):
    with pytest.raises(FacewrightError, match=says):
        read_mesh(compressed(tmp_path, extension))


def test_a_gltf_with_any_other_extension_is_read(tmp_path):
    assert len(welded(read_mesh(compressed(tmp_path, 'KHR_materials_unlit')))[0]) == 8


def test_a_gltf_without_its_buffer_names_the_file(tmp_path):
    files = trimesh.Scene(trimesh.creation.box()).export(file_type='gltf')
    (tmp_path / 'a.gltf').write_bytes(files['model.gltf'])
    with pytest.raises(FacewrightError, match=r'needs the file .*bin'):
        read_mesh(tmp_path / 'a.gltf')
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    assert len(welded(read_mesh(tmp_path / 'a.gltf'))[0]) == 8


def test_the_materials_of_a_gltf_object_do_not_part_it(tmp_path):
    """One mesh of two primitives that share an edge is one object, its vertices welded."""
    mesh = trimesh.creation.box()
    halves = [mesh.submesh([rows], append=True) for rows in (np.arange(6), np.arange(6, 12))]
    data = trimesh.Scene({'a': halves[0], 'b': halves[1]}).export(file_type='glb')

    def merge(document):
        primitives = [
            m['primitives'][0] | {'material': k} for k, m in enumerate(document['meshes'])
        ]
        document.update(
            materials=[{'name': 'skin'}, {'name': 'lips'}],
            meshes=[{'name': 'head', 'primitives': primitives}],
            nodes=[{'name': 'head', 'mesh': 0}],
            scenes=[{'nodes': [0]}],
        )

    (tmp_path / 'a.glb').write_bytes(changed(data, merge))
    found = read_mesh(tmp_path / 'a.glb')
    assert len(found.part_names) == 1 and len(welded(found)[0]) == 8


@pytest.mark.parametrize(
    'suffix,says',
    [
        ('.fbx', 'import it into Blender'),
        ('.blend', 'open it in Blender'),
        ('.usdz', 'import it into Blender'),
        ('.max', 'save it as one of'),
    ],
)
def test_scenes_of_other_programs_say_what_to_do(tmp_path, suffix, says):
    (tmp_path / f'a{suffix}').write_bytes(b'Kaydara FBX Binary  ')
    with pytest.raises(FacewrightError, match=says):
        read_mesh(tmp_path / f'a{suffix}')


def test_the_draco_case(shared_data):
    with pytest.raises(FacewrightError, match='Draco'):
        read_mesh(shared_data / 'cases' / 'mesh' / 'draco.glb')
