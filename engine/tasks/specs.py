"""A task's options once: name, type, default, range, unit, choices, help, spelling and display.

One frozen dataclass a task, whose docstring is the task's help. From these come the command line
(engine/cli.py), what is refused (`check`), Blender's properties (addon/options.py), the tables of
docs/scripting.md and the README's synopsis. Standard library only: Blender imports it.
"""

# No `from __future__ import annotations`: the fields' types are read.

import re
from dataclasses import dataclass

from . import options
from .options import Choice, Display, Range, Spelling, option

PROGRAM = 'facewright'

# ---- what several tasks have in common ---------------------------------------------------------

MODEL = option(
    'builtin',
    help='An ICT-FaceKit folder or archive, or the built-in head',
    spelling=Spelling(metavar='PATH|builtin'),
)
OUT = option(help='Folder for the results', spelling=Spelling(metavar='DIR'))
MARKERS = option(
    None,
    help='A file {"nose_tip": [x, y, z], …} in the mesh\'s units, where the face is not found '
    'rightly by itself',
    spelling=Spelling(metavar='JSON'),
)
EXPRESSIONS = (
    Choice('auto', 'Automatic', 'A smile or closed eyes are found and taken off the neutral'),
    Choice('none', 'None', 'The mesh is at rest'),
)
EXPRESSION = option(
    'auto', help='What the face on the mesh does', choices=EXPRESSIONS, spelling=Spelling()
)
MESH = option(
    help='A head as .obj, .ply, .stl, .off, .glb or .gltf, in any units and axes',
    spelling=Spelling(positional=True, metavar='MESH'),
)
RIG = option(
    help="A head in the model's topology", spelling=Spelling(positional=True, metavar='RIG_NPZ')
)
RESULT = option(
    help='Folder of a reconstruction', spelling=Spelling(positional=True, metavar='RESULT_DIR')
)
KINDS = (
    Choice('video', 'Video', 'A video file', 'FILE_MOVIE'),
    Choice('sequence', 'Image Sequence', 'Numbered images in one folder', 'RENDERLAYERS'),
    Choice('photo', 'Photo', 'A single picture', 'IMAGE_DATA'),
    Choice(
        'capture',
        'Capture',
        'A capture.json file: several calibrated cameras at once',
        'OUTLINER_DATA_CAMERA',
    ),
)
QUALITIES = (
    Choice('draft', 'Draft', "From the face's landmarks alone: the fastest"),
    Choice(
        'standard',
        'Standard',
        'The picture itself too: lids, lips and brows lie where the frame shows them; '
        'with a texture. Takes longer',
    ),
    Choice(
        'personal',
        'Personal',
        "After Standard, the head's own surface, seen in the skin's texture from all sides. "
        'Takes longest',
    ),
)
OVERLAYS = (
    Choice('mesh', 'Mesh', 'The head, shaded'),
    Choice(
        'parts',
        'Face Regions',
        'The outlines of nose, lips, eyes and brows, with how well each fits',
    ),
)
TARGETS = (
    Choice(
        'mesh',
        'Your Mesh',
        'The selected meshes themselves get the expressions, whatever their vertices and edges',
    ),
    Choice(
        'model',
        'Face Model',
        'The face model, wrapped onto the selected meshes, becomes a new head in their place',
    ),
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """One view's footage."""

    path: str = option(
        help='The video, the photo, the first image of a sequence, or a capture.json',
        display=Display('File', subtype='FILE_PATH'),
    )
    name: str | None = option(
        None, help='What this view is called in messages and on its camera', display=Display('Name')
    )
    kind: str | None = option(
        None,
        help='What the footage is; not given: judged by names and neighbours',
        choices=KINDS,
        spelling=Spelling(metavar='KIND'),
        display=Display('Kind'),
    )
    lens_mm: float | None = option(
        None,
        help='Focal length as on a 35-mm camera, in millimetres, where you know it '
        "(a phone's main camera: about 26)",
        range=Range(0, 2000, above=True, soft_most=200),
        unit='mm',
        spelling=Spelling('--lens'),
        display=Display('Lens', precision=1, unset=0, meaning='unknown, found from the footage'),
    )
    focal_px: float | None = option(
        None, help='Focal length in pixels', range=Range(0, above=True), unit='px'
    )
    offset: float | None = option(
        None,
        help='Seconds by which this clip began later than the first view',
        unit='s',
        display=Display('Time Offset', precision=3, unset=0),
    )
    start: float | None = option(
        None,
        help='First second of the clip to use',
        range=Range(0),
        unit='s',
        spelling=Spelling(),
        display=Display('In', precision=2, unset=0),
    )
    end: float | None = option(
        None,
        help='Last second of the clip to use',
        range=Range(0),
        unit='s',
        spelling=Spelling(),
        display=Display('Out', precision=2, unset=0, meaning='to the end'),
    )
    fps: float | None = option(
        None,
        help='Frames a second at which the images of a sequence were taken; 24 where nothing '
        'is said',
        range=Range(0.1, 1000, soft_least=1, soft_most=120),
        unit='fps',
        spelling=Spelling('--rate'),
        display=Display('Frame Rate', precision=3, unset=24),
    )


# ---- one dataclass a task ----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Reconstruct:
    """footage → rig.npz, performance.npz and .csv (Live Link Face), overlay.png, report.json

    Several videos, or a capture.json, are several views of one performance.
    """

    sources: tuple[str | Source, ...] = option(
        help='A video, a photo, the first image of a sequence, or a capture.json',
        spelling=Spelling(positional=True, metavar='VIDEO_OR_CAPTURE_JSON'),
    )
    out: str = OUT
    model: str = MODEL
    quality: str = option(
        'draft',
        help='How much time to spend',
        choices=QUALITIES,
        spelling=Spelling(),
        display=Display('Quality'),
    )
    views: tuple[str, ...] = option(
        (),
        help="Which of a capture's views to use; not given: all",
        spelling=Spelling(metavar='NAME'),
    )
    neutral_frame: int | None = option(
        None,
        help="Which of the first view's frames shows the face at rest, counted from 0 at its "
        'in-point',
        range=Range(0),
        spelling=Spelling(),
        display=Display('Neutral Frame', unset=-1, meaning='unknown'),
    )
    masks: tuple[str | None, ...] = option(
        (),
        help='For each view a folder of part masks of your own (standard; docs/formats.md)',
        spelling=Spelling(metavar='FOLDER'),
    )
    smooth: float = option(
        0.5,
        help='How much to calm the performance: 0 leaves every frame as seen. Blinks are kept',
        range=Range(0, 1),
        spelling=Spelling(metavar='0..1'),
        display=Display('Smoothing', subtype='FACTOR'),
    )
    part_masks: bool = option(
        True, help="Use the masks of the face's parts (off: for comparison alone)"
    )
    rig: str | None = option(
        None,
        help='A rig.npz of the same actor, made with the same face model: that head is followed '
        'as it is, only pose, expressions and cameras are found',
        spelling=Spelling(metavar='RIG_NPZ'),
        display=Display(
            'Rig from Another Take',
            subtype='FILE_PATH',
            unset='',
            meaning='the person is found in the footage',
        ),
    )
    clips: str = option('', help="Folder that gets the clips behind Blender's cameras; '': none")
    rate: float | None = option(
        None,
        help="Frames a second of the scene that those clips are for; not given: the first view's",
        range=Range(0, above=True),
        unit='fps',
    )


@dataclass(frozen=True, kw_only=True)
class BakeAlbedo:
    """a reconstruction → albedo.png on the model's UVs, light.json"""

    result: str = RESULT
    out: str | None = option(
        None,
        help='Folder for the results; not given: that folder',
        spelling=Spelling(metavar='DIR'),
    )
    size: int = option(
        1024,
        help="The texture's width and height in pixels",
        range=Range(64, 4096),
        unit='px',
        spelling=Spelling(),
        display=Display('Size'),
    )


@dataclass(frozen=True, kw_only=True)
class PreviewOverlay:
    """a reconstruction → its footage with the head or its parts drawn over

    overlay.json has the IoU of each part.
    """

    result: str = RESULT
    out: str | None = option(
        None,
        help='Folder for the results; not given: its folder overlay',
        spelling=Spelling(metavar='DIR'),
    )
    show: str = option(
        'mesh',
        help='What is drawn over the footage',
        choices=OVERLAYS,
        spelling=Spelling(),
        display=Display('Show'),
    )
    frames: tuple[int, ...] | None = option(
        None,
        help='Numbers of used frames, from 0; not given: six spread over the clip',
        range=Range(0),
        spelling=Spelling(metavar='N'),
    )


@dataclass(frozen=True, kw_only=True)
class ImportFaceModel:
    """read a face model once, so that later runs open it in a second"""

    source: str = option(
        'builtin',
        help='An ICT-FaceKit folder, .zip or .tar',
        spelling=Spelling(positional=True, metavar='PATH'),
    )
    landmarks: bool = option(True, help='Find its landmarks too, which tracking needs')


@dataclass(frozen=True, kw_only=True)
class DownloadFaceModel:
    """ICT-FaceKit from its project page → a folder, read once"""

    folder: str = option(help='Where to keep what was downloaded')
    scratch: str = option(help='Where to unpack it')


@dataclass(frozen=True, kw_only=True)
class SceneClips:
    """a reconstruction → the clips behind Blender's cameras, where its own footage won't do"""

    result: str = option(help='Folder of a reconstruction')
    out: str = option(help='Folder for the clips')
    rate: float | None = option(
        None,
        help="Frames a second of the scene; not given: the first view's",
        range=Range(0, above=True),
        unit='fps',
    )
    model: str = option('', help="A face model to read first; '': none")


@dataclass(frozen=True, kw_only=True)
class AddMarkers:
    """a scan or sculpt → landmarks.json: where the face's landmarks lie on it"""

    mesh: str = option(help='A head as a mesh, in any units and axes')
    out: str = option(help='Folder for the results')
    model: str = option('builtin', help='An ICT-FaceKit folder or archive, or the built-in head')


@dataclass(frozen=True, kw_only=True)
class WrapModel:
    """a scan or sculpt → wrapped.obj: the face model's topology on it, in its own space"""

    mesh: str = MESH
    out: str = OUT
    model: str = MODEL
    markers: str | None = MARKERS
    expression: str = EXPRESSION


@dataclass(frozen=True, kw_only=True)
class GenerateShapeKeys:
    """any head → rig.npz: its neutral and 53 expressions, report.json"""

    mesh: str = MESH
    out: str = OUT
    model: str = MODEL
    onto: str = option(
        'mesh',
        help='What gets the shape keys',
        choices=TARGETS,
        spelling=Spelling(),
        display=Display('Onto'),
    )
    markers: str | None = MARKERS
    expression: str = EXPRESSION
    settle: bool = option(
        True,
        help="Lids close over the eyeballs, lips meet and don't cross, the mouth's and eyes' "
        'insides stay behind the skin',
        spelling=Spelling('--no-settle'),
        display=Display('Keep from Crossing'),
    )


@dataclass(frozen=True, kw_only=True)
class BuildTetrahedra:
    """what is filled between skin and cavities → flesh.npz, report.json"""

    out: str = OUT
    model: str = MODEL
    head: str | None = option(
        None,
        help="A head in the model's topology to fill instead of the model's own",
        spelling=Spelling('--rig', metavar='RIG_NPZ'),
    )
    mask: str | None = option(
        None, help='An .npz that says for each vertex of the model whether to fill behind it'
    )


@dataclass(frozen=True, kw_only=True)
class CheckIntersections:
    """where cavities cross the skin, lips lips, lids eyeballs → crossings.npz, report.json"""

    rig: str = RIG
    out: str = OUT
    model: str = MODEL
    combinations: int = option(
        0,
        help='How many random combinations of expressions to check besides the single shapes',
        range=Range(0, 100000, soft_most=1000),
        spelling=Spelling(),
        display=Display('Combinations', meaning='the pose the sliders make instead'),
    )
    seed: int = option(
        0,
        help='Which random combinations: the same number gives the same ones',
        range=Range(0),
        spelling=Spelling(),
        display=Display('Seed'),
    )


@dataclass(frozen=True, kw_only=True)
class SettleShapeKeys:
    """no piece of the head crosses another any more, in any single shape → rig.npz"""

    rig: str = RIG
    out: str = OUT
    model: str = MODEL


@dataclass(frozen=True, kw_only=True)
class CompareWithModel:
    """how far a head's neutral and each of its shapes are from the plain model's, in mm

    With --out also vertex by vertex → comparison.npz, report.json.
    """

    rig: str = RIG
    out: str | None = option(
        None,
        help='Folder for the results; not given: they are only told',
        spelling=Spelling(metavar='DIR'),
    )
    model: str = MODEL


@dataclass(frozen=True, kw_only=True)
class FixCavities:
    """sockets, gums, teeth and eyeballs follow an edited skin → rig.npz, report.json"""

    rig: str = option(
        help="A head in the model's topology, before the edits",
        spelling=Spelling(positional=True, metavar='RIG_NPZ'),
    )
    out: str = OUT
    model: str = MODEL
    edits: str = option(
        help='Names n, before and edited n×V×3 (cm, head space): see docs/formats.md',
        spelling=Spelling(metavar='EDITS_NPZ'),
    )
    spread: bool = option(
        False,
        help='Give the same edit to the other shapes as well, where it makes sense',
        spelling=Spelling(),
        display=Display('Spread the Edit'),
    )


@dataclass(frozen=True, kw_only=True)
class BenchPartIou:
    """how well each quality covers the true part masks of a capture → part_iou.md, .jpg"""

    capture: str = option(
        help='A capture folder with capture.json and parts.npz',
        spelling=Spelling(positional=True, metavar='CAPTURE_DIR'),
    )
    out: str = OUT
    model: str = MODEL
    views: tuple[str, ...] = option(
        (),
        help="Which of the capture's views to use; not given: all",
        spelling=Spelling(metavar='NAME'),
    )
    every: int = option(4, help='Each how many frames are measured', range=Range(1))


def task_of(spec: type) -> str:
    """The name of a spec's task and operator: BakeAlbedo → bake_albedo."""
    return re.sub('(?<!^)([A-Z])', r'_\1', spec.__name__).lower()


SPECS: dict[str, type] = {
    task_of(spec): spec
    for spec in (
        Reconstruct,
        WrapModel,
        GenerateShapeKeys,
        CheckIntersections,
        SettleShapeKeys,
        CompareWithModel,
        FixCavities,
        BuildTetrahedra,
        PreviewOverlay,
        BakeAlbedo,
        BenchPartIou,
        ImportFaceModel,
        DownloadFaceModel,
        SceneClips,
        AddMarkers,
    )
}
# What tasks and verbs were called in 0.1, accepted for one release more.
ALIASES = {
    'import_model': 'import_face_model',
    'model': 'import_face_model',
    'download_model': 'download_face_model',
    'scan_landmarks': 'add_markers',
    'wrap': 'wrap_model',
    'shape_keys': 'generate_shape_keys',
    'tetrahedra': 'build_tetrahedra',
    'settle': 'settle_shape_keys',
    'overlay': 'preview_overlay',
    'bench part_iou': 'bench_part_iou',
}


def check(task: str, arguments: dict) -> dict:
    """Return a task's arguments if they fit its spec; raise FacewrightError, a sentence, if not."""
    return options.check_against(SPECS[task], arguments, task)


def verb_of(task: str) -> str:
    """What a task is called on the command line."""
    return task.replace('_', '-')


def on_command_line() -> list[str]:
    """The tasks that are verbs of the command line."""
    return [task for task, spec in SPECS.items() if any(True for _ in options.spelled(spec))]


def synopsis(task: str) -> str:
    """A verb with its arguments, in lines that fit the README."""
    return options.synopsis(f'{PROGRAM} {verb_of(task)}', SPECS[task])
