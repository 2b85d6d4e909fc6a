"""A face model or a fitted rig as a mesh object: UVs, materials, a vertex group a region, shape
keys.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ...engine.face_model.model import FaceModel
from ...engine.face_model.paint import natural_albedo, opacity, surface_materials
from . import shape_keys, units


@dataclass(frozen=True)
class Surface:
    """How one of a face model's surfaces looks. alpha: 1 takes its colour from the
    mesh's 'Albedo'.
    """

    colour: tuple[float, float, float]  # linear RGB, where nothing is painted
    roughness: float
    subsurface: float = 0.0
    alpha: float = 1.0
    metallic: float = 0.0  # of a clear film: 1 makes it reflect by its alpha alone
    viewport_alpha: float | None = None  # in the solid view; None: as alpha


# Name → how it looks, by the first that a material's name holds. Others fall back to skin.
SURFACES: dict[str, Surface] = {
    'skin': Surface((0.58, 0.38, 0.30), 0.48, 0.12),
    'cornea': Surface((1.0, 1.0, 1.0), 0.03, alpha=0.05, metallic=1.0, viewport_alpha=0.0),
    'sclera': Surface((0.66, 0.61, 0.57), 0.3, 0.05),
    'iris': Surface((0.07, 0.04, 0.02), 0.4),
    'pupil': Surface((0.01, 0.01, 0.01), 0.5),
    'teeth': Surface((0.82, 0.78, 0.68), 0.3, 0.1),
    'gum': Surface((0.55, 0.22, 0.2), 0.35, 0.15),
    'tongue': Surface((0.55, 0.23, 0.22), 0.4, 0.15),
    'mouth': Surface((0.38, 0.13, 0.12), 0.45, 0.1),
    'socket': Surface((0.45, 0.24, 0.2), 0.5, 0.1),
    'hair': Surface((0.05, 0.04, 0.035), 0.6),
    'lash': Surface((0.009, 0.006, 0.005), 0.6, alpha=0.6, viewport_alpha=0.1),
    'lacrimal': Surface((1.0, 1.0, 1.0), 0.05, alpha=0.06, metallic=1.0, viewport_alpha=0.0),
    'blend': Surface((0.8, 0.6, 0.55), 0.3, alpha=0.1, viewport_alpha=0.0),
    'occlusion': Surface((0.1, 0.06, 0.05), 0.5, alpha=0.1, viewport_alpha=0.0),
}
HAIRS = (
    220.0,
    3.0,
    1.0,
)  # how finely a lash card's UVs are cut into hairs, along and away from the lid
MODEL = 'facewright_model'  # custom property of a head: its face model's name
COLOURS = 'Albedo'  # the colour attribute that materials without a texture show
SURFACE = 'facewright_surface'  # custom property of a material: its name in the face model


def create_mesh(
    name: str,
    vertices: np.ndarray,
    faces: np.ndarray,
    face_uvs: np.ndarray | None = None,
    uvs: np.ndarray | None = None,
    face_materials: np.ndarray | None = None,
) -> bpy.types.Mesh:
    """Turn V×3 cm in head space and F×4 int (triangles padded with −1) → a smooth-shaded mesh in
    metres, its vertices in the same order.
    """
    mesh = bpy.data.meshes.new(name)
    used = faces >= 0
    counts = used.sum(1)
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set('co', units.points_to_blender(vertices).ravel())
    mesh.loops.add(int(counts.sum()))
    mesh.loops.foreach_set('vertex_index', faces[used].astype(np.int32))
    mesh.polygons.add(len(faces))
    mesh.polygons.foreach_set('loop_start', (np.cumsum(counts) - counts).astype(np.int32))
    mesh.polygons.foreach_set('use_smooth', np.ones(len(faces), bool))
    if face_materials is not None:
        mesh.polygons.foreach_set('material_index', face_materials.astype(np.int32))
    if uvs is not None and len(uvs):
        layer = mesh.uv_layers.new(name='UVMap')
        layer.uv.foreach_set('vector', uvs[face_uvs[used]].astype(np.float32).ravel())
    mesh.update(calc_edges=True)
    selected = mesh.attributes.get('.select_edge')
    if (
        selected and selected.data_type != 'BOOLEAN'
    ):  # Blender 5.0 makes it of another type, and crashes on setting it
        mesh.attributes.remove(selected)
    return mesh


def create_head(
    name: str,
    model: FaceModel,
    neutral: np.ndarray | None = None,
    expressions: np.ndarray | None = None,
    names: tuple[str, ...] | None = None,
    naming: str = 'ICT',
    collection: bpy.types.Collection | None = None,
) -> bpy.types.Object:
    """Make the model's head, or a person's where neutral (V×3), expressions (E×V×3) and their names
    are given, all cm in head space.

    naming 'ICT' or 'ARKIT'; collection the one to link it into (default: the active one). With no
    expressions there are no shape keys.
    """
    materials, face_materials = surface_materials(model)
    mesh = create_mesh(
        name,
        model.neutral if neutral is None else neutral,
        model.faces,
        model.face_uvs,
        model.uvs,
        face_materials,
    )
    for material in materials:
        mesh.materials.append(surface_material(material))
    paint(mesh, natural_albedo(model), opacity(model))
    head = bpy.data.objects.new(name, mesh)
    (collection or bpy.context.collection).objects.link(head)
    for region, vertices in model.regions.items():
        if len(vertices):
            head.vertex_groups.new(name=region).add(vertices.tolist(), 1.0, 'REPLACE')
    if expressions is None or len(expressions):
        shape_keys.add_shape_keys(
            head,
            model.expressions if expressions is None else expressions,
            names or model.names,
            naming,
        )
    head[MODEL] = model.name
    return head


def paint(mesh: bpy.types.Mesh, colours: np.ndarray, alpha: np.ndarray | None = None) -> None:
    """Set the colour attribute 'Albedo', which materials and the solid view show, and the
    materials' own viewport colours to match.

    colours: V×3 sRGB in 0..1. alpha: V, by default as it was (1 in a new attribute).
    """
    layer = mesh.color_attributes.get(COLOURS)
    if layer is None:
        layer = mesh.color_attributes.new(COLOURS, 'BYTE_COLOR', 'POINT')
        alpha = np.ones(len(colours)) if alpha is None else alpha
    if alpha is None:
        alpha = point_colours(mesh)[:, 3]
    painted = np.concatenate([colours, alpha[:, None]], 1).astype(np.float32)
    layer.data.foreach_set('color_srgb', painted.ravel())
    match_viewport(mesh, colours)


def point_colours(mesh: bpy.types.Mesh) -> np.ndarray:
    """Read the colour attribute 'Albedo': V×4 float32, sRGB and alpha."""
    out = np.empty(4 * len(mesh.vertices), np.float32)
    mesh.color_attributes[COLOURS].data.foreach_get('color_srgb', out)
    return out.reshape(-1, 4)


def match_viewport(mesh: bpy.types.Mesh, colours: np.ndarray) -> None:
    """Give each opaque material of ours, for the solid view, the median of its vertices' colours
    (V×3 sRGB).
    """
    counts = np.empty(len(mesh.polygons), np.int32)
    slots, corners = counts.copy(), np.empty(len(mesh.loops), np.int32)
    mesh.polygons.foreach_get('loop_total', counts)
    mesh.polygons.foreach_get('material_index', slots)
    mesh.loops.foreach_get('vertex_index', corners)
    slots = np.repeat(slots, counts)
    for k, material in enumerate(mesh.materials):
        own = corners[slots == k]
        if (
            material is None
            or SURFACE not in material
            or surface_of(material[SURFACE]).alpha < 1
            or not len(own)
        ):
            continue
        middle = np.median(colours[own], axis=0)
        linear = np.where(middle > 0.04045, ((middle + 0.055) / 1.055) ** 2.4, middle / 12.92)
        material.diffuse_color = (*linear.tolist(), 1.0)


def surface_of(name: str) -> Surface:
    """Return how a face model's material of this name looks."""
    return SURFACES[next((k for k in SURFACES if k in name.lower()), 'skin')]


def surface_material(name: str) -> bpy.types.Material:
    """Make a new Principled material for one of a face model's surfaces; opaque ones take their
    colour from the mesh's 'Albedo'.
    """
    surface = surface_of(name)
    material = bpy.data.materials.new(name)
    material[SURFACE] = name
    if material.node_tree is None:  # 4.2; later ones always have one
        material.use_nodes = True
    seen = surface.alpha if surface.viewport_alpha is None else surface.viewport_alpha
    material.diffuse_color = (*surface.colour, seen)
    material.roughness = surface.roughness
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = next(n for n in nodes if n.type == 'BSDF_PRINCIPLED')
    shader.inputs['Base Color'].default_value = (*surface.colour, 1.0)
    shader.inputs['Roughness'].default_value = surface.roughness
    shader.inputs['Metallic'].default_value = surface.metallic
    shader.inputs['Alpha'].default_value = surface.alpha
    if surface.subsurface:
        shader.inputs['Subsurface Weight'].default_value = surface.subsurface
        shader.inputs['Subsurface Scale'].default_value = 0.01
    if surface.alpha == 1:
        painted = nodes.new('ShaderNodeVertexColor')
        painted.layer_name, painted.location = COLOURS, (-220, 250)
        links.new(painted.outputs['Color'], shader.inputs['Base Color'])
    elif 'lash' in name.lower():
        _thin_to_hairs(material, shader)
    else:  # a clear film: sorted, not dithered
        material.surface_render_method = 'BLENDED'
        material.use_transparency_overlap = False
        material.use_transparent_shadow = True
    return material


def _thin_to_hairs(material: bpy.types.Material, shader: bpy.types.Node) -> None:
    """Make a card of lashes hairs: stripes across its UVs that thin out as the alpha of 'Albedo'
    falls to the tips.
    """
    nodes, links = material.node_tree.nodes, material.node_tree.links
    place, stretch, noise = (
        nodes.new(f'ShaderNode{kind}') for kind in ('UVMap', 'Mapping', 'TexNoise')
    )
    painted, threshold, hair = (
        nodes.new('ShaderNodeVertexColor'),
        nodes.new('ShaderNodeMath'),
        nodes.new('ShaderNodeMapRange'),
    )
    stretch.inputs['Scale'].default_value = HAIRS
    noise.noise_dimensions = '2D'
    noise.inputs['Scale'].default_value, noise.inputs['Detail'].default_value = 1.0, 0.0
    painted.layer_name = COLOURS
    # the noise lies about .5: at the roots a third of it is hair, at the tips none
    threshold.operation = 'MULTIPLY_ADD'
    threshold.inputs[1].default_value, threshold.inputs[2].default_value = -0.24, 0.78
    for k, node in enumerate((place, stretch, noise, painted, threshold, hair)):
        node.location = (-1100 + 180 * k, -200)
    links.new(place.outputs['UV'], stretch.inputs['Vector'])
    links.new(stretch.outputs['Vector'], noise.inputs['Vector'])
    links.new(painted.outputs['Alpha'], threshold.inputs[0])
    links.new(noise.outputs[0], hair.inputs['Value'])
    links.new(threshold.outputs[0], hair.inputs['From Min'])
    edge = nodes.new('ShaderNodeMath')
    edge.inputs[1].default_value, edge.location = 0.08, (-200, -380)
    links.new(threshold.outputs[0], edge.inputs[0])
    links.new(edge.outputs[0], hair.inputs['From Max'])
    links.new(hair.outputs['Result'], shader.inputs['Alpha'])
