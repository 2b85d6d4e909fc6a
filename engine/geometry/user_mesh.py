"""The UserMesh noun: a mesh as its owner made it, read from a file and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from ..core.files import read_npz, write_npz
from .gltf import refuse_unreadable
from .obj import read_obj
from .ply import read_ply
from .polygons import polygons_to_faces, triangulate

SUFFIXES = ('.obj', '.ply', '.stl', '.off', '.glb', '.gltf', '.npz')
MOST_VERTICES = 5_000_000  # more is a mistake or needs decimating first
# Whole scenes of other programs, and how the head in them is had.
SCENES = {
    '.blend': 'open it in Blender and select the head there',
    '.fbx': 'import it into Blender (File › Import › FBX) and select the head there',
    '.abc': 'import it into Blender and select the head there',
    '.usd': 'import it into Blender and select the head there',
    '.usdz': 'import it into Blender and select the head there',
    '.usdc': 'import it into Blender and select the head there',
}


@dataclass(frozen=True)
class UserMesh:
    """A sculpt, a scan, another rig's mesh.

    vertices: N×3 float64 in the file's own units and axes
    faces: F×4 int32, triangles padded with −1 (larger polygons are cut into quads and a triangle)
    part: N int32: which of part_names (objects of the file) a vertex belongs to
    colours: N×3 sRGB in 0..1, or None
    source: what it is called in messages
    hidden: N bool or None: vertices that cannot be seen where the mesh is shown; no face is looked
        for on them, shapes are made for them
    """

    vertices: np.ndarray
    faces: np.ndarray
    part: np.ndarray
    part_names: tuple[str, ...]
    colours: np.ndarray | None = None
    source: str = ''
    hidden: np.ndarray | None = None

    @property
    def triangles(self) -> np.ndarray:
        """T×3 int32, those with a corner twice left out."""
        t = triangulate(self.faces)
        return t[(t[:, 0] != t[:, 1]) & (t[:, 1] != t[:, 2]) & (t[:, 2] != t[:, 0])]


def read_mesh(path: str | Path) -> UserMesh:
    """Read .obj, .ply, .stl, .off, .glb, .gltf, or the add-on's own .npz.

    The vertices keep the file's order. An .npz holds vertices, faces, part, part_names, colours.

    Raises FacewrightError: no such file, an unknown kind, damaged, no faces, numbers that are not
    finite, faces of missing vertices, no extent.
    """
    path = Path(path)
    if not path.is_file():
        raise FacewrightError(f'There is no mesh at {path}: check the path.')
    suffix = path.suffix.lower()
    if suffix in SCENES:
        raise FacewrightError(
            f'{path} is a scene, not a mesh: {SCENES[suffix]}, '
            'or save the head alone as .obj or .glb.'
        )
    if suffix not in SUFFIXES:
        raise FacewrightError(
            f'{path} is not a mesh I can read: save it as one of {", ".join(SUFFIXES[:-1])}.'
        )
    try:
        found = READERS.get(suffix, _read_other)(path)
    except FacewrightError:
        raise
    except Exception as error:
        raise FacewrightError(
            f'{path} is damaged or not a mesh ({type(error).__name__}): export it again.'
        ) from error
    return checked(found)


def checked(mesh: UserMesh) -> UserMesh:
    """Return the same mesh; FacewrightError with one sentence where no head can come of it."""
    name = mesh.source or 'The mesh'
    if not len(mesh.vertices) or not len(mesh.faces):
        raise FacewrightError(f'{name} has no faces: choose a mesh of a head.')
    if len(mesh.vertices) > MOST_VERTICES:
        raise FacewrightError(
            f'{name} has {len(mesh.vertices):,} vertices: '
            f'decimate it below {MOST_VERTICES:,} first.'
        )
    bad = np.flatnonzero(~np.isfinite(mesh.vertices).all(1))
    if len(bad):
        raise FacewrightError(
            f'{name} has {len(bad)} vertices whose positions are not finite numbers '
            f'(the first is vertex {bad[0]}): delete them or export the mesh again.'
        )
    if (
        mesh.faces.max() >= len(mesh.vertices)
        or mesh.faces.min() < -1
        or (mesh.faces[:, :3] < 0).any()
    ):
        raise FacewrightError(f'{name} has faces that name missing vertices: export it again.')
    if (
        len(mesh.part) != len(mesh.vertices)
        or mesh.part.min() < 0
        or mesh.part.max() >= len(mesh.part_names)
    ):
        raise FacewrightError(
            f'{name} does not say which object each vertex belongs to: export it again.'
        )
    with np.errstate(over='ignore'):
        extent = np.ptp(mesh.vertices, axis=0)
    if not np.isfinite(extent).all() or (np.sort(extent)[1:] <= 0).any():
        raise FacewrightError(f'{name} has no extent: choose a mesh of a head.')
    return mesh


def write_mesh(path: Path, mesh: UserMesh) -> None:
    """Write the .npz form of a mesh."""
    extra = {} if mesh.colours is None else {'colours': mesh.colours.astype(np.float32)}
    if mesh.hidden is not None:
        extra['hidden'] = mesh.hidden.astype(np.uint8)
    write_npz(
        path,
        vertices=mesh.vertices.astype(np.float64),
        faces=mesh.faces.astype(np.int32),
        part=mesh.part.astype(np.int32),
        part_names=np.array(mesh.part_names),
        name=np.array(mesh.source),
        **extra,
    )


def seen_triangles(mesh: UserMesh, triangles: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return a welded mesh's triangles without a hidden corner (of N: the welded vertex of each).

    Raises FacewrightError where none is left.
    """
    if mesh.hidden is None or not mesh.hidden.any():
        return triangles
    shown = np.zeros(of.max() + 1, bool)
    shown[of[~mesh.hidden]] = True
    triangles = triangles[shown[triangles].all(1)]
    if not len(triangles):
        raise FacewrightError(
            f'{mesh.source or "The mesh"} is hidden whole by its Mask modifier: '
            'switch that off, or change its vertex group.'
        )
    return triangles


def welded(mesh: UserMesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make one of vertices that lie in one place (to 1e-7 of the extent) and belong to one part.

    Triangles of no area are left out, those wound against their neighbours turned over.

    Returns M×3 vertices, T×3 triangles, and N→M.
    """
    from .winding import wound_alike  # needs SciPy, which Blender's own Python has not

    step = np.ptp(mesh.vertices, axis=0).max() * 1e-7
    key = np.c_[np.round((mesh.vertices - mesh.vertices.min(0)) / step).astype(np.int64), mesh.part]
    _, first, of = np.unique(key, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)  # keep the file's order
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    of = rank[of.ravel()]
    vertices = mesh.vertices[np.sort(first)]
    t = of[mesh.triangles]
    t = t[(t[:, 0] != t[:, 1]) & (t[:, 1] != t[:, 2]) & (t[:, 2] != t[:, 0])]
    area = np.linalg.norm(
        np.cross(vertices[t[:, 1]] - vertices[t[:, 0]], vertices[t[:, 2]] - vertices[t[:, 0]]),
        axis=1,
    )
    t = wound_alike(vertices, t[area > step * step])
    if not len(t):
        raise FacewrightError(
            f'{mesh.source or "The mesh"} has no face of any area: choose a mesh of a head.'
        )
    return vertices, np.ascontiguousarray(t, np.int32), of


def _read_obj(path: Path) -> UserMesh:
    """Read Wavefront text: positions (with colours where lines have six numbers), polygons."""
    found = read_obj(path)
    part = np.zeros(len(found.points), np.int32)
    part[found.corners] = np.repeat(found.object_of_face, found.sizes)
    used, part = np.unique(part, return_inverse=True)
    names = tuple(found.objects[i] or 'mesh' for i in used)
    return UserMesh(
        found.points,
        _faces(path, found.corners, found.sizes, len(part)),
        part.ravel().astype(np.int32),
        names,
        found.colours,
        str(path),
    )


def _read_ply(path: Path) -> UserMesh:
    """Read a PLY: one object, its polygons as they are."""
    found = read_ply(path)
    count = len(found.points)
    return UserMesh(
        found.points,
        _faces(path, found.corners, found.sizes, count),
        np.zeros(count, np.int32),
        ('mesh',),
        found.colours,
        str(path),
    )


def _faces(path: Path, corners: np.ndarray, sizes: np.ndarray, count: int) -> np.ndarray:
    """Cut polygons into faces F×4 int32; FacewrightError where one names a missing vertex."""
    if len(corners) and (corners.min() < 0 or corners.max() >= count):
        raise FacewrightError(f'{path} has faces that name missing vertices: export it again.')
    return polygons_to_faces(corners, sizes).astype(np.int32)


def _read_gltf(path: Path) -> UserMesh:
    """Read glTF in one file or several; an object's materials do not part it."""
    refuse_unreadable(path)
    try:
        return _read_other(path, merge_primitives=True)
    except (AttributeError, KeyError):  # trimesh cannot merge what lacks materials
        return _read_other(path)


def _read_other(path: Path, **options) -> UserMesh:
    """Read whatever trimesh reads, the parts of a scene put where the scene has them."""
    import trimesh

    scene = trimesh.load_scene(path, process=False, **options)
    vertices, faces, part, names, colours = [], [], [], [], []
    start = 0
    for name in scene.graph.nodes_geometry:
        matrix, geometry = scene.graph[name]
        mesh = scene.geometry[geometry]
        if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.faces):
            continue
        count = len(mesh.vertices)
        vertices.append(trimesh.transform_points(mesh.vertices, matrix))
        flip = np.linalg.det(matrix[:3, :3]) < 0
        corners = mesh.faces[:, :: -1 if flip else 1].ravel()
        own = _faces(path, corners, np.full(len(mesh.faces), 3), count)
        faces.append(np.where(own < 0, own, own + start))
        part.append(np.full(count, len(names)))
        names.append(str(name))
        painted = mesh.visual.kind == 'vertex'
        colours.append(mesh.visual.vertex_colors[:, :3] / 255.0 if painted else None)
        start += count
    if not vertices:
        raise FacewrightError(f'{path} has no faces: choose a mesh of a head.')
    paint = None if any(c is None for c in colours) else np.concatenate(colours)
    return UserMesh(
        np.concatenate(vertices).astype(np.float64),
        np.concatenate(faces).astype(np.int32),
        np.concatenate(part).astype(np.int32),
        tuple(names),
        paint,
        str(path),
    )


def _read_npz(path: Path) -> UserMesh:
    data = read_npz(path, 'mesh')
    missing = {'vertices', 'faces'} - set(data)
    if missing:
        raise FacewrightError(f'{path} lacks {", ".join(sorted(missing))}: write the mesh again.')
    vertices, faces = data['vertices'], data['faces']
    if vertices.ndim != 2 or vertices.shape[1] != 3 or vertices.dtype.kind not in 'fiu':
        raise FacewrightError(
            f'{path} has vertices of shape {vertices.shape}, expected N×3 numbers: '
            'write the mesh again.'
        )
    if faces.ndim != 2 or faces.shape[1] not in (3, 4) or faces.dtype.kind not in 'iu':
        raise FacewrightError(
            f'{path} has faces of shape {faces.shape}, expected F×3 or F×4 whole numbers: '
            'write the mesh again.'
        )
    if len(faces) and (faces.max() >= len(vertices) or faces.astype(np.int64).min() < -1):
        raise FacewrightError(f'{path} has faces that name missing vertices: export it again.')
    if faces.shape[1] == 3:
        faces = np.c_[faces, np.full(len(faces), -1)]
    part = data.get('part', np.zeros(len(vertices), np.int32))
    names = data.get('part_names', np.array(['mesh']))
    colours = data.get('colours')
    hidden = data.get('hidden')
    if hidden is not None and (hidden.shape != (len(vertices),) or hidden.dtype.kind not in 'bu'):
        raise FacewrightError(
            f'{path} does not say of each vertex whether it is hidden: write the mesh again.'
        )
    if (
        part.shape != (len(vertices),)
        or part.dtype.kind not in 'iu'
        or names.ndim != 1
        or names.dtype.kind != 'U'
    ):
        raise FacewrightError(
            f'{path} does not say which object each vertex belongs to: write the mesh again.'
        )
    if colours is not None and (
        colours.shape != vertices.shape
        or colours.dtype.kind != 'f'
        or not np.isfinite(colours).all()
    ):
        raise FacewrightError(
            f'{path} has colours that do not fit its vertices: write the mesh again.'
        )
    return UserMesh(
        vertices.astype(np.float64),
        faces.astype(np.int32),
        part.astype(np.int32),
        tuple(names.tolist()),
        None if colours is None else np.clip(colours, 0, 1),
        _name_in(data) or str(path),
        None if hidden is None else hidden.astype(bool),
    )


def _name_in(data: dict[str, np.ndarray]) -> str:
    """Return what the mesh is called where the user has it; '' where the file does not say."""
    name = data.get('name')
    return str(name) if name is not None and name.shape == () and name.dtype.kind == 'U' else ''


READERS = {
    '.obj': _read_obj,
    '.ply': _read_ply,
    '.glb': _read_gltf,
    '.gltf': _read_gltf,
    '.npz': _read_npz,
}
