"""Compare with Model: heads of the small face model whose shapes are their own, with the fake
engine.
"""

import bpy
import numpy as np
import pytest
from mathutils import Matrix
from personal_rig import smooth_offsets

from facewright.addon import api, models, panels
from facewright.addon.scene import comparison, heads, records, shape_keys, units
from facewright.engine.face_model.expressions import ICT_NAMES

from .samples import coordinates
from .test_panels import Layout, draw, said

LEAST = 1e-6  # m: a record's step, and more than what float32 positions lose


@pytest.fixture
def person(worker, model):
    """A head whose mouthSmile_L is 3 mm off the model's at one place, and whose jawOpen is half as
    large again; the other shapes are the model's.
    """
    own = model.expressions.astype(float)
    own[ICT_NAMES.index('mouthSmile_L')] += smooth_offsets(model.neutral, (0, 0, 9), 0.3)
    own[ICT_NAMES.index('jawOpen')] *= 1.5
    neutral = model.neutral + 0.5 * model.identities[0]
    head = heads.create_head('Person', model, neutral, own, ICT_NAMES)
    head.select_set(True)
    bpy.context.view_layer.objects.active = head
    return head


def activate(head, name):
    head.active_shape_key_index = head.data.shape_keys.key_blocks.find(name)
    return head.data.shape_keys.key_blocks[name]


def shape(head, name) -> np.ndarray:
    return shape_keys.offsets_of(head.data.shape_keys.key_blocks[name])


def points(head) -> dict[str, np.ndarray]:
    return {k.name: coordinates(k.points) for k in head.data.shape_keys.key_blocks}


def plain(model, name) -> np.ndarray:
    return units.points_to_blender(model.expressions[ICT_NAMES.index(name)])


def numbers(head) -> np.ndarray:
    out = np.empty(len(head.data.vertices), np.float32)
    head.data.attributes['Difference (mm)'].data.foreach_get('value', out)
    return out


def test_keys_are_measured_and_the_active_one_coloured(person, model):
    activate(person, 'mouthSmile_L')
    before = points(person)
    bpy.ops.facewright.compare_with_model()
    keys = person.data.shape_keys
    found = comparison.figures(keys)
    assert len(found) == 54 and found['mouthSmile_L'].largest == pytest.approx(3.0, abs=0.02)
    assert 0 < found['mouthSmile_L'].mean < 3.0 and found['browDown_L'].none
    jaw = 10 * np.linalg.norm(model.expressions[ICT_NAMES.index('jawOpen')], axis=1)
    assert found['jawOpen'].largest == pytest.approx(0.5 * jaw.max(), rel=1e-3)
    assert person.data.color_attributes.active_color.name == 'Difference'
    assert numbers(person).max() == pytest.approx(3.0, abs=0.02)
    assert person.show_only_shape_key and person.active_shape_key.name == 'mouthSmile_L'
    told = bpy.context.scene.facewright.shapes.report
    assert "2 of 53 shapes differ from the model's" in told and 'The neutral differs' in told
    assert all(np.array_equal(now, before[name]) for name, now in points(person).items())
    bpy.ops.facewright.hide_difference()
    assert person.data.color_attributes.active_color.name == 'Albedo'
    assert 'Difference' not in person.data.color_attributes and not person.show_only_shape_key
    assert 'Difference (mm)' not in person.data.attributes


def test_the_basis_is_compared_with_the_mean_head(person, model):
    activate(person, 'Basis')
    bpy.ops.facewright.compare_with_model()
    expected = 10 * 0.5 * np.linalg.norm(model.identities[0], axis=1)
    assert numbers(person).mean() == pytest.approx(expected.mean(), rel=0.1)
    assert comparison.shown_key(person.data.shape_keys) == 'Basis'
    assert 'of the neutral' not in bpy.context.scene.facewright.shapes.report


def test_another_key_is_shown_and_unpinning_takes_the_colours_off(person):
    with pytest.raises(RuntimeError, match='not been compared yet: press Compare with Model'):
        bpy.ops.facewright.show_difference(key='jawOpen')
    bpy.ops.facewright.compare_with_model()
    bpy.ops.facewright.show_difference(key='mouthSmile_L')
    assert comparison.scale_of(person.data.shape_keys).largest == 4  # it differs by 3 mm
    bpy.ops.facewright.blend_with_model(share=0.25)
    assert comparison.scale_of(person.data.shape_keys).largest == 4  # the colours grow weaker
    assert numbers(person).max() == pytest.approx(0.75, abs=0.02)
    bpy.ops.facewright.show_difference(key='jawOpen')
    assert person.active_shape_key.name == 'jawOpen'
    bpy.ops.facewright.unpin_shape_keys()
    assert 'Difference' not in person.data.color_attributes and not person.show_only_shape_key


def test_a_head_with_the_model_s_own_shapes_is_told_so(worker):
    bpy.ops.facewright.add_head()
    bpy.ops.facewright.compare_with_model()
    told = bpy.context.scene.facewright.shapes.report
    assert told.startswith("This head's shapes are the model's own.")
    assert "The neutral is the model's mean head." in told
    activate(bpy.context.object, 'jawOpen')
    before = points(bpy.context.object)
    assert api.blend_with_model(bpy.context, 0.0) == [
        "Nothing to blend: these shapes are the model's own."
    ]
    after = points(bpy.context.object)
    assert all(np.array_equal(after[name], before[name]) for name in before)


def test_blending_to_plain_and_back(person, model):
    activate(person, 'mouthSmile_L')
    before, own = points(person), shape(person, 'mouthSmile_L')
    bpy.ops.facewright.compare_with_model()
    bpy.ops.facewright.blend_with_model(share=1.0)
    assert np.array_equal(points(person)['mouthSmile_L'], before['mouthSmile_L'])
    bpy.ops.facewright.blend_with_model(share=0.0)
    smile = plain(model, 'mouthSmile_L')
    assert np.allclose(shape(person, 'mouthSmile_L'), smile, atol=LEAST)
    assert comparison.figures(person.data.shape_keys)['mouthSmile_L'].none
    assert numbers(person).max() < 0.01  # the colours follow
    bpy.ops.facewright.blend_with_model(share=0.25)
    mixed = 0.75 * smile + 0.25 * own
    assert np.allclose(shape(person, 'mouthSmile_L'), mixed, atol=LEAST)
    bpy.ops.facewright.blend_with_model(share=1.0)
    assert np.allclose(shape(person, 'mouthSmile_L'), own, atol=LEAST)
    others = points(person)
    assert all(np.array_equal(others[n], before[n]) for n in before if n != 'mouthSmile_L')


def test_blending_all_keys_in_a_region(person, model):
    bpy.ops.facewright.compare_with_model()
    before = points(person)
    person.vertex_groups.new(name='Half').add(list(range(300)), 0.5, 'REPLACE')
    bpy.ops.facewright.blend_with_model(share=0.0, keys='ALL', where='GROUP', group='Half')
    after = points(person)
    assert all(np.array_equal(after[name][300:], before[name][300:]) for name in before)
    for name in ('mouthSmile_L', 'jawOpen'):
        half = 0.5 * (before[name] - before['Basis']) + 0.5 * plain(model, name)
        assert np.allclose((after[name] - after['Basis'])[:300], half[:300], atol=LEAST)
    bpy.ops.facewright.blend_with_model(share=1.0, keys='ALL')
    for name, now in points(person).items():
        assert np.allclose(now, before[name], atol=LEAST)


def test_blending_back_after_saving(person, tmp_path):
    activate(person, 'jawOpen')
    own = shape(person, 'jawOpen')
    bpy.ops.facewright.compare_with_model()
    bpy.ops.facewright.blend_with_model(share=0.0)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / 'kopf ü.blend'))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / 'kopf ü.blend'))
    head = bpy.data.objects['Person']
    assert np.abs(shape(head, 'jawOpen') - own).max() > 1e-4
    api.blend_with_model(bpy.context, 1.0)
    assert np.allclose(shape(head, 'jawOpen'), own, atol=LEAST)


@pytest.mark.parametrize('keep', [True, False])
def test_hand_edits_stay_on_top_or_are_said_to_go(person, model, keep):
    key = activate(person, 'mouthSmile_L')
    edit = np.zeros((len(person.data.vertices), 3))
    edit[40:60] = 0, 0, 0.004
    shape_keys.set_offsets(key, shape(person, key.name) + edit)
    bpy.ops.facewright.compare_with_model()
    told = api.blend_with_model(bpy.context, 0.0, keep_edits=keep)
    expected = plain(model, key.name) + (edit if keep else 0)
    assert np.allclose(shape(person, key.name), expected, atol=LEAST)
    word = 'kept' if keep else 'discarded'
    assert f'Your changes to mouthSmile_L are {word}' in ' '.join(told)
    # edits since a blend are told from it, those before are known still
    edit[70:80] = 0.003, 0, 0
    shape_keys.set_offsets(key, plain(model, key.name) + edit)
    assert 'are kept' in ' '.join(api.blend_with_model(bpy.context, 0.0))
    assert np.allclose(shape(person, key.name), plain(model, key.name) + edit, atol=LEAST)
    assert np.allclose(
        records.edit(person.data.shape_keys, key.name, shape(person, key.name)), edit, atol=LEAST
    )


def test_the_other_tools_go_on_from_a_blend(person, model):
    key = activate(person, 'jawOpen')
    own = shape(person, key.name)
    bpy.ops.facewright.compare_with_model()
    bpy.ops.facewright.blend_with_model(share=0.0)
    blended = shape(person, key.name)
    with pytest.raises(RuntimeError, match='have not been edited since'):
        bpy.ops.facewright.fix_cavities(keys='EDITED')
    bpy.ops.facewright.scale_shape_key(strength=2.0)
    bpy.ops.facewright.reset_shape_key_region(to='GENERATED')
    assert np.allclose(shape(person, key.name), blended, atol=LEAST)
    bpy.ops.facewright.settle_shape_keys()  # moves five vertices by 2 mm
    moved = shape(person, key.name) - blended
    assert np.abs(moved).max() == pytest.approx(0.002, abs=LEAST)
    assert 'changes' not in ' '.join(api.blend_with_model(bpy.context, 1.0))
    assert np.allclose(shape(person, key.name), own + moved, atol=LEAST)


def test_a_key_whose_cavities_followed_an_edit_is_blended_without_it(person):
    key = activate(person, 'mouthSmile_L')
    edit = np.zeros((len(person.data.vertices), 3))
    edit[40:60] = 0, 0, 0.004
    shape_keys.set_offsets(key, shape(person, key.name) + edit)
    bpy.ops.facewright.fix_cavities(keys='ACTIVE')
    bpy.ops.facewright.compare_with_model()
    own = shape(person, key.name)
    for share in (0.0, 1.0):
        assert 'are kept' in ' '.join(api.blend_with_model(bpy.context, share))
        with pytest.raises(RuntimeError, match='has not been edited since'):
            bpy.ops.facewright.fix_cavities(keys='ACTIVE')
    assert np.allclose(shape(person, key.name), own, atol=LEAST)


def test_two_sides_that_become_one_key_know_the_way_back(person):
    keys = person.data.shape_keys
    halves = 'browInnerUp_L', 'browInnerUp_R'
    own = 1.3 * shape(person, halves[0])
    shape_keys.set_offsets(keys.key_blocks[halves[0]], own)
    records.write(keys, halves[0], own)
    whole = own + shape(person, halves[1])
    activate(person, halves[0])
    bpy.ops.facewright.compare_with_model()
    bpy.ops.facewright.blend_with_model(share=0.0)
    bpy.ops.facewright.rename_shape_keys(naming='ARKIT')
    assert comparison.blended_keys(keys) == ['browInnerUp']
    assert not np.allclose(shape(person, 'browInnerUp'), whole, atol=LEAST)
    activate(person, 'browInnerUp')
    bpy.ops.facewright.blend_with_model(share=1.0)
    assert np.allclose(shape(person, 'browInnerUp'), whole, atol=LEAST)
    bpy.ops.facewright.blend_with_model(share=0.0)
    bpy.ops.facewright.rename_shape_keys(naming='ICT')
    bpy.ops.facewright.blend_with_model(share=1.0, keys='ALL')
    assert np.allclose(sum(shape(person, half) for half in halves), whole, atol=LEAST)


def test_sliders_animation_and_the_rest_are_left_alone(person):
    keys = person.data.shape_keys
    key = activate(person, 'jawOpen')
    key.slider_min, key.slider_max, key.value, key.mute = -1, 2, 0.4, True
    key.keyframe_insert('value', frame=3)
    keys.key_blocks['mouthSmile_L'].driver_add('value').driver.expression = '0.25'
    locked = keys.key_blocks['mouthSmile_L']
    locked.lock_shape = True
    before = points(person)
    order = [k.name for k in keys.key_blocks]
    bpy.ops.facewright.compare_with_model()
    bpy.ops.facewright.blend_with_model(share=0.0, keys='ALL')
    assert np.array_equal(points(person)['mouthSmile_L'], before['mouthSmile_L'])
    assert not np.array_equal(points(person)['jawOpen'], before['jawOpen'])
    assert (key.slider_min, key.slider_max, key.mute) == (-1, 2, True)
    assert key.value == pytest.approx(0.4) and [k.name for k in keys.key_blocks] == order
    assert keys.animation_data.action is not None and len(keys.animation_data.drivers) == 1
    activate(person, 'mouthSmile_L')
    with pytest.raises(RuntimeError, match='mouthSmile_L is locked'):
        bpy.ops.facewright.blend_with_model(share=0.0)


def test_what_cannot_be_blended_is_a_sentence(person, model_path):
    activate(person, 'jawOpen')
    with pytest.raises(RuntimeError, match='jawOpen has not been compared with the model yet'):
        bpy.ops.facewright.blend_with_model(share=0.0)
    bpy.ops.facewright.compare_with_model()
    person.shape_key_add(name='mine')
    activate(person, 'mine')
    with pytest.raises(RuntimeError, match="mine is none of the face model's shapes"):
        bpy.ops.facewright.blend_with_model(share=0.0)
    activate(person, 'Basis')
    with pytest.raises(RuntimeError, match='is the Basis'):
        bpy.ops.facewright.blend_with_model(share=0.0)
    models.forget()
    bpy.context.scene.facewright.model_path = '/nowhere/ICT'
    activate(person, 'jawOpen')
    before = points(person)
    with pytest.raises(RuntimeError, match='no face model at /nowhere/ICT'):
        bpy.ops.facewright.blend_with_model(share=0.0)
    assert all(np.array_equal(now, before[name]) for name, now in points(person).items())


def test_another_mesh_is_a_sentence(worker):
    bpy.ops.mesh.primitive_cube_add()
    with pytest.raises(RuntimeError, match="not the face model's own topology"):
        bpy.ops.facewright.compare_with_model()


def test_keys_that_somebody_else_made_are_blended_and_come_back(person, model):
    keys = person.data.shape_keys
    del keys[records.PROPERTY]
    activate(person, 'jawOpen')
    own = shape(person, 'jawOpen')
    bpy.ops.facewright.compare_with_model()
    bpy.ops.facewright.blend_with_model(share=0.0)
    assert np.allclose(shape(person, 'jawOpen'), plain(model, 'jawOpen'), atol=LEAST)
    assert not shape_keys.ours_alone(person)
    bpy.ops.facewright.blend_with_model(share=1.0)
    assert np.allclose(shape(person, 'jawOpen'), own, atol=LEAST)


def test_arkit_s_names_and_renaming_in_between(person, model):
    own = {n: shape(person, n) for n in ('mouthSmile_L', 'browInnerUp_L', 'jawOpen')}
    bpy.ops.facewright.compare_with_model()
    bpy.ops.facewright.blend_with_model(share=0.0, keys='ALL')
    bpy.ops.facewright.rename_shape_keys(naming='ARKIT')
    found = comparison.figures(person.data.shape_keys)
    assert found['mouthSmileLeft'].none and 'mouthSmile_L' not in found
    bpy.ops.facewright.blend_with_model(share=1.0, keys='ALL')
    assert np.allclose(shape(person, 'mouthSmileLeft'), own['mouthSmile_L'], atol=LEAST)
    bpy.ops.facewright.compare_with_model()
    assert len(comparison.figures(person.data.shape_keys)) == 52
    bpy.ops.facewright.rename_shape_keys(naming='ICT')
    for name, offsets in own.items():
        assert np.allclose(shape(person, name), offsets, atol=LEAST), name


def test_in_another_unit_millimetres_are_the_head_s(person):
    person.data.transform(Matrix.Scale(100, 4), shape_keys=True)
    activate(person, 'mouthSmile_L')
    bpy.ops.facewright.compare_with_model()
    found = comparison.figures(person.data.shape_keys)['mouthSmile_L']
    assert found.largest == pytest.approx(3.0, rel=0.05)


def test_one_undo_step_each(person):
    activate(person, 'jawOpen')
    bpy.ops.facewright.compare_with_model()
    bpy.ops.ed.undo_push(message='Compared')
    own = shape(person, 'jawOpen')
    bpy.ops.facewright.blend_with_model('EXEC_DEFAULT', True, share=0.0)
    bpy.ops.ed.undo()
    head = bpy.data.objects['Person']
    assert np.array_equal(shape(head, 'jawOpen'), own)
    assert records.read(head.data.shape_keys, 'jawOpen', 'personal') is None


def test_the_panel_shows_figures_legend_and_slider(person):
    panel = panels.shape_keys.FACEWRIGHT_PT_shape_keys_comparison
    assert draw(panel) == ['facewright.compare_with_model']
    activate(person, 'mouthSmile_L')
    bpy.ops.facewright.compare_with_model()
    words = said(panel)
    for part in (
        '2 of 53 shapes differ',
        'FACEWRIGHT_UL_differences',
        'Difference: blue 0 mm, green 1, yellow 2, red 4 mm and more.',
        'facewright.blend_with_model',
        'share',
        'where',
    ):
        assert part in words, part
    activate(person, 'jawOpen')
    assert 'Difference of mouthSmile_L: blue 0 mm' in said(panel)
    bpy.ops.facewright.blend_with_model(share=0.0)
    words = said(panel)
    assert '1 of 53 shapes differs' in words and 'jawOpen is blended: with Personal at 1' in words
    bpy.ops.facewright.blend_with_model(share=1.0)
    assert 'blended:' not in said(panel)
    assert 'shapes differ' not in said(panels.shape_keys.FACEWRIGHT_PT_shape_keys)


def test_rows_of_shape_keys_and_their_differences(person):
    bpy.ops.facewright.compare_with_model()
    keys = person.data.shape_keys
    found = comparison.figure(keys, 'mouthSmile_L')
    rows = panels.shape_keys.FACEWRIGHT_UL_differences
    person.shape_key_add(name='mine')
    for name, words in (
        ('mouthSmile_L', f'{found.mean:.2f}, {found.largest:.2f}'),
        ('browDown_L', 'the same'),
        ('mine', ''),
    ):
        layout = Layout()
        rows.draw_item(None, bpy.context, layout, keys, keys.key_blocks[name], 0, None, '')
        shows = ['facewright.show_difference'] if words else []
        assert layout.drawn == [*shows, name, words]
