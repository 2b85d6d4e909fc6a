"""Shape Keys panel: generate, wrap, markers."""

from __future__ import annotations

from bpy.props import EnumProperty

from ...engine.tasks import specs
from .. import api, jobs, options
from ..options import prop_or_panel
from ..scene import distance_colours
from ..scene.markers import PLACES
from .base import JobOperator, Operator, object_mode

WARNING = 'Warning: '  # before a line of the panel's report


class HeadOperator(JobOperator):
    """A job on the selected head: `prepare` makes its input and arguments (an api job), `apply`
    puts the result, a folder, into the scene and returns what to tell the user, lines of which the
    first says it all. They are reported and stay in the panel.
    """

    bl_options = {'UNDO'}

    def begin(self, context):
        self.work = self.prepare(context, context.scene.facewright.shapes)
        return jobs.start(self.task, self.work.arguments, self.title, self.work.write)

    def finish(self, context, result):
        lines = self.apply(context, self.job.arguments['out'], result)
        warnings = set((result or {}).get('warnings', ()))
        lines = [f'{WARNING}{line}' if line in warnings else line for line in lines]
        context.scene.facewright.shapes.report = '\n'.join(lines)
        self.report({'WARNING' if warnings else 'INFO'}, ' '.join(lines))


class FACEWRIGHT_OT_generate_shape_keys(HeadOperator):
    bl_description = (
        'Give the selected head the 53 expressions as shape keys: any mesh, with its eyes, '
        'teeth and lashes selected too where they are objects of their own'
    )

    bl_idname = 'facewright.generate_shape_keys'
    bl_label = 'Generate Shape Keys'
    task, title = 'generate_shape_keys', 'Shape keys'

    onto: prop_or_panel(specs.GenerateShapeKeys, 'onto')
    naming: prop_or_panel(options.Head, 'naming')
    at_rest: prop_or_panel(options.Generated, 'at_rest')
    settle: prop_or_panel(specs.GenerateShapeKeys, 'settle')
    keep_edits: prop_or_panel(options.Generated, 'keep_edits')
    replace: prop_or_panel(options.Generated, 'replace')
    follow: prop_or_panel(options.Generated, 'follow')
    hide: prop_or_panel(options.Generated, 'hide')

    def prepare(self, context, settings):
        self.chosen = {
            name: self.option(settings, name)
            for name in ('onto', 'at_rest', 'settle', 'keep_edits', 'replace', 'follow', 'hide')
        }
        self.chosen['naming'] = self.option(context.scene.facewright, 'naming')
        return api.head_job(
            context,
            onto=self.chosen['onto'].lower(),
            settle=self.chosen['settle'],
            expression='auto' if self.chosen['at_rest'] else 'none',
        )

    def apply(self, context, out, result):
        chosen = self.chosen
        if chosen['onto'] == 'MODEL':
            head, notes = api.apply_head(context, self.work, out, chosen['naming'], chosen['hide'])
            return [
                f'{head.name} has {len(head.data.shape_keys.key_blocks) - 1} shape keys.',
                *notes,
            ]
        written, notes = api.apply_shape_keys(
            context,
            self.work,
            out,
            chosen['naming'],
            chosen['keep_edits'],
            chosen['replace'],
            chosen['follow'],
        )
        counts = [
            f'{len(what.made) + len(what.updated)} on {name}' for name, what in written.items()
        ]
        return [f'Shape keys: {", ".join(counts)}.', *notes]


class FACEWRIGHT_OT_wrap_model(HeadOperator):
    bl_description = (
        "Lay the face model's topology onto the selected scan or sculpt: a new head in its "
        'place, coloured by how far it is from it'
    )

    bl_idname = 'facewright.wrap_model'
    bl_label = 'Wrap Face Model'
    task, title = 'wrap_model', 'Wrapping'

    at_rest: prop_or_panel(options.Generated, 'at_rest')
    hide: prop_or_panel(options.Generated, 'hide')

    def prepare(self, context, settings):
        self.hide_chosen = self.option(settings, 'hide')
        return api.head_job(
            context, 'wrap_model', expression='auto' if self.option(settings, 'at_rest') else 'none'
        )

    def apply(self, context, out, result):
        head, notes = api.apply_head(context, self.work, out, hide=self.hide_chosen)
        return [f'{head.name}: {api.fit_in_words(out)}', distance_colours.FIT.legend + '.', *notes]


class FACEWRIGHT_OT_add_markers(HeadOperator):
    bl_description = (
        'Put an empty on each landmark of the selected head, where it is found '
        'automatically: drag those that are wrong, then generate or wrap'
    )

    bl_idname = 'facewright.add_markers'
    bl_label = 'Add Markers'
    task, title = 'add_markers', 'Finding the landmarks'

    def prepare(self, context, settings):
        return api.landmarks_job(context)

    def apply(self, context, out, result):
        found = api.apply_markers(context, self.work, out)
        return [
            f'{len(found)} markers are on {self.work.meshes.parts[0].name}: drag those that '
            'are wrong.'
        ]


class FACEWRIGHT_OT_add_marker(Operator):
    bl_description = (
        "Put one landmark's empty at the 3D cursor, or move it there; with four or more no "
        'face need be found on the mesh'
    )

    bl_idname = 'facewright.add_marker'
    bl_label = 'Add Marker'

    name: EnumProperty(
        name='Landmark',
        description="What the marker marks. Left is the person's left",
        items=[(n, label, f'{label} of the face') for n, label in PLACES],
        default='nose_tip',
    )

    def run(self, context):
        with object_mode(context):
            api.add_marker(context, self.name)


class FACEWRIGHT_OT_remove_markers(Operator):
    """Take the selected head's markers away"""

    bl_idname = 'facewright.remove_markers'
    bl_label = 'Remove Markers'

    def run(self, context):
        count = api.remove_markers(context)
        self.report({'INFO'}, f'{count} markers removed.' if count else 'There are no markers.')


class FACEWRIGHT_OT_select_companions(Operator):
    bl_description = (
        'Select the eyes, teeth and lashes too: meshes under the same parent, or under the '
        'head itself, that lie within it'
    )

    bl_idname = 'facewright.select_companions'
    bl_label = 'Select What Belongs to It'

    def run(self, context):
        count = api.select_companions(context)
        self.report({'INFO'}, f'{count} more selected.' if count else 'Nothing else belongs to it.')


class FACEWRIGHT_OT_unpin_shape_keys(Operator):
    """Let the meshes that show one shape key alone show what their sliders make again"""

    bl_idname = 'facewright.unpin_shape_keys'
    bl_label = 'Show All Shape Keys'

    def run(self, context):
        with object_mode(context):
            found = api.unpin(context)
        words = f'{", ".join(found)}: the sliders work again.'
        self.report({'INFO'}, words if found else 'No shape key is shown alone.')


CLASSES = (
    FACEWRIGHT_OT_generate_shape_keys,
    FACEWRIGHT_OT_wrap_model,
    FACEWRIGHT_OT_add_markers,
    FACEWRIGHT_OT_add_marker,
    FACEWRIGHT_OT_remove_markers,
    FACEWRIGHT_OT_select_companions,
    FACEWRIGHT_OT_unpin_shape_keys,
)
