"""What a scene remembers about Facewright: `scene.facewright`."""
from __future__ import annotations

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

NAMING_ITEMS = (('ICT', 'ICT', 'ICT-FaceKit\'s 53 names, such as mouthSmile_L'),
                ('ARKIT', 'ARKit', 'Apple\'s names, such as mouthSmileLeft; the two halves of browInnerUp and of cheekPuff become one shape each'))
QUALITY_ITEMS = (('draft', 'Draft', 'One look at each frame: the fastest'),
                 ('final', 'Final', 'Looks at each frame twice and fits the head to more frames: slower, steadier'))
MODEL_ITEMS = (('BUILTIN', 'Built-in', 'The head that comes with Facewright: light, clean, needs no download'),
               ('FILE', 'ICT-FaceKit', 'The USC ICT face model (26,719 vertices) from its folder, its archive, or a download'))
KIND_ITEMS = (('VIDEO', 'Video', 'A video file', 'FILE_MOVIE', 0), ('SEQUENCE', 'Image Sequence', 'Numbered images in one folder', 'RENDERLAYERS', 1),
              ('PHOTO', 'Photo', 'A single picture', 'IMAGE_DATA', 2), ('CAPTURE', 'Capture', 'A capture.json: several calibrated views at once', 'OUTLINER_DATA_CAMERA', 3))



# No methods on these classes: Blender 4.2 as a module keeps property groups, and all their functions reach, past its own end, and crashes.

class FootageView(bpy.types.PropertyGroup):
    """One camera's footage."""
    label: StringProperty(name='Name', description='What this view is called in messages and on its camera', default='View')
    filepath: StringProperty(name='File', description='The video, the photo, the first image of a sequence, or a capture.json', subtype='FILE_PATH')
    kind: EnumProperty(name='Kind', description='What the file is', items=KIND_ITEMS)
    lens: FloatProperty(name='Lens', description='Focal length as on a 35-mm camera, in millimetres (a phone\'s main camera: about 26). 0: unknown, found from the footage',
                        default=0, min=0, max=2000, soft_max=200, precision=1)
    offset: FloatProperty(name='Time Offset', description='Seconds to add to this clip\'s own time to be on the first view\'s clock', default=0, precision=3, unit='TIME_ABSOLUTE')
    start: FloatProperty(name='In', description='First second of the clip to use', default=0, min=0, precision=2, unit='TIME_ABSOLUTE')
    end: FloatProperty(name='Out', description='Last second of the clip to use. 0: to the end', default=0, min=0, precision=2, unit='TIME_ABSOLUTE')
    fps: FloatProperty(name='Frame Rate', description='Frames a second at which the images were taken', default=24, min=0.1, max=1000, soft_min=1, soft_max=120, precision=3)
    cameras: StringProperty(name='Cameras', description='Which of the capture\'s cameras to use: their names, separated by commas. Empty: all')


class Settings(bpy.types.PropertyGroup):
    """The Facewright tab's settings, saved with the scene."""
    model: EnumProperty(name='Face Model', description='Which head is added and fitted to footage', items=MODEL_ITEMS)
    model_path: StringProperty(name='ICT-FaceKit', description='ICT-FaceKit as a folder (the one that holds FaceXModel), its GitHub zip, or a tar archive', subtype='FILE_PATH')
    naming: EnumProperty(name='Shape Key Names', description='Whose names the head\'s shape keys get', items=NAMING_ITEMS)
    views: CollectionProperty(name='Views', description='The footage: one entry a camera, all of the same performance', type=FootageView)
    active_view: IntProperty(name='View', description='The view whose settings are shown', min=0)
    quality: EnumProperty(name='Quality', description='How much time to spend', items=QUALITY_ITEMS)
    neutral_frame: IntProperty(name='Neutral Frame', description='A frame of the first view, counted from 0 at its in-point, in which the face is at rest. −1: unknown', default=-1, min=-1)
    smooth: FloatProperty(name='Smoothing', description='How much to calm the performance: 0 leaves every frame as seen. Blinks are kept', default=0.5, min=0, max=1, subtype='FACTOR')
    sound: BoolProperty(name='Sound', description='Put the clip\'s sound into the sequencer, in step with the performance', default=True)
    output: StringProperty(name='Keep Files In', description='Folder that also gets rig.npz, performance.npz, the Live Link Face CSV and an overlay picture. Empty: they are not kept',
                           subtype='DIR_PATH')
    result: PointerProperty(name='Result', description='The last reconstructed head: its error is shown in the panel', type=bpy.types.Object)


CLASSES = (FootageView, Settings)


def attach() -> None:
    bpy.types.Scene.facewright = PointerProperty(name='Facewright', description='Facewright\'s settings', type=Settings)


def detach() -> None:
    del bpy.types.Scene.facewright
