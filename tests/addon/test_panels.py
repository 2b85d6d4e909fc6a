"""The panels' drawing functions run in every state, and say what to do next."""

import functools
import json
import time
from types import SimpleNamespace

import bpy
import pytest

from facewright.addon import api, environment, jobs, panels, preferences
from facewright.addon.panels import drawing
from facewright.engine.core.errors import FacewrightError
from facewright.engine.formats.verdicts import LIMITS


class Layout:
    """Records what a panel draws; checks that every property and operator it names exists."""

    def __init__(self, drawn=None):
        object.__setattr__(self, 'drawn', [] if drawn is None else drawn)

    def __setattr__(self, name, value):
        assert name in bpy.types.UILayout.bl_rna.properties, name
        object.__setattr__(self, name, value)

    def _sub(self, **_):
        return Layout(self.drawn)

    row = column = box = split = column_flow = _sub

    def separator(self):
        pass

    def label(self, text='', icon='NONE'):
        assert icon in bpy.types.UILayout.bl_rna.functions['label'].parameters['icon'].enum_items, (
            icon
        )
        self.drawn.append(text)

    def prop(
        self,
        data,
        name,
        text=None,
        icon='NONE',
        emboss=True,
        expand=False,
        placeholder='',
        slider=False,
    ):
        assert name in data.bl_rna.properties, name
        self.drawn.append(name)

    def operator(self, name, text='', icon='NONE', emboss=True, depress=False):
        module, operator = name.split('.')
        kind = getattr(getattr(bpy.ops, module), operator).get_rna_type()
        assert icon in bpy.types.UILayout.bl_rna.functions['label'].parameters['icon'].enum_items, (
            icon
        )
        self.drawn.append(name)
        self_ = SimpleNamespace(**{p.identifier: None for p in kind.properties})
        return self_

    def prop_search(self, data, name, owner, candidates, text=None):
        assert name in data.bl_rna.properties and candidates in owner.bl_rna.properties
        self.drawn.append(name)

    def operator_menu_enum(self, name, choice, text='', icon='NONE'):
        self.operator(name, text, icon)

    def progress(self, factor=0.0, text=''):
        assert 0 <= factor <= 1
        self.drawn.append(text)

    def template_list(self, kind, key, data, name, active_data, active_name, rows=5):
        assert (
            hasattr(bpy.types, kind)
            and name in data.bl_rna.properties
            and active_name in active_data.bl_rna.properties
        )
        self.drawn.append(kind)


def draw(panel) -> list[str]:
    layout = Layout()
    owner = SimpleNamespace(
        layout=layout,
        **{k: functools.partial(v, None) for k, v in vars(panel).items() if k.startswith('draw_')},
    )
    panel.draw(owner, bpy.context)
    return layout.drawn


def header(panel) -> list[str]:
    layout = Layout()
    panel.draw_header_preset(SimpleNamespace(layout=layout), bpy.context)
    return layout.drawn


def said(panel) -> str:
    return ' '.join(draw(panel))


def test_empty_states_say_what_to_do_next():
    assert 'Add a video' in said(panels.footage.FACEWRIGHT_PT_footage)
    assert 'First add footage' in said(panels.reconstruct.FACEWRIGHT_PT_reconstruct)
    assert 'Select a mesh' in said(panels.performance.FACEWRIGHT_PT_performance)
    bpy.context.scene.facewright.model = 'FILE'
    assert 'download' in said(panels.head.FACEWRIGHT_PT_head)


def test_with_footage(tmp_path):
    for name in ('a.mp4', 'b.png'):
        (tmp_path / name).write_bytes(b'x')
        bpy.ops.facewright.add_footage(filepath=str(tmp_path / name))
    words = said(panels.footage.FACEWRIGHT_PT_footage)
    assert 'FACEWRIGHT_UL_views' in words and 'facewright.move_footage' in words
    assert 'start' not in words  # a photo has no clock
    assert draw(panels.footage.FACEWRIGHT_PT_footage_advanced) == ['masks']
    bpy.context.scene.facewright.active_view = 0
    assert draw(panels.footage.FACEWRIGHT_PT_footage_advanced) == ['offset', 'masks']
    assert 'First add' not in said(panels.reconstruct.FACEWRIGHT_PT_reconstruct)
    for kind, shown, hidden, folded in (
        ('SEQUENCE', 'fps', 'masks', ['offset', 'masks']),
        ('CAPTURE', 'start', 'lens', ['cameras', 'offset', 'masks']),
    ):
        bpy.context.scene.facewright.views[0].kind = kind
        words = said(panels.footage.FACEWRIGHT_PT_footage)
        assert shown in words and hidden not in words
        assert draw(panels.footage.FACEWRIGHT_PT_footage_advanced) == folded
    layout = Layout()
    panels.footage.FACEWRIGHT_UL_views.draw_item(
        None, bpy.context, layout, None, bpy.context.scene.facewright.views[0], 0, None, ''
    )
    assert layout.drawn == ['label']


def start_as(name, task, *arguments):
    """A job of the fake worker's under the name of a real task."""
    job = jobs.start(task, *arguments)
    job.task = name
    return job


def test_while_a_job_runs_and_after_it_failed(tmp_path, fake_worker):
    job = start_as('reconstruct', 'hang', {'pids': str(tmp_path / 'pids')}, 'Reconstruction')
    while job.fraction == 0:
        job.poll()
    words = said(panels.reconstruct.FACEWRIGHT_PT_reconstruct)
    assert (
        'Reconstruction: 25 %' in words
        and 'Hanging' in words
        and '10 min left' in words
        and 'facewright.cancel' in words
    )
    assert 'facewright.reconstruct' not in words
    assert 'Hanging' not in said(panels.head.FACEWRIGHT_PT_head)
    job.task = 'download_face_model'
    assert 'Hanging' in said(panels.head.FACEWRIGHT_PT_head) and 'Hanging' not in said(
        panels.reconstruct.FACEWRIGHT_PT_reconstruct
    )
    jobs.cancel()
    with pytest.raises(FacewrightError):
        jobs.wait(start_as('reconstruct', 'fail', {}))
    words = said(panels.reconstruct.FACEWRIGHT_PT_reconstruct)
    assert 'shows no face' in words and 'wm.path_open' in words
    bpy.ops.facewright.clear_message()
    assert 'shows no face' not in said(panels.reconstruct.FACEWRIGHT_PT_reconstruct)


@pytest.fixture
def selected_head(fake_worker, model_path) -> bpy.types.Object:
    """A head of the synthetic model, selected, with an eye under it that is not."""
    scene = bpy.context.scene.facewright
    scene.model, scene.model_path = 'FILE', model_path
    bpy.ops.facewright.add_head()
    head = bpy.context.object
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.02)
    bpy.context.object.parent = head
    head.select_set(True)
    bpy.context.object.select_set(False)
    bpy.context.view_layer.objects.active = head
    bpy.context.view_layer.update()
    return head


def test_shape_key_panels_without_a_mesh():
    everything = (
        panels.shape_keys.FACEWRIGHT_PT_shape_keys,
        panels.shape_keys.FACEWRIGHT_PT_shape_keys_options,
        panels.shape_keys.FACEWRIGHT_PT_shape_keys_markers,
        panels.shape_keys.FACEWRIGHT_PT_shape_keys_cavities,
        panels.shape_keys.FACEWRIGHT_PT_shape_keys_edit,
    )
    words = ' '.join(said(p) for p in everything)
    assert (
        'Select your head' in words
        and 'found automatically' in words
        and 'Select a mesh with shape keys' in words
    )


def test_shape_key_panels_of_a_head(selected_head):
    module, scene = panels.shape_keys, bpy.context.scene.facewright
    words = said(module.FACEWRIGHT_PT_shape_keys)
    assert (
        'Head: 738 vertices' in words
        and 'facewright.select_companions' in words
        and 'facewright.generate_shape_keys' in words
    )
    bpy.ops.facewright.add_markers()
    assert '2 markers are used' in said(
        module.FACEWRIGHT_PT_shape_keys_markers
    ) and '2 markers are on Head' in said(module.FACEWRIGHT_PT_shape_keys)
    scene.shapes.onto = 'MODEL'
    assert 'hide' in said(module.FACEWRIGHT_PT_shape_keys_options) and 'keep_edits' not in said(
        module.FACEWRIGHT_PT_shape_keys_options
    )


def test_rows_of_shape_keys_and_their_crossings(selected_head):
    module, head = panels.shape_keys, selected_head
    bpy.ops.facewright.check_intersections()
    words = said(module.FACEWRIGHT_PT_shape_keys_cavities)
    assert (
        'FACEWRIGHT_UL_crossings' in words
        and 'skin and socket: 3, lip and lip: 1' in words
        and '5 crossings in 2' in words
    )
    for name, shown in (('jawOpen', '4'), ('mouthFunnel', 'none')):
        layout = Layout()
        module.FACEWRIGHT_UL_crossings.draw_item(
            None,
            bpy.context,
            layout,
            head.data.shape_keys,
            head.data.shape_keys.key_blocks[name],
            0,
            None,
            '',
        )
        assert layout.drawn == [name, shown]
    assert 'FACEWRIGHT_UL_shape_keys' in draw(module.FACEWRIGHT_PT_shape_keys)
    for name, shown in (('jawOpen', ['name', 'value']), ('Basis', ['name'])):
        layout = Layout()
        module.FACEWRIGHT_UL_shape_keys.draw_item(
            None,
            bpy.context,
            layout,
            head.data.shape_keys,
            head.data.shape_keys.key_blocks[name],
            0,
            None,
            '',
        )
        assert layout.drawn == shown


def test_the_edit_panel_shows_what_the_settings_ask_for(selected_head):
    module, head, scene = panels.shape_keys, selected_head, bpy.context.scene.facewright
    for name, keys, hint in (
        ('Basis', 'ACTIVE', True),
        ('Basis', 'ALL', False),
        ('jawOpen', 'ACTIVE', False),
    ):
        head.active_shape_key_index, scene.shapes.keys = (
            head.data.shape_keys.key_blocks.find(name),
            keys,
        )
        assert ('choose another key' in said(module.FACEWRIGHT_PT_shape_keys_edit)) == hint
    for where, shown in (('GROUP', 'group'), ('SELECTED', 'falloff')):
        scene.shapes.where = where
        assert shown in said(module.FACEWRIGHT_PT_shape_keys_edit)


def test_the_shape_keys_panel_while_a_job_runs(selected_head, tmp_path):
    module = panels.shape_keys
    job = start_as('generate_shape_keys', 'hang', {'pids': str(tmp_path / 'pids')}, 'Shape keys')
    while job.fraction == 0:
        job.poll()
    words = said(module.FACEWRIGHT_PT_shape_keys)
    assert (
        'Shape keys: 25 %' in words
        and 'facewright.cancel' in words
        and 'markers are on' not in words
    )
    jobs.cancel()


def with_regions(folder, **regions):
    """Give a result's report errors of each region, a list of 24 each."""
    path = folder / 'report.json'
    report = json.loads(path.read_text(encoding='utf-8'))
    report['error']['regions'] = {
        name: {'mean_percent': 1.0, 'per_frame': values} for name, values in regions.items()
    }
    path.write_text(json.dumps(report), encoding='utf-8')


def test_the_result_says_what_its_errors_mean_and_where_to_look(result):
    good, poor = LIMITS['lips'][0] / 2, 2 * LIMITS['lips'][1]
    still = [0.1] * 24
    lips = [good] * 20 + [poor, 1.1 * poor, poor, poor]
    lips[3] = None
    with_regions(
        result[0],
        eyes=still,
        brows=still[:9] + [0.2] + still[10:],
        lips=lips,
        jaw=[LIMITS['jaw'][1]] * 24,
        other=still,
    )
    head = api.apply_result(bpy.context, result[0])
    panel = panels.reconstruct.FACEWRIGHT_PT_result
    words = draw(panel)
    assert [w for w in words if w.split(':')[0] in ('Eyes', 'Brows', 'Lips', 'Jaw')] == [
        'Eyes: good',
        'Brows: good',
        'Lips: poor',
        'Jaw: fair',
    ]
    assert words.count('facewright.show_worst_frame') == 4 and '%' not in ' '.join(words)
    assert 'Frame 1: jaw fair' in words and '1 frame without a face' in words
    bpy.context.scene.frame_set(24)
    assert 'Frame 24: lips poor, jaw fair' in draw(panel)
    for region, frame in (('lips', 22), ('brows', 10), ('eyes', 1)):
        assert (
            bpy.ops.facewright.show_worst_frame(region=region) == {'FINISHED'}
            and bpy.context.scene.frame_current == frame
        )
    with pytest.raises(
        RuntimeError, match='Nothing is known of chin: choose eyes, brows, lips, jaw'
    ):
        bpy.ops.facewright.show_worst_frame(region='chin')
    assert api.verdict_in_words(head) == 'eyes good, brows good, lips poor (see frame 22), jaw fair'


def test_a_result_made_before_regions_were_measured_is_judged_as_a_whole(result):
    api.apply_result(bpy.context, result[0])  # errors from 1 to 3.3 %
    words = said(panels.reconstruct.FACEWRIGHT_PT_result)
    assert (
        'Face: poor' in words
        and 'Frame 1: good' in words
        and 'facewright.show_worst_frame' in words
    )
    bpy.context.scene.frame_set(4)
    assert 'Frame 4: no face seen' in said(panels.reconstruct.FACEWRIGHT_PT_result)
    assert (
        bpy.ops.facewright.show_worst_frame() == {'FINISHED'}
        and bpy.context.scene.frame_current == 24
    )
    assert 'ICT names' in said(panels.performance.FACEWRIGHT_PT_performance)


def test_the_neutral_frame_is_the_scene_s_and_may_be_unknown(result, tmp_path):
    scene, settings = bpy.context.scene, bpy.context.scene.facewright
    (tmp_path / 'a.mp4').write_bytes(b'x')
    bpy.ops.facewright.add_footage(filepath=str(tmp_path / 'a.mp4'))
    shown = draw(panels.reconstruct.FACEWRIGHT_PT_reconstruct)
    assert 'Unknown' in shown and 'neutral_at' not in shown and api.neutral_index(scene) == -1
    assert (
        api.reconstruction(scene, neutral_frame=api.neutral_index(scene))['neutral_frame'] is None
    )
    scene.frame_set(5)
    bpy.ops.facewright.set_neutral_frame()
    assert 'Unknown' not in draw(panels.reconstruct.FACEWRIGHT_PT_reconstruct)
    assert (settings.neutral_at, api.neutral_index(scene)) == (
        5,
        4,
    )  # the footage begins at frame 1
    settings.neutral_at = 0
    with pytest.raises(
        RuntimeError, match='neutral frame 0 is outside the footage, which begins at 1'
    ):
        bpy.ops.facewright.reconstruct()


def test_the_neutral_frame_follows_a_take_that_was_moved_or_retimed(result):
    scene, settings = bpy.context.scene, bpy.context.scene.facewright
    head = api.apply_result(bpy.context, result[0], start=101)
    (result[0] / 'missing.mp4').write_bytes(b'x')  # what the result was made of
    bpy.ops.facewright.add_footage(filepath=str(result[0] / 'missing.mp4'))
    settings.neutral_known, settings.neutral_at = True, 111
    assert api.neutral_index(scene) == 10
    head['facewright_frames'] = [
        101 + 2 * i for i in range(24)
    ]  # a clip in a scene of twice its rate
    assert api.neutral_index(scene) == 5
    settings.neutral_at = 148
    with pytest.raises(
        FacewrightError, match='which goes from 101 to 147: choose a frame within it'
    ):
        api.neutral_index(scene)
    other = result[0] / 'other.mp4'
    other.write_bytes(b'x')
    settings.views[0].filepath = str(
        other
    )  # of which nothing is known yet: its take will begin with the scene, which holds the first
    assert api.neutral_index(scene) == 148 - scene.frame_start == 47
    settings.views[0].filepath = str(result[0] / 'missing.mp4')
    bpy.data.objects.remove(head)
    assert api.neutral_index(scene) == 147


def test_stage_and_time_stand_each_on_a_line_of_their_own(monkeypatch):
    for told, words in (
        (None, ''),
        (4.0, 'A few seconds left'),
        (22.0, 'About 20 s left'),
        (58.0, 'About 1 min left'),
        (250.0, 'About 4 min left'),
    ):
        stage = 'Following the performance in the pictures'
        job = SimpleNamespace(
            task='reconstruct',
            state='running',
            fraction=0.4,
            title='Reconstruction',
            stage=stage,
            remaining=told,
            reported_at=time.monotonic(),
        )
        monkeypatch.setattr(jobs, 'current', job)
        drawn = draw(panels.reconstruct.FACEWRIGHT_PT_reconstruct)
        at = drawn.index('Reconstruction: 40 %')
        lines = drawn[at + 1 : drawn.index('facewright.cancel')]
        assert ' '.join(lines[:-1]) == stage and lines[-1] == words
        assert max(map(len, lines)) <= 34  # what a sidebar of 280 pixels holds
    job.reported_at -= 200
    assert drawing.time_left(job) == 'About 50 s left'  # it goes on between what the task tells
    monkeypatch.undo()


def test_the_panels_stand_in_the_order_of_work():
    shown = [c for c in panels.CLASSES if issubclass(c, bpy.types.Panel)]
    below = {
        p: [c.bl_label for c in shown if getattr(c, 'bl_parent_id', '') == p.__name__]
        for p in shown
    }
    top = [c for c in shown if not hasattr(c, 'bl_parent_id')]
    assert [c.bl_label for c in top[2:]] == [
        'Head',
        'Footage',
        'Reconstruct',
        'Texture',
        'Shape Keys',
    ]
    for banner in top[:2]:  # seen only when they have something to say
        assert banner.bl_options == {'HIDE_HEADER'} and not banner.poll(bpy.context)
    assert below[panels.footage.FACEWRIGHT_PT_footage] == ['Advanced']
    assert below[panels.reconstruct.FACEWRIGHT_PT_reconstruct] == [
        'Result',
        'Overlay',
        'Performance',
    ]
    assert panels.footage.FACEWRIGHT_PT_footage_advanced.bl_options == {'DEFAULT_CLOSED'}


def test_the_file_browser_asks_for_what_a_file_does_not_tell():
    kind = bpy.types.FACEWRIGHT_OT_add_footage
    known = bpy.ops.facewright.add_footage.get_rna_type()
    for chosen, shown in (('AUTO', ['kind', 'lens']), ('SEQUENCE', ['kind', 'lens', 'fps'])):
        layout = Layout()
        kind.draw(SimpleNamespace(layout=layout, kind=chosen, bl_rna=known), bpy.context)
        assert layout.drawn == shown


def test_a_pinned_key_is_said_whoever_pinned_it_and_ended_by_a_button(model_path):
    banner, shapes = panels.banner.FACEWRIGHT_PT_pinned, panels.shape_keys.FACEWRIGHT_PT_shape_keys
    scene = bpy.context.scene.facewright
    scene.model, scene.model_path = 'FILE', model_path
    bpy.ops.facewright.add_head()
    first = bpy.context.object
    bpy.ops.facewright.add_head()
    second = bpy.context.object
    assert not banner.poll(bpy.context) and header(shapes) == []
    first.show_only_shape_key, first.active_shape_key_index = (
        True,
        3,
    )  # by hand, and another head is selected
    key = first.data.shape_keys.key_blocks[3].name
    assert banner.poll(bpy.context)
    words = said(banner)
    assert f'{first.name} shows only {key}' in words and 'facewright.unpin_shape_keys' in words
    assert header(shapes) == ['facewright.unpin_shape_keys']  # folded or not
    second.show_only_shape_key = True
    assert said(banner).startswith(f'{second.name} shows only') and '1 more mesh too' in said(
        banner
    )
    assert f'{second.name} shows only' in said(shapes)
    assert bpy.ops.facewright.unpin_shape_keys() == {'FINISHED'}
    assert (
        not banner.poll(bpy.context)
        and not first.show_only_shape_key
        and not second.show_only_shape_key
    )
    first.show_only_shape_key = True
    first.hide_set(True)  # nobody misses its sliders
    assert not banner.poll(bpy.context)


def test_ending_the_pin_of_show_crossings_takes_its_colours_too(fake_worker, model_path):
    scene = bpy.context.scene.facewright
    scene.model, scene.model_path = 'FILE', model_path
    bpy.ops.facewright.add_head()
    head = bpy.context.object
    bpy.ops.facewright.check_intersections()
    bpy.ops.facewright.show_crossings(key='jawOpen')
    assert 'Crossing Colours' in head.data.color_attributes
    assert f'{head.name} shows only jawOpen' in said(panels.banner.FACEWRIGHT_PT_pinned)
    bpy.ops.facewright.unpin_shape_keys()
    assert not head.show_only_shape_key and 'Crossing Colours' not in head.data.color_attributes


LACKING = environment.Environment(
    '/p', '3.11.9', 'lacks torch', (('torch', '2.13.0', None), ('numpy', '1.26.4', '2.0.0'))
)


def test_preferences(monkeypatch):
    drawn = []
    ready, none = (
        environment.Environment('/p', '3.11.9', None, ()),
        environment.Environment('/p', '', '/p cannot be started.', ()),
    )
    for state in (None, ready, LACKING, none):
        monkeypatch.setattr(environment, 'known', lambda state=state: state)
        layout = Layout()
        owner = SimpleNamespace(layout=layout, bl_rna=preferences.Preferences.bl_rna)
        preferences.Preferences.draw(owner, bpy.context)
        drawn.append(' '.join(layout.drawn))
    assert 'Check whether' in drawn[0] and 'Ready' in drawn[1]
    assert (
        'torch 2.13.0: missing' in drawn[2]
        and '2.0.0 is there instead' in drawn[2]
        and 'copy_install_command' in drawn[2]
    )
    assert 'cannot be started' in drawn[3] and 'copy_install_command' not in drawn[3]


def test_a_missing_engine_is_said_at_the_top_of_the_tab(monkeypatch):
    panel = panels.banner.FACEWRIGHT_PT_engine
    assert not panel.poll(bpy.context)  # nobody has asked yet
    for state, words in (
        (LACKING, '/p lacks torch'),
        (
            environment.Environment('/p', '', '/p cannot be started (No such file).', ()),
            '/p cannot be started',
        ),
    ):
        monkeypatch.setattr(environment, 'known', lambda state=state: state)
        assert panel.poll(bpy.context)
        shown = draw(panel)
        assert (
            words in ' '.join(shown)
            and 'facewright.open_preferences' in shown
            and 'facewright.check_engine' in shown
        )
    many = tuple((f'p{k}', '1', None) for k in range(5))
    monkeypatch.setattr(
        environment, 'known', lambda: environment.Environment('/p', '3.11.9', 'lacks', many)
    )
    assert '/p lacks p0, p1, p2 and 2 more packages.' in said(panel)
    monkeypatch.setattr(
        environment, 'known', lambda: environment.Environment('/p', '3.11.9', None, ())
    )
    assert not panel.poll(bpy.context)
