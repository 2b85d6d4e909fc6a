"""Blender's properties from the options of tasks, and the options that Blender alone has.

What a task takes is said in engine/tasks/specs.py, once; what becomes of its result in the scene,
and what the tools do that need no task, here, in the same form.
"""

# No `from __future__ import annotations`: the fields' types are read.

from dataclasses import MISSING, dataclass

from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..engine.tasks.options import Choice, Display, Parameter, Range, option, parameter

NOT_GIVEN = 'Not given: as in the panel'
UNITS = {'s': 'TIME_ABSOLUTE', 'm': 'LENGTH'}
PROPERTIES = {bool: BoolProperty, int: IntProperty, float: FloatProperty, str: StringProperty}


def prop(spec: type, name: str, /, **changes):
    """Make the bpy property of a spec's option.

    changes: keywords of bpy.props that are others here. The values of a choice are in capitals.
    """
    one = parameter(spec, name)
    keywords = {'name': one.option.display.name, 'description': described(one)}
    default = one.option.display.unset if one.default in (None, MISSING) else one.default
    if one.option.choices:
        keywords['items'] = items(one.option.choices)
        keywords |= {'default': default.upper()} if default else {}
        return EnumProperty(**keywords | changes)
    if default is not None:
        keywords['default'] = default
    if one.option.display.subtype:
        keywords['subtype'] = one.option.display.subtype
    if one.type in (int, float):
        keywords |= _limits(one, default)
    if one.type is float and one.option.unit in UNITS:
        keywords['unit'] = UNITS[one.option.unit]
    return PROPERTIES[one.type](**keywords | changes)


def prop_or_panel(spec: type, name: str, /, **changes):
    """Make an operator's property that, where it is not given, is as in the panel."""
    said = changes.pop('description', described(parameter(spec, name)))
    return prop(spec, name, description=f'{said}. {NOT_GIVEN}', options={'SKIP_SAVE'}, **changes)


def described(one: Parameter) -> str:
    """An option's help, with what it means where nothing is said."""
    display = one.option.display
    if not display.meaning:
        return one.option.help
    unset = one.default if display.unset is None else display.unset
    value = 'Empty' if unset == '' else f'{unset:g}'.replace('-', '−')
    return f'{one.option.help}. {value}: {display.meaning}'


def items(choices: tuple[Choice, ...]) -> list[tuple]:
    """An EnumProperty's items."""
    return [
        (c.name.upper(), c.label, c.help, c.icon, k)
        if c.icon
        else (c.name.upper(), c.label, c.help)
        for k, c in enumerate(choices)
    ]


def _limits(one: Parameter, default: float | None) -> dict:
    """A number's range, which holds what stands for None too, and its precision."""
    limits, found = one.option.range, {}
    ends = {
        'min': limits.least,
        'max': limits.most,
        'soft_min': limits.soft_least,
        'soft_max': limits.soft_most,
    }
    for key, value in ends.items():
        if value is not None:
            found[key] = min(value, default) if key == 'min' and default is not None else value
    if one.type is int:
        return {key: int(value) for key, value in found.items()}
    precision = one.option.display.precision
    return found | ({} if precision is None else {'precision': precision})


# ---- choices -----------------------------------------------------------------------------------

NAMINGS = (
    Choice('ict', 'ICT', "ICT-FaceKit's 53 names, such as mouthSmile_L"),
    Choice(
        'arkit',
        'ARKit',
        "Apple's names, such as mouthSmileLeft; the two halves of browInnerUp and of cheekPuff "
        'become one shape each',
    ),
)
MODELS = (
    Choice(
        'builtin',
        'Built-in',
        'The head that comes with Facewright: light, clean, needs no download',
    ),
    Choice(
        'file',
        'ICT-FaceKit',
        'The USC ICT face model (26,719 vertices) from its folder, its archive, or a download',
    ),
)
SCENES = (
    Choice(
        'auto',
        'Automatic',
        'A scene that holds animation keeps its frame rate, range, size and camera, and the take '
        "is retimed to it; one without takes the footage's",
    ),
    Choice(
        'keep',
        'Keep',
        'The scene keeps its frame rate, range, size and camera; the take is retimed to it',
    ),
    Choice(
        'footage',
        'As Footage',
        "The scene takes the footage's frame rate, range, size and camera; what is animated in it "
        'already then plays at that rate',
    ),
)
OLD_TAKES = (
    Choice(
        'replace',
        'Replace',
        'The earlier head of the same footage goes, with its camera, clip and sound; one you have '
        'worked on is kept, hidden',
    ),
    Choice(
        'hide',
        'Keep Hidden',
        'The earlier head of the same footage stays beside the new one, hidden, its sound muted',
    ),
)
RATES = (
    Choice(
        'auto',
        'Automatic',
        "The performance's where nothing in the scene is animated yet; else the scene keeps its "
        'own, with keyframes at the exact times',
    ),
    Choice('keep', 'Keep', 'The scene keeps its own, with keyframes at the exact times'),
    Choice(
        'file',
        'As File',
        "The scene takes the performance's; what is animated in it already then plays at that rate",
    ),
)
FIXES = (
    Choice('active', 'Active Key', 'The active shape key, or the Basis where that is active'),
    Choice(
        'edited',
        'Edited Keys',
        'All shape keys, and the Basis, that were changed by hand since they were made or last '
        'fixed',
    ),
)
FILLINGS = (
    Choice('surface', 'Outside', 'The outside of all that was filled'),
    Choice('cut', 'Cut Open', "The half on the head's right, cut open in the middle"),
    Choice(
        'shrunk',
        'Shrunk',
        "The half on the head's right, each piece a little smaller, so that one sees between them",
    ),
)
KEYS = (
    Choice('active', 'Active', 'The active shape key'),
    Choice('all', 'All', 'All shape keys'),
)
PARTS = (
    Choice('all', 'Everywhere', 'The whole mesh'),
    Choice('group', 'Vertex Group', 'Where a vertex group is painted, by its weights'),
    Choice('selected', 'Selection', 'The vertices selected in edit mode, fading out round them'),
)
SIDES = (
    Choice('left', 'Left to Right', "The person's left side is copied to the right"),
    Choice('right', 'Right to Left', "The person's right side is copied to the left"),
    Choice('average', 'Average', 'Both sides become the mean of the two'),
)
MIRRORED = (
    Choice('other', "Other Side's Key", 'mouthSmile_L makes mouthSmile_R'),
    Choice('itself', 'Itself', 'The key itself is flipped'),
)
BEFORE = (
    Choice('basis', 'Basis', 'No movement at all'),
    Choice('generated', 'Generated', 'What Facewright made before it was changed by hand'),
)


# ---- options that Blender alone has ------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Head:
    """The face model of a scene."""

    model: str = option(
        'builtin',
        help='Which head is added and fitted to footage',
        choices=MODELS,
        display=Display('Face Model'),
    )
    path: str = option(
        help='ICT-FaceKit as a folder (the one that holds FaceXModel), its GitHub zip, or a tar '
        'archive',
        display=Display('ICT-FaceKit', subtype='FILE_PATH'),
    )
    naming: str = option(
        'ict',
        help="Whose names the head's shape keys get",
        choices=NAMINGS,
        display=Display('Shape Key Names'),
    )


@dataclass(frozen=True, kw_only=True)
class View:
    """What a view has in Blender beside its footage."""

    cameras: str = option(
        '',
        help="Which of a capture's cameras to use: their names, separated by commas",
        display=Display('Cameras', meaning='all'),
    )
    masks: str = option(
        '',
        help="Folder of your own masks of the face's regions, for Standard quality, painted or "
        'made by another program: one image a frame (of a capture: one folder a camera)',
        display=Display('Masks', subtype='DIR_PATH', meaning='found in the picture'),
    )


@dataclass(frozen=True, kw_only=True)
class Take:
    """How a reconstruction comes into the scene."""

    sound: bool = option(
        True,
        help="Put the clip's sound into the sequencer, in step with the performance",
        display=Display('Sound'),
    )
    scene_settings: str = option(
        'auto',
        help="What becomes of the scene's own frame rate, range, size and camera",
        choices=SCENES,
        display=Display('Scene'),
    )
    old_take: str = option(
        'replace',
        help='What becomes of a head made of the same footage before',
        choices=OLD_TAKES,
        display=Display('Earlier Take'),
    )
    output: str = option(
        '',
        help='Folder that also gets the head, its performance (Live Link Face CSV too), the '
        'cameras and an overlay picture as files',
        display=Display(
            'Save Result To…', subtype='DIR_PATH', meaning='they stay in Blender alone'
        ),
    )
    opacity: float = option(
        0.5,
        help='How much of the clip is seen: 0 none of it, 1 nothing of the head',
        range=Range(0, 1),
        display=Display('Opacity', subtype='FACTOR'),
    )


@dataclass(frozen=True, kw_only=True)
class Performance:
    """Bringing a performance in, out, and calming it."""

    start: int = option(1, help='Scene frame of the first sample', display=Display('Start Frame'))
    motion: bool = option(
        True,
        help='Move the active object as the head moved; off: expressions only',
        display=Display('Head Motion'),
    )
    frame_rate: str = option(
        'auto',
        help="What becomes of the scene's own frame rate",
        choices=RATES,
        display=Display('Scene Rate'),
    )
    rate: float = option(
        0.0,
        help="Frames a second of a .csv, where its timecodes can't tell",
        range=Range(0, 1000),
        unit='fps',
        display=Display('File Rate', meaning='as they say'),
    )
    strength: float = option(
        0.5,
        help='0: nothing changes, 1: strong',
        range=Range(0, 1),
        display=Display('Strength', subtype='FACTOR'),
    )


@dataclass(frozen=True, kw_only=True)
class Generated:
    """What becomes of generated shape keys and wrapped heads."""

    at_rest: bool = option(
        True,
        help='A smile or closed eyes on the mesh are recognised and taken off before it is called '
        'neutral; off: it is taken to be at rest',
        display=Display('Find Its Expression'),
    )
    keep_edits: bool = option(
        True,
        help='What was changed by hand in keys made before is added to the new ones; off: it is '
        'discarded',
        display=Display('Keep Hand Edits'),
    )
    replace: bool = option(
        False,
        help='Keys of the same names that were made elsewhere are replaced; off: they stay as they '
        'are',
        display=Display('Replace Other Keys'),
    )
    follow: bool = option(
        True,
        help='Where the head is several objects: the sliders of the one that moves most drive the '
        "others'",
        display=Display('One Slider'),
    )
    hide: bool = option(
        True,
        help='Hide the meshes that a new head was made of: it stands in their place',
        display=Display('Hide the Original'),
    )


@dataclass(frozen=True, kw_only=True)
class Cavities:
    """What cavities follow and how their filling is shown."""

    keys: str = option(
        'active',
        help="Which shape keys' cavities follow the skin",
        choices=FIXES,
        display=Display('Fix'),
    )
    show: str = option(
        'cut',
        help='What of the filling is shown',
        choices=FILLINGS,
        display=Display('Show'),
    )
    mask: str = option(
        '',
        help='Vertex group of the head that says where to fill',
        display=Display('Where', meaning='round the mouth, the nose and the eyes'),
    )


@dataclass(frozen=True, kw_only=True)
class Editing:
    """The tools that change shape keys at once."""

    keys: str = option(
        'active', help='Which shape keys are changed', choices=KEYS, display=Display('Keys')
    )
    where: str = option(
        'all',
        help='Which part of the head Reset, Strength and Blend change',
        choices=PARTS,
        display=Display('Where'),
    )
    group: str = option(
        '',
        help='Vertex group of the active mesh to which Reset, Strength and Blend are limited, by '
        'its weights, where they change a vertex group',
        display=Display('Group'),
    )
    falloff: float = option(
        0.01,
        help='How far the effect fades out beyond the selected vertices, along the surface, where '
        'Reset, Strength and Blend change a selection',
        range=Range(0, soft_most=0.1),
        unit='m',
        display=Display('Falloff'),
    )
    strength: float = option(
        1.2,
        help='By how much Strength multiplies the shapes: 0 takes them away, 1 leaves them',
        range=Range(-10, 10, soft_least=0, soft_most=2),
        display=Display('Strength'),
    )
    share: float = option(
        0.5,
        help="How personal Blend makes the shapes: 0 the plain model's, 1 the person's own, which "
        'come back at any time',
        range=Range(0, 1),
        display=Display('Personal', subtype='FACTOR'),
    )
    width: float = option(
        0.01,
        help='Width of the band in which the two halves of a split key fade into each other',
        range=Range(0, soft_most=0.1),
        unit='m',
        display=Display('Soft Middle'),
    )
    tolerance: float = option(
        0.001,
        help='How far from mirrored the two sides of the mesh may be, as a part of its size. '
        "Heads in the face model's topology need none",
        range=Range(1e-6, 0.05),
        display=Display('Tolerance', precision=4),
    )
    source: str = option(
        'left',
        help="Which side is right. Left is the person's left",
        choices=SIDES,
        display=Display('From'),
    )
    mirror_to: str = option(
        'other', help='What gets the mirrored shape', choices=MIRRORED, display=Display('To')
    )
    reset_to: str = option(
        'basis', help='What it goes back to', choices=BEFORE, display=Display('To')
    )
