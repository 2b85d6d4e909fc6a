"""What a scene remembers about Facewright: `scene.facewright`."""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

NAMING_ITEMS = (
    ('ICT', 'ICT', "ICT-FaceKit's 53 names, such as mouthSmile_L"),
    (
        'ARKIT',
        'ARKit',
        "Apple's names, such as mouthSmileLeft; the two halves of browInnerUp and of cheekPuff become one shape each",
    ),
)
QUALITY_ITEMS = (
    ('DRAFT', 'Draft', "From the face's landmarks alone: the fastest"),
    (
        'STANDARD',
        'Standard',
        'The picture itself too: lids, lips and brows lie where the frame shows them; with a texture. Takes longer',
    ),
)
SHOW_ITEMS = (
    ('MESH', 'Mesh', 'The head, shaded'),
    (
        'PARTS',
        'Face Regions',
        'The outlines of nose, lips, eyes and brows, with how well each fits',
    ),
)
MODEL_ITEMS = (
    ('BUILTIN', 'Built-in', 'The head that comes with Facewright: light, clean, needs no download'),
    (
        'FILE',
        'ICT-FaceKit',
        'The USC ICT face model (26,719 vertices) from its folder, its archive, or a download',
    ),
)
SCENE_ITEMS = (
    (
        'AUTO',
        'Automatic',
        'A scene that holds animation keeps its frame rate, range, size and camera, and the take is retimed to it; '
        "one without takes the footage's",
    ),
    (
        'KEEP',
        'Keep',
        'The scene keeps its frame rate, range, size and camera; the take is retimed to it',
    ),
    (
        'FOOTAGE',
        'As Footage',
        "The scene takes the footage's frame rate, range, size and camera; what is animated in it already then plays at that rate",
    ),
)
OLD_TAKE_ITEMS = (
    (
        'REPLACE',
        'Replace',
        'The earlier head of the same footage goes, with its camera, clip and sound; one you have worked on is kept, hidden',
    ),
    (
        'HIDE',
        'Keep Hidden',
        'The earlier head of the same footage stays beside the new one, hidden, its sound muted',
    ),
)
KIND_ITEMS = (
    ('VIDEO', 'Video', 'A video file', 'FILE_MOVIE', 0),
    ('SEQUENCE', 'Image Sequence', 'Numbered images in one folder', 'RENDERLAYERS', 1),
    ('PHOTO', 'Photo', 'A single picture', 'IMAGE_DATA', 2),
    (
        'CAPTURE',
        'Capture',
        'A capture.json file: several calibrated cameras at once',
        'OUTLINER_DATA_CAMERA',
        3,
    ),
)
ONTO_ITEMS = (
    (
        'MESH',
        'Your Mesh',
        'The selected meshes themselves get the expressions, whatever their vertices and edges',
    ),
    (
        'MODEL',
        'Face Model',
        'The face model, wrapped onto the selected meshes, becomes a new head in their place',
    ),
)
FIX_ITEMS = (
    ('ACTIVE', 'Active Key', 'The active shape key, or the Basis where that is active'),
    (
        'EDITED',
        'Edited Keys',
        'All shape keys, and the Basis, that were changed by hand since they were made or last fixed',
    ),
)
FLESH_ITEMS = (
    ('SURFACE', 'Outside', 'The outside of all that was filled'),
    ('CUT', 'Cut Open', "The half on the head's right, cut open in the middle"),
    (
        'SHRUNK',
        'Shrunk',
        "The half on the head's right, each piece a little smaller, so that one sees between them",
    ),
)
KEYS_ITEMS = (('ACTIVE', 'Active', 'The active shape key'), ('ALL', 'All', 'All shape keys'))
WHERE_ITEMS = (
    ('ALL', 'Everywhere', 'The whole mesh'),
    ('GROUP', 'Vertex Group', 'Where a vertex group is painted, by its weights'),
    ('SELECTED', 'Selection', 'The vertices selected in edit mode, fading out round them'),
)
TOLERANCE = {
    'name': 'Tolerance',
    'default': 0.001,
    'min': 1e-6,
    'max': 0.05,
    'precision': 4,
    'description': "How far from mirrored the two sides of the mesh may be, as a part of its size. Heads in the face model's topology need none",
}


# No methods on these classes: Blender 4.2 as a module keeps property groups, and all their functions reach, past its own end, and crashes.


class FootageView(bpy.types.PropertyGroup):
    """One camera's footage."""

    label: StringProperty(
        name='Name',
        description='What this view is called in messages and on its camera',
        default='View',
    )
    filepath: StringProperty(
        name='File',
        description='The video, the photo, the first image of a sequence, or a capture.json',
        subtype='FILE_PATH',
    )
    kind: EnumProperty(name='Kind', description='What the file is', items=KIND_ITEMS)
    lens: FloatProperty(
        name='Lens',
        description="Focal length as on a 35-mm camera, in millimetres (a phone's main camera: about 26). 0: unknown, found from the footage",
        default=0,
        min=0,
        max=2000,
        soft_max=200,
        precision=1,
    )
    offset: FloatProperty(
        name='Time Offset',
        description='Seconds by which this clip began later than the first view',
        default=0,
        precision=3,
        unit='TIME_ABSOLUTE',
    )
    start: FloatProperty(
        name='In',
        description='First second of the clip to use',
        default=0,
        min=0,
        precision=2,
        unit='TIME_ABSOLUTE',
    )
    end: FloatProperty(
        name='Out',
        description='Last second of the clip to use. 0: to the end',
        default=0,
        min=0,
        precision=2,
        unit='TIME_ABSOLUTE',
    )
    fps: FloatProperty(
        name='Frame Rate',
        description='Frames a second at which the images were taken',
        default=24,
        min=0.1,
        max=1000,
        soft_min=1,
        soft_max=120,
        precision=3,
    )
    cameras: StringProperty(
        name='Cameras',
        description="Which of the capture's cameras to use: their names, separated by commas. "
        'Empty: all',
    )
    masks: StringProperty(
        name='Masks',
        description="Folder of your own masks of the face's regions, for Standard quality, painted or "
        'made by another program: one image a frame (of a capture: one folder a camera). '
        'Empty: found in the picture',
        subtype='DIR_PATH',
    )


class ShapeSettings(bpy.types.PropertyGroup):
    """The Shape Keys panel's settings, saved with the scene. Operators take them where a parameter is not given."""

    onto: EnumProperty(name='Onto', description='What gets the shape keys', items=ONTO_ITEMS)
    at_rest: BoolProperty(
        name='Find Its Expression',
        description='A smile or closed eyes on the mesh are recognised and taken off before it is called neutral; off: it is taken to be at rest',
        default=True,
    )
    settle: BoolProperty(
        name='Keep from Crossing',
        description="Lids close over the eyeballs, lips meet and don't cross, the mouth's and eyes' insides stay behind the skin",
        default=True,
    )
    keep_edits: BoolProperty(
        name='Keep Hand Edits',
        description='What was changed by hand in keys made before is added to the new ones; off: it is discarded',
        default=True,
    )
    replace: BoolProperty(
        name='Replace Other Keys',
        description='Keys of the same names that were made elsewhere are replaced; off: they stay as they are',
        default=False,
    )
    follow: BoolProperty(
        name='One Slider',
        description="Where the head is several objects: the sliders of the one that moves most drive the others'",
        default=True,
    )
    hide: BoolProperty(
        name='Hide the Original',
        description='Hide the meshes that a new head was made of: it stands in their place',
        default=True,
    )
    combinations: IntProperty(
        name='Combinations',
        description='How many random combinations of expressions to check besides the single shapes. 0: the pose the sliders make instead',
        default=0,
        min=0,
        max=100000,
        soft_max=1000,
    )
    fix: EnumProperty(
        name='Fix', description="Which shape keys' cavities follow the skin", items=FIX_ITEMS
    )
    spread: BoolProperty(
        name='Spread the Edit',
        description='Give the same edit to the other shapes as well, where it makes sense',
        default=False,
    )
    flesh: EnumProperty(
        name='Show', description='What of the filling is shown', items=FLESH_ITEMS, default='CUT'
    )
    mask: StringProperty(
        name='Where',
        description='Vertex group of the head that says where to fill. Empty: round the mouth, the nose and the eyes',
    )
    keys: EnumProperty(
        name='Keys', description='Which shape keys the tools below change', items=KEYS_ITEMS
    )
    where: EnumProperty(
        name='Where',
        description='Which part of the head Reset and Strength change',
        items=WHERE_ITEMS,
    )
    group: StringProperty(
        name='Group',
        description='Vertex group of the active mesh to which Reset and Strength are limited, by its weights',
    )
    falloff: FloatProperty(
        name='Falloff',
        description='How far the effect fades out beyond the selected vertices, along the surface',
        default=0.01,
        min=0,
        soft_max=0.1,
        unit='LENGTH',
    )
    strength: FloatProperty(
        name='Strength',
        description='By how much Strength multiplies the shapes: 0 takes them away, 1 leaves them',
        default=1.2,
        min=-10,
        max=10,
        soft_min=0,
        soft_max=2,
    )
    width: FloatProperty(
        name='Soft Middle',
        description='Width of the band in which the two halves of a split key fade into each other',
        default=0.01,
        min=0,
        soft_max=0.1,
        unit='LENGTH',
    )
    tolerance: FloatProperty(**TOLERANCE)
    report: StringProperty(name='Report', description="What the last of the panel's jobs said")


class Settings(bpy.types.PropertyGroup):
    """The Facewright tab's settings, saved with the scene."""

    model: EnumProperty(
        name='Face Model',
        description='Which head is added and fitted to footage',
        items=MODEL_ITEMS,
    )
    model_path: StringProperty(
        name='ICT-FaceKit',
        description='ICT-FaceKit as a folder (the one that holds FaceXModel), its GitHub zip, or a tar archive',
        subtype='FILE_PATH',
    )
    naming: EnumProperty(
        name='Shape Key Names',
        description="Whose names the head's shape keys get",
        items=NAMING_ITEMS,
    )
    views: CollectionProperty(
        name='Views',
        description='The footage: one entry a camera, all of the same performance',
        type=FootageView,
    )
    active_view: IntProperty(name='View', description='The view whose settings are shown', min=0)
    quality: EnumProperty(name='Quality', description='How much time to spend', items=QUALITY_ITEMS)
    neutral_known: BoolProperty(
        name='Neutral Frame',
        description='There is a frame in which the face is at rest: it makes the head more like the person. '
        'Off: unknown',
    )
    neutral_at: IntProperty(
        name='Neutral Frame',
        description="The scene's frame in which the face is at rest. Before the first reconstruction "
        "the footage begins at frame 1, or at the scene's first where the scene keeps its settings",
        default=1,
    )
    smooth: FloatProperty(
        name='Smoothing',
        description='How much to calm the performance: 0 leaves every frame as seen. Blinks are kept',
        default=0.5,
        min=0,
        max=1,
        subtype='FACTOR',
    )
    sound: BoolProperty(
        name='Sound',
        description="Put the clip's sound into the sequencer, in step with the performance",
        default=True,
    )
    scene_settings: EnumProperty(
        name='Scene',
        description="What becomes of the scene's own frame rate, range, size and camera",
        items=SCENE_ITEMS,
    )
    old_take: EnumProperty(
        name='Earlier Take',
        description='What becomes of a head made of the same footage before',
        items=OLD_TAKE_ITEMS,
    )
    output: StringProperty(
        name='Save Result To…',
        description='Folder that also gets the head, its performance (Live Link Face CSV too), '
        'the cameras and an overlay picture as files. Empty: they stay in Blender alone',
        subtype='DIR_PATH',
    )
    shapes: PointerProperty(
        name='Shape Keys', description="The Shape Keys panel's settings", type=ShapeSettings
    )
    result: PointerProperty(
        name='Result',
        description='The last reconstructed head: the panel shows how good it is where no other is selected',
        type=bpy.types.Object,
    )


CLASSES = (FootageView, ShapeSettings, Settings)


def attach() -> None:
    bpy.types.Scene.facewright = PointerProperty(
        name='Facewright', description="Facewright's settings", type=Settings
    )


def detach() -> None:
    del bpy.types.Scene.facewright
