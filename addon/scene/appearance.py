"""What was seen of a head beside its shape: the albedo texture in its materials, the parts of its face as vertex groups, pictures of it over the footage."""
from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ...engine.errors import FacewrightError
from ...engine.files import read_npz
from . import heads

NODE = 'Facewright Albedo'  # the texture node's name in each material that has one
OVERLAY = 'facewright_overlay'  # custom property of an overlay's image: the head it shows
PART_ERRORS = 'facewright_part_errors'  # custom property of a head: {'show', 'frame', part: percent}


def skin_materials(head: bpy.types.Object) -> list[bpy.types.Material]:
    """The skin's materials that lie in the UV map's first tile (ICT's back of the head lies in the second, which the texture does not cover)."""
    mesh = head.data
    layer = mesh.uv_layers.active
    if layer is None:
        return []
    u = np.empty(2 * len(mesh.loops), np.float32)
    layer.uv.foreach_get('vector', u)
    index, total = np.empty(len(mesh.polygons), np.int32), np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get('material_index', index)
    mesh.polygons.foreach_get('loop_total', total)
    of_loop = np.repeat(index, total)
    return [m for i, m in enumerate(mesh.materials) if m is not None and heads.kind_of(m.name) == 'skin' and (of_loop == i).any() and u[::2][of_loop == i].max() <= 1]


def apply_albedo(head: bpy.types.Object, path: Path) -> bpy.types.Image:
    """Put a texture on the head's UVs (sRGB picture, row 0 at v = 1), packed into the .blend, in place of the colour of its skin materials."""
    materials = skin_materials(head)
    if not materials:
        raise FacewrightError(f'{head.name} has no skin material with UVs to put the texture into: reconstruct again, or give it its materials back.')
    image = load_packed(path, f'{head.name} Albedo')
    old = {texture_node(m, image) for m in materials} - {None, image}
    bpy.data.batch_remove([o for o in old if not o.users])
    image.name = f'{head.name} Albedo'
    return image


def load_packed(path: Path, name: str) -> bpy.types.Image:
    """A picture file as a new image that needs the file no more."""
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError as error:
        raise FacewrightError(f'Blender cannot read the picture {path}: run it again.') from error
    image.name = name
    image.pack()
    image.filepath_raw = f'//{name}.png'
    return image


def texture_node(material: bpy.types.Material, image: bpy.types.Image) -> bpy.types.Image | None:
    """Wire an image to the material's base colour through the UV map; returns the image that was there before."""
    nodes, links = material.node_tree.nodes, material.node_tree.links
    node = nodes.get(NODE)
    if node is None or node.type != 'TEX_IMAGE':
        node, uv = nodes.new('ShaderNodeTexImage'), nodes.new('ShaderNodeUVMap')
        node.name = node.label = NODE
        node.location, uv.location, uv.uv_map = (-320, 320), (-540, 320), 'UVMap'
        links.new(uv.outputs['UV'], node.inputs['Vector'])
        shader = next((n for n in nodes if n.type == 'BSDF_PRINCIPLED'), None)
        if shader:
            links.new(node.outputs['Color'], shader.inputs['Base Color'])
    before, node.image = node.image, image
    nodes.active = node  # what the solid view shows as texture
    return before


def add_parts(head: bpy.types.Object, path: Path) -> None:
    """parts.npz (labels V int8: numbers of names) → a vertex group per part, 'part_nose' …; the first name, what is no part, has none."""
    data = read_npz(path, 'list of parts')
    labels, names = data.get('labels'), data.get('names')
    if labels is None or names is None or labels.shape != (len(head.data.vertices),) or labels.dtype.kind not in 'iu' or not 0 <= labels.min() <= labels.max() < len(names):
        raise FacewrightError(f'{path} does not fit {head.name}: reconstruct again.')
    for k, name in enumerate(names.tolist()):
        if k and (labels == k).any():
            head.vertex_groups.new(name=f'part_{name}').add(np.flatnonzero(labels == k).tolist(), 1., 'REPLACE')


def overlay_images(head: bpy.types.Object) -> list[bpy.types.Image]:
    """The pictures of the head over its footage that are in the file."""
    return [i for i in bpy.data.images if i.get(OVERLAY) == head.name]


def add_overlays(head: bpy.types.Object, pictures: dict[str, Path], errors: dict[str, float | None], show: str, frame: int) -> dict[str, bpy.types.Image]:
    """{view: picture} → packed images, in place of the head's former ones, where those are open too; per-part errors are kept with the head."""
    before = {i.name: i for i in overlay_images(head)}
    made = {}
    for view, path in pictures.items():
        name = f'Overlay {head.name}' + (f' {view}' if len(pictures) > 1 else '')
        image = load_packed(path, name)
        if name in before:
            old = before.pop(name)
            old.user_remap(image)
            bpy.data.images.remove(old)
            image.name = name
        image[OVERLAY] = head.name
        made[view] = image
    bpy.data.batch_remove(list(before.values()))
    head[PART_ERRORS] = {'show': show, 'frame': frame, 'parts': {k: float(v) for k, v in errors.items() if v is not None}}
    return made


def part_errors(head: bpy.types.Object) -> tuple[int, dict[str, float]] | None:
    """(scene frame, {part: percent}) of the last overlay; None where there was none."""
    if PART_ERRORS not in head:
        return None
    found = head[PART_ERRORS].to_dict()
    return int(found['frame']), found.get('parts', {})
