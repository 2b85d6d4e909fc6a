"""What glTF files hold that cannot be read here, told before their geometry is loaded."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from urllib.parse import unquote

from ..core.errors import FacewrightError

MESHOPT = (
    '{path} is compressed with meshopt, which I cannot read: export it again without '
    'compression (gltfpack: without -c), or as .obj or .ply.'
)
COMPRESSED = {
    'KHR_draco_mesh_compression': '{path} is compressed with Draco, which I cannot read: export it '
    "again without compression (in Blender's glTF export: Data › Compression off), "
    'or as .obj or .ply.',
    'EXT_meshopt_compression': MESHOPT,
    'KHR_meshopt_compression': MESHOPT,
    'KHR_mesh_quantization': '{path} has quantised vertices, which I cannot read: export it again '
    'without quantisation (gltfpack: with -noq), or as .obj or .ply.',
}
GLB_HEADER, JSON_CHUNK = b'glTF', 0x4E4F534A


def refuse_unreadable(path: Path) -> None:
    """Raise FacewrightError for a .glb or .gltf whose geometry is compressed, absent or elsewhere.

    Raises ValueError and the like where it is damaged.
    """
    document = _document(Path(path))
    used = [*document.get('extensionsRequired', ()), *document.get('extensionsUsed', ())]
    primitives = [p for mesh in document.get('meshes', ()) for p in mesh.get('primitives', ())]
    inside = {name for p in primitives for name in p.get('extensions', ())}
    for name, sentence in COMPRESSED.items():
        if name in document.get('extensionsRequired', ()) or (name in inside and name in used):
            raise FacewrightError(sentence.format(path=path))
    for buffer in document.get('buffers', ()):
        uri = buffer.get('uri', '')
        if uri and not uri.startswith('data:') and not (Path(path).parent / unquote(uri)).is_file():
            raise FacewrightError(
                f'{path} needs the file {uri} beside it: copy it there, '
                'or export as .glb, which is one file.'
            )
    accessors = document.get('accessors', [])
    for primitive in primitives:
        for index in (primitive.get('attributes', {}).get('POSITION'), primitive.get('indices')):
            accessor = {} if index is None else accessors[index]
            if index is not None and ('bufferView' not in accessor or 'sparse' in accessor):
                raise FacewrightError(
                    f'{path} holds no positions of its own: export it again, '
                    'without compression, or as .obj or .ply.'
                )


def _document(path: Path) -> dict:
    """The JSON of a glTF file."""
    data = path.read_bytes()
    if data[:4] == GLB_HEADER:
        length, kind = struct.unpack_from('<II', data, 12)
        if kind != JSON_CHUNK:
            raise ValueError('no JSON')
        data = data[20 : 20 + length]
    found = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError('no glTF')
    return found
