"""A face model or a fitted rig as a mesh object: UVs, materials, a vertex group a region, shape keys."""
from __future__ import annotations

import bpy
import numpy as np

from ...engine.face_model.model import FaceModel
from ...engine.face_model.paint import albedo
from . import shape_keys, units

# Name → (base colour, roughness, subsurface weight, alpha). Others fall back to skin.
SURFACES: dict[str, tuple[tuple[float, float, float], float, float, float]] = {
    'skin': ((.58, .38, .30), .48, .12, 1.), 'sclera': ((.85, .83, .80), .25, .05, 1.), 'iris': ((.16, .24, .28), .2, 0., 1.),
    'pupil': ((.01, .01, .01), .15, 0., 1.), 'teeth': ((.82, .78, .68), .3, .1, 1.), 'gum': ((.55, .22, .2), .35, .15, 1.),
    'tongue': ((.55, .23, .22), .4, .15, 1.), 'mouth': ((.38, .13, .12), .45, .1, 1.), 'socket': ((.45, .24, .2), .5, .1, 1.),
    'hair': ((.05, .04, .035), .6, 0., 1.),
    'lash': ((.03, .025, .02), .6, 0., .12), 'lacrimal': ((.9, .9, .9), .1, 0., .05), 'blend': ((.8, .6, .55), .3, 0., .1),
    'occlusion': ((.1, .06, .05), .5, 0., .1)}
COLOURS = 'Albedo'             # the colour attribute that materials without a texture show
SURFACE = 'facewright_surface'  # custom property of a material: its name in the face model


def create_mesh(name: str, vertices: np.ndarray, faces: np.ndarray, face_uvs: np.ndarray | None = None, uvs: np.ndarray | None = None,
                face_materials: np.ndarray | None = None) -> bpy.types.Mesh:
    """V×3 cm in head space and F×4 int (triangles padded with −1) → a smooth-shaded mesh in metres, its vertices in the same order."""
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
    if selected and selected.data_type != 'BOOLEAN':  # Blender 5.0 makes it of another type, and crashes on setting it
        mesh.attributes.remove(selected)
    return mesh


def create_head(name: str, model: FaceModel, neutral: np.ndarray | None = None, expressions: np.ndarray | None = None,
                names: tuple[str, ...] | None = None, naming: str = 'ICT', collection: bpy.types.Collection | None = None) -> bpy.types.Object:
    """The model's head, or a person's where neutral (V×3), expressions (E×V×3) and their names are given, all cm in head space.

    naming 'ICT' or 'ARKIT'; collection the one to link it into (default: the active one). With no expressions there are no shape keys.
    """
    mesh = create_mesh(name, model.neutral if neutral is None else neutral, model.faces, model.face_uvs, model.uvs, model.face_materials)
    for material in model.materials:
        mesh.materials.append(surface_material(material))
    paint(mesh, albedo(model))
    head = bpy.data.objects.new(name, mesh)
    (collection or bpy.context.collection).objects.link(head)
    for region, vertices in model.regions.items():
        if len(vertices):
            head.vertex_groups.new(name=region).add(vertices.tolist(), 1.0, 'REPLACE')
    if expressions is None or len(expressions):
        shape_keys.add_shape_keys(head, model.expressions if expressions is None else expressions, names or model.names, naming)
    head['facewright_model'] = model.name
    return head


def paint(mesh: bpy.types.Mesh, colours: np.ndarray) -> None:
    """V×3 sRGB in 0..1 → the mesh's colour attribute 'Albedo', which the materials use and the solid view can show."""
    layer = mesh.color_attributes.get(COLOURS) or mesh.color_attributes.new(COLOURS, 'BYTE_COLOR', 'POINT')
    layer.data.foreach_set('color_srgb', np.concatenate([colours, np.ones((len(colours), 1))], 1).astype(np.float32).ravel())


def surface_material(name: str) -> bpy.types.Material:
    """A new Principled material for one of a face model's surfaces; opaque ones take their colour from the mesh's 'Albedo'."""
    colour, roughness, subsurface, alpha = SURFACES[next((k for k in SURFACES if k in name.lower()), 'skin')]
    material = bpy.data.materials.new(name)
    material[SURFACE] = name
    if material.node_tree is None:  # 4.2; later ones always have one
        material.use_nodes = True
    material.diffuse_color = (*colour, alpha)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = next(n for n in nodes if n.type == 'BSDF_PRINCIPLED')
    shader.inputs['Base Color'].default_value = (*colour, 1.)
    shader.inputs['Roughness'].default_value = roughness
    shader.inputs['Alpha'].default_value = alpha
    if subsurface:
        shader.inputs['Subsurface Weight'].default_value = subsurface
        shader.inputs['Subsurface Scale'].default_value = 0.01
    if alpha == 1:
        paint = nodes.new('ShaderNodeVertexColor')
        paint.layer_name, paint.location = COLOURS, (-220, 250)
        links.new(paint.outputs['Color'], shader.inputs['Base Color'])
    return material
