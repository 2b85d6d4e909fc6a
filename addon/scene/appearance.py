"""What was seen of a head beside its shape: the albedo texture in its materials, the parts of its
face as vertex groups, pictures of it over the footage.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.core.files import check_arrays, read_npz
from . import heads, takes

NODE = 'Facewright Albedo'  # the texture node's name in each material that has one
OVERLAY = takes.PICTURE  # custom property of an overlay's image: the head it shows
# custom property of a head: scene frame and overlaps (IoU, 0..1) of the last overlay
OVERLAPS = 'facewright_parts'


def apply_albedo(head: bpy.types.Object, folder: Path) -> bpy.types.Image:
    """Put a folder's albedo.png and albedo.npz (engine/tasks/appearance.py): the texture, packed
    into the .blend, becomes the colour of the materials it covers; the others, back of the head,
    eyes and mouth, get colours to match.
    """
    path = folder / 'albedo.npz'
    data = read_npz(path, 'list of colours')
    check_arrays(
        path,
        data,
        {'colours': ('f', (None, 3)), 'materials': ('U', (None,))},
        'bake the texture again',
    )
    covered = [
        m
        for m in head.data.materials
        if m is not None
        and m.node_tree
        and m.get(heads.SURFACE, m.name.split('.')[0]) in data['materials'].tolist()
    ]
    if not covered or not head.data.uv_layers:
        raise FacewrightError(
            f'{head.name} has no skin material with UVs to put the texture into: reconstruct '
            'again, or give it its materials and UVs back.'
        )
    image, own = load_packed(folder / 'albedo.png', f'{head.name} Albedo'), takes.has_own_look(head)
    old = {put_texture(m, image, head.data.uv_layers[0].name) for m in covered} - {None, image}
    bpy.data.batch_remove([o for o in old if not o.users])
    image.name = f'{head.name} Albedo'
    takes.join(head, image)
    if len(data['colours']) == len(
        head.data.vertices
    ):  # not so where the user has added or removed some
        heads.paint(head.data, texture_at_vertices(head.data, image, covered, data['colours']))
        head.data.update()
    if not own:
        takes.remember_look(head)
    return image


def texture_at_vertices(
    mesh: bpy.types.Mesh,
    image: bpy.types.Image,
    covered: list[bpy.types.Material],
    colours: np.ndarray,
) -> np.ndarray:
    """Return V×3 sRGB: `colours`, but where one of the materials shows the image, the image's
    colour there.
    """
    counts = np.empty(len(mesh.polygons), np.int32)
    slots, corners = counts.copy(), np.empty(len(mesh.loops), np.int32)
    uv = np.empty(2 * len(mesh.loops), np.float32)
    mesh.polygons.foreach_get('loop_total', counts)
    mesh.polygons.foreach_get('material_index', slots)
    mesh.loops.foreach_get('vertex_index', corners)
    mesh.uv_layers[0].uv.foreach_get('vector', uv)
    pixels = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
    image.pixels.foreach_get(pixels)  # an 8-bit image's are as they are shown, row 0 at the bottom
    pixels = pixels.reshape(image.size[1], image.size[0], image.channels)[..., :3]
    shown = np.isin(
        np.repeat(slots, counts), [k for k, m in enumerate(mesh.materials) if m in covered]
    )
    at = (uv.reshape(-1, 2)[shown] * image.size[:]).astype(int).clip(0, np.array(image.size[:]) - 1)
    found = pixels[at[:, 1], at[:, 0]]
    share = np.bincount(corners[shown], minlength=len(colours))
    total = np.stack([np.bincount(corners[shown], found[:, k], len(colours)) for k in range(3)], 1)
    return np.where(share[:, None] > 0, total / np.maximum(share, 1)[:, None], colours).astype(
        np.float32
    )


def has_texture(head: bpy.types.Object) -> bool:
    """Return whether a head's materials show a texture made from its footage."""
    return any(
        m is not None and m.node_tree and m.node_tree.nodes.get(NODE) for m in head.data.materials
    )


def load_packed(path: Path, name: str) -> bpy.types.Image:
    """Load a picture file as a new image that needs the file no more."""
    image = None
    try:
        image = bpy.data.images.load(str(path))
        image.pack()
    except RuntimeError:  # loading what is no picture succeeds, packing it does not
        pass
    if image is None or not image.size[0]:
        if image is not None:
            bpy.data.images.remove(image)
        raise FacewrightError(f'Blender cannot read the picture {path}: run it again.')
    image.name = name
    image.filepath_raw = f'//{bpy.path.clean_name(name)}.png'
    return image


def put_texture(
    material: bpy.types.Material, image: bpy.types.Image, uvs: str
) -> bpy.types.Image | None:
    """Wire an image to the material's base colour through the UV map called so; returns the image
    that was there before.
    """
    nodes, links = material.node_tree.nodes, material.node_tree.links
    node = nodes.get(NODE)
    if node is None or node.type != 'TEX_IMAGE':
        node, place = nodes.new('ShaderNodeTexImage'), nodes.new('ShaderNodeUVMap')
        node.name = node.label = NODE
        node.location, place.location, place.uv_map = (-320, 320), (-540, 320), uvs
        links.new(place.outputs['UV'], node.inputs['Vector'])
        shader = next((n for n in nodes if n.type == 'BSDF_PRINCIPLED'), None)
        if shader:
            nodes_before = [link.from_node for link in shader.inputs['Base Color'].links]
            links.new(node.outputs['Color'], shader.inputs['Base Color'])
            for other in nodes_before:
                if (
                    other.type == 'VERTEX_COLOR'
                    and other.layer_name == heads.COLOURS
                    and not other.outputs['Color'].links
                ):
                    nodes.remove(other)
    before, node.image = node.image, image
    nodes.active = node  # what the solid view shows as texture
    return before


def add_parts(head: bpy.types.Object, path: Path) -> None:
    """Turn parts.npz (labels V int8: numbers of names) → a vertex group per part, 'part_nose' …;
    the first name, what is no part, has none.
    """
    data = read_npz(path, 'list of parts')
    then = f'it does not fit {head.name}, so reconstruct again'
    check_arrays(
        path, data, {'labels': ('iu', (len(head.data.vertices),)), 'names': ('U', (None,))}, then
    )
    labels, names = data['labels'], data['names']
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= len(names):
        raise FacewrightError(f'{path} does not fit {head.name}: reconstruct again.')
    for k, name in enumerate(names.tolist()):
        if k and (labels == k).any():
            head.vertex_groups.new(name=f'part_{name}').add(
                np.flatnonzero(labels == k).tolist(), 1.0, 'REPLACE'
            )


def overlay_images(head: bpy.types.Object) -> list[bpy.types.Image]:
    """Return the pictures of the head over its footage that are in the file."""
    return [i for i in bpy.data.images if i.get(OVERLAY) == head.name]


def add_overlays(
    head: bpy.types.Object, pictures: dict[str, Path], overlaps: dict[str, float | None], frame: int
) -> dict[str, bpy.types.Image]:
    """Turn {view: picture} into packed images, in place of the head's former ones, where those are
    open too; the parts' overlaps are kept with the head.
    """
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
        takes.join(head, image)
        made[view] = image
    bpy.data.batch_remove(list(before.values()))
    head[OVERLAPS] = {
        'frame': frame,
        'overlaps': {k: float(v) for k, v in overlaps.items() if v is not None},
    }
    return made


def part_overlaps(head: bpy.types.Object) -> tuple[int, dict[str, float]] | None:
    """Return (scene frame, {part: overlap 0..1}) of the last overlay; None where there was none."""
    if OVERLAPS not in head:
        return None
    found = head[OVERLAPS].to_dict()
    return int(found['frame']), found.get('overlaps', {})
