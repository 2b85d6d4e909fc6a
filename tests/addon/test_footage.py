"""The list of views, and footage behind the camera and in the sequencer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

from facewright.addon import api, paths
from facewright.addon.scene import actions

from .pictures import write_png
from .samples import make_clip, make_result


@pytest.fixture
def clip(tmp_path) -> Path:
    """30 frames of 29.97 fps, each 8 grey levels lighter than the one before, with sound."""
    path = tmp_path / 'clip mit ton ü.mp4'
    make_clip(path)
    return path


def names():
    return [v.label for v in bpy.context.scene.facewright.views]


@pytest.mark.parametrize(
    'name, beside, kind',
    [
        ('a.mp4', (), 'VIDEO'),
        ('a.MOV', (), 'VIDEO'),
        ('a.jpg', (), 'PHOTO'),
        ('a.tga', (), 'PHOTO'),
        ('IMG_0012.png', ('IMG_0013.png',), 'PHOTO'),
        ('f.0009.png', ('f.0010.png', 'f.0011.png'), 'SEQUENCE'),
        ('capture.json', (), 'CAPTURE'),
    ],
)
def test_what_a_file_is(tmp_path, name, beside, kind):
    for n in (name, *beside):
        (tmp_path / n).write_bytes(b'x')
    bpy.ops.facewright.add_footage(filepath=str(tmp_path / name))
    assert bpy.context.scene.facewright.views[0].kind == kind


def test_add_several_move_and_remove(tmp_path):
    for n in 'abc':
        (tmp_path / f'{n}.mp4').write_bytes(b'x')
    bpy.ops.facewright.add_footage(
        directory=str(tmp_path),
        files=[{'name': 'a.mp4'}, {'name': 'b.mp4'}],
        filepath=str(tmp_path / 'a.mp4'),
    )
    bpy.ops.facewright.add_footage(
        filepath=str(tmp_path / 'c.mp4'),
        name='Left',
        lens=28,
        offset=-0.1,
        start=1,
        end=2,
        kind='VIDEO',
    )
    assert names() == ['a', 'b', 'Left'] and bpy.context.scene.facewright.active_view == 2
    view = bpy.context.scene.facewright.views[2]
    assert (view.lens, view.offset, view.start, view.end) == (28, pytest.approx(-0.1), 1, 2)
    bpy.ops.facewright.move_footage(step=-1)
    assert names() == ['a', 'Left', 'b'] and bpy.context.scene.facewright.active_view == 1
    bpy.ops.facewright.remove_footage()
    bpy.ops.facewright.remove_footage(index=0)
    assert names() == ['b']
    with pytest.raises(RuntimeError, match='no view 5'):
        bpy.ops.facewright.remove_footage(index=5)
    with pytest.raises(RuntimeError, match='end of the list'):
        bpy.ops.facewright.move_footage(step=1)
    with pytest.raises(RuntimeError, match='There is no footage at'):
        bpy.ops.facewright.add_footage(filepath=str(tmp_path / 'none.mp4'))
    with pytest.raises(RuntimeError, match='No footage was given'):
        bpy.ops.facewright.add_footage(filepath='')
    assert names() == ['b']


@pytest.mark.parametrize(
    'name, content, words',
    [
        ('notes.txt', b'Take three, the good one.', 'is no footage'),
        ('scene.blend', b'BLENDER-v403', 'is no footage'),
        ('empty.mp4', b'', 'is empty'),
        ('other.json', b'{"a": 1}', 'lists no cameras'),
        ('folder', None, 'holds no images'),
    ],
)
@pytest.mark.parametrize('kind', ['AUTO', 'VIDEO'])
def test_what_is_no_footage_is_refused(tmp_path, name, content, words, kind):
    path = tmp_path / name
    path.mkdir() if content is None else path.write_bytes(content)
    if content is None and kind == 'VIDEO':
        pytest.skip('what a folder of a given kind lacks, the engine says')
    with pytest.raises(RuntimeError, match=words):
        bpy.ops.facewright.add_footage(filepath=str(path), kind=kind)
    assert names() == []


def test_of_several_files_all_are_added_or_none(tmp_path):
    for n, content in (('a.mp4', b'x'), ('b.txt', b'x')):
        (tmp_path / n).write_bytes(content)
    with pytest.raises(RuntimeError, match=r'b.txt is no footage'):
        bpy.ops.facewright.add_footage(
            directory=str(tmp_path), files=[{'name': 'a.mp4'}, {'name': 'b.txt'}]
        )
    assert names() == []


def test_only_what_was_given_reaches_the_engine(tmp_path):
    for n in ('a.mp4', 'capture.json'):
        (tmp_path / n).write_bytes(b'x')
        bpy.ops.facewright.add_footage(filepath=str(tmp_path / n))
    given = api.reconstruction(bpy.context.scene)
    assert given['sources'] == [
        {'path': str(tmp_path / 'a.mp4'), 'name': 'a', 'kind': 'video'},
        {'path': str(tmp_path / 'capture.json')},
    ]
    assert (
        given['neutral_frame'] is None
        and given['views'] == []
        and given['model'] == 'builtin'
        and given['out'] == '{job}/out'
    )


def test_a_sequence_has_a_rate_and_a_capture_cameras(tmp_path):
    for n in ('f01.png', 'capture.json', 'a.mp4'):
        (tmp_path / n).write_bytes(b'x')
    bpy.ops.facewright.add_footage(filepath=str(tmp_path / 'f01.png'), kind='SEQUENCE', fps=25)
    assert api.reconstruction(bpy.context.scene)['sources'][0] == {
        'path': str(tmp_path / 'f01.png'),
        'name': 'f01',
        'kind': 'sequence',
        'fps': 25,
    }
    bpy.ops.facewright.remove_footage()
    bpy.ops.facewright.add_footage(
        filepath=str(tmp_path / 'capture.json'), cameras='view_1, view 3'
    )
    bpy.ops.facewright.add_footage(filepath=str(tmp_path / 'a.mp4'))
    assert api.reconstruction(bpy.context.scene)['views'] == ['view_1', 'view 3', 'a']
    bpy.ops.facewright.add_footage(filepath=str(tmp_path / 'capture.json'))
    with pytest.raises(RuntimeError, match='name them for each'):
        bpy.ops.facewright.reconstruct()


@pytest.mark.parametrize('first', [0, 7])
def test_the_clip_lies_behind_the_camera_in_step(tmp_path, model, model_path, clip, first):
    make_result(tmp_path / 'r', model, model_path, frames=20, size=(64, 48), clip=clip, first=first)
    api.apply_result(bpy.context, tmp_path / 'r')
    camera = bpy.context.scene.camera.data
    assert camera.show_background_images and len(camera.background_images) == 1
    shown = camera.background_images[0]
    assert (shown.source, shown.display_depth) == ('MOVIE_CLIP', 'BACK')
    movie = shown.clip
    assert tuple(movie.size) == (64, 48) and movie.frame_start == 1 - first


@pytest.mark.parametrize(
    'turn, size', [(90, (48, 64)), (270, (48, 64)), (180, (64, 48)), (0, (64, 48))]
)
def test_a_phone_s_turned_clip_stands_upright(tmp_path, model, model_path, turn, size):
    """Blender 4.2 shows such a video as it is stored; later ones turn it themselves."""
    clip = tmp_path / 'turned.mp4'
    make_clip(clip, 20, turn)
    make_result(tmp_path / 'r', model, model_path, frames=20, size=size, clip=clip, flag=turn)
    api.apply_result(bpy.context, tmp_path / 'r')
    shown = bpy.context.scene.camera.data.background_images[0]
    if turn and bpy.app.version < (4, 4):
        assert (shown.rotation, shown.frame_method) == (pytest.approx(np.radians(turn)), 'FIT')
        assert shown.scale == pytest.approx(64 / 48 if turn % 180 else 1)
    else:
        assert shown.rotation == 0 and tuple(shown.clip.size) == size


def test_a_clip_that_blender_cannot_read_is_left_out(tmp_path, model, model_path):
    (tmp_path / 'odd.mp4').write_bytes(b'no video')
    for kind in ('video', 'photo'):
        make_result(
            tmp_path / kind, model, model_path, clip=tmp_path / 'odd.mp4', sound=True, kind=kind
        )
        api.apply_result(bpy.context, tmp_path / kind)
        assert len(bpy.context.scene.camera.data.background_images) == 0


def test_a_photo_lies_behind_the_camera(tmp_path, model, model_path):
    picture = bpy.data.images.new('p', 64, 48)
    picture.filepath_raw, picture.file_format = str(tmp_path / 'foto.png'), 'PNG'
    picture.save()
    make_result(
        tmp_path / 'r',
        model,
        model_path,
        frames=4,
        size=(64, 48),
        clip=tmp_path / 'foto.png',
        kind='photo',
    )
    api.apply_result(bpy.context, tmp_path / 'r')
    assert bpy.context.scene.camera.data.background_images[0].image.size[:] == (64, 48)


@pytest.mark.skipif(
    not bpy.app.build_options.audaspace, reason='this bpy module was built without sound'
)
@pytest.mark.parametrize('first', [0, 7])
def test_the_sound_is_in_step(tmp_path, model, model_path, clip, first):
    make_result(
        tmp_path / 'r',
        model,
        model_path,
        frames=20,
        size=(64, 48),
        clip=clip,
        first=first,
        sound=True,
    )
    api.apply_result(bpy.context, tmp_path / 'r')
    editor = bpy.context.scene.sequence_editor
    (strip,) = editor.strips if hasattr(editor, 'strips') else editor.sequences
    assert (
        strip.frame_final_start == 1
        and strip.frame_start == 1 - first
        and strip.frame_final_duration == 20
    )
    api.apply_result(bpy.context, tmp_path / 'r', sound=False, old_take='HIDE')
    assert len(editor.strips if hasattr(editor, 'strips') else editor.sequences) == 1 and strip.mute


def test_footage_that_has_gone_is_left_out(tmp_path, model, model_path):
    make_result(tmp_path / 'r', model, model_path, sound=True)
    api.apply_result(bpy.context, tmp_path / 'r')
    assert len(bpy.context.scene.camera.data.background_images) == 0


def test_look_through_takes_the_views_in_turn(tmp_path, model, model_path):
    views = [(f'v{i}', np.diag([1.0, -1.0, -1.0]), np.array([i, 0.0, 70.0])) for i in range(3)]
    make_result(tmp_path / 'r', model, model_path, views=views)
    api.apply_result(bpy.context, tmp_path / 'r')
    scene = bpy.context.scene
    seen = [scene.camera.name]
    scene.render.resolution_x = 99
    for _ in range(3):
        bpy.ops.facewright.look_through()
        seen.append(scene.camera.name)
    assert seen == ['v0', 'v1', 'v2', 'v0'] and scene.render.resolution_x == 640


STREAM = """
import sys
import av, numpy as np
with av.open(sys.argv[1], 'w', format='mpeg') as out:
    picture = out.add_stream('mpeg2video', rate=25)
    picture.width, picture.height, picture.pix_fmt = 64, 48, 'yuv420p'
    for i in range(30):
        grey = np.full((48, 64, 3), 8 * i, np.uint8)
        out.mux(picture.encode(av.VideoFrame.from_ndarray(grey, format='rgb24')))
    out.mux(picture.encode())
"""


@pytest.fixture
def stream(tmp_path) -> Path:
    """An MPEG program stream of 30 frames at 25 fps: Blender 4.2 as a module dies of opening it."""
    path = tmp_path / 'strom.mpg'
    subprocess.run([sys.executable, '-I', '-c', STREAM, str(path)], check=True)
    return path


def test_a_program_stream_is_never_opened_by_blender_itself(tmp_path, model, model_path, stream):
    make_result(tmp_path / 'r', model, model_path, frames=20, fps=25.0, size=(64, 48), clip=stream)
    head = api.apply_result(bpy.context, tmp_path / 'r')
    assert len(
        bpy.data.movieclips
    ) == 0 and 'strom.mpg is of a kind that Blender cannot show' in ' '.join(api.notes(head))


def test_a_program_stream_is_shown_through_a_clip_of_its_own(tmp_path, model, model_path, stream):
    make_result(
        tmp_path / 'r', model, model_path, frames=20, fps=25.0, size=(64, 48), clip=stream, first=4
    )
    half = paths.cache_folder() / 'clips' / '.0123abcd-0.mp4'  # what a killed Blender left
    half.parent.mkdir(parents=True)
    half.touch()
    os.utime(half, (1, 1))
    assert bpy.ops.facewright.apply_result(directory=str(tmp_path / 'r')) == {'FINISHED'}
    (clip,) = bpy.data.movieclips
    assert not half.exists()
    assert Path(bpy.path.abspath(clip.filepath)).parent.name == 'clips' and (
        clip.frame_start,
        clip.fps,
        clip.frame_duration,
    ) == (1, 25, 20)
    assert not [n for n in api.notes(bpy.context.object) if 'strom' in n]


def not_steady(folder: Path) -> Path:
    """Say in a result's report that its footage's own file is not shown as it was read."""
    report = json.loads((folder / 'report.json').read_text())
    report['views'][0]['steady'] = False
    (folder / 'report.json').write_text(json.dumps(report))
    return folder


def test_a_turned_photo_is_made_upright_when_its_result_is_imported(tmp_path, model, model_path):
    photo = tmp_path / 'a.png'
    write_png(photo, np.full((48, 64, 3), 120, np.uint8))
    make_result(
        tmp_path / 'r', model, model_path, frames=1, size=(64, 48), clip=photo, kind='photo'
    )
    assert api.result_job(bpy.context.scene, tmp_path / 'r') is None
    asked = api.result_job(bpy.context.scene, not_steady(tmp_path / 'r'))
    assert asked['result'] == str(tmp_path / 'r')
    told = ' '.join(api.notes(api.apply_result(bpy.context, tmp_path / 'r')))
    assert 'The photo behind front is turned by a tag' in told
    rate = actions.scene_fps(bpy.context.scene)
    clips = {'front': {'path': str(photo), 'rate': rate}}
    head = api.apply_result(bpy.context, tmp_path / 'r', scene_settings='KEEP', clips=clips)
    assert 'photo' not in ' '.join(api.notes(head))
    again = api.notes(api.apply_result(bpy.context, tmp_path / 'r'))
    assert 'The photo behind front is' in ' '.join(again)  # not front.001, as it is for a moment


def test_a_clip_made_for_another_rate_is_not_taken_for_right(tmp_path, model, model_path, clip):
    make_result(tmp_path / 'r', model, model_path, frames=20, size=(64, 48), clip=clip)
    clips = {'front': {'path': str(clip), 'rate': 99.0}}
    head = api.apply_result(bpy.context, not_steady(tmp_path / 'r'), clips=clips)
    assert 'The clip behind front keeps its own rate and drifts' in ' '.join(api.notes(head))


def shown_at(clip: bpy.types.MovieClip, frames) -> list[float]:
    """Mean grey (0..255) of what Blender shows of a clip at scene frames, through its
    compositor.
    """
    scene = bpy.context.scene
    (
        scene.render.resolution_x,
        scene.render.resolution_y,
        scene.render.engine,
        scene.cycles.samples,
    ) = 64, 48, 'CYCLES', 1
    scene.view_settings.view_transform = 'Standard'
    if hasattr(scene, 'compositing_node_group'):
        tree = scene.compositing_node_group = bpy.data.node_groups.new('Tree', 'CompositorNodeTree')
        tree.interface.new_socket('Image', in_out='OUTPUT', socket_type='NodeSocketColor')
        out = tree.nodes.new('NodeGroupOutput')
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        out = tree.nodes.new('CompositorNodeComposite')
    node = tree.nodes.new('CompositorNodeMovieClip')
    node.clip = clip
    tree.links.new(node.outputs[0], out.inputs[0])
    path, found = Path(bpy.app.tempdir) / 'shown.png', []
    for frame in frames:
        scene.frame_set(frame)
        scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(str(path))
        found.append(float(np.array(image.pixels[:]).reshape(-1, 4)[:, :3].mean() * 255))
        bpy.data.images.remove(image)
    return found


def test_the_clip_of_a_retimed_take_is_in_step_with_it(tmp_path, model, model_path, clip):
    """29.97 fps in a scene of 24: at every scene frame the picture nearest in time, each 8 greys
    lighter than the one before.
    """
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start = 24, 5
    make_result(tmp_path / 'r', model, model_path, frames=20, size=(64, 48), clip=clip, first=6)
    bpy.ops.facewright.apply_result(directory=str(tmp_path / 'r'), scene_settings='KEEP')
    (movie,) = bpy.data.movieclips
    assert (movie.frame_start, movie.fps, movie.frame_duration) == (5, 24, 17)
    frames = np.array([18, 5, 11, 21])
    assert (
        np.abs(
            shown_at(movie, frames.tolist())
            - 8 * (6 + np.round((frames - 5) / 24 * 30 / 1.001).clip(0, 19))
        ).max()
        < 5
    )


@pytest.mark.skipif(
    not bpy.app.build_options.audaspace, reason='this bpy module was built without sound'
)
@pytest.mark.parametrize('starts', [0.478, -0.1, 0.0])
@pytest.mark.parametrize('rate, first', [(24, 0), (30, 12)])
def test_sound_that_starts_apart_from_the_picture_is_in_step(
    tmp_path, model, model_path, clip, starts, rate, first
):
    """A strip shows the file's sound from its first sample on, wherever that lies on the
    picture's clock.
    """
    scene = bpy.context.scene
    scene.render.fps = rate
    make_result(
        tmp_path / 'r',
        model,
        model_path,
        frames=15,
        fps=30.0,
        size=(64, 48),
        clip=clip,
        first=first,
        sound=True,
    )
    report = json.loads((tmp_path / 'r' / 'report.json').read_text())
    report['views'][0] |= {'sound_start': starts, 'start': first / 30}
    (tmp_path / 'r' / 'report.json').write_text(json.dumps(report))
    api.apply_result(bpy.context, tmp_path / 'r', scene_settings='KEEP')
    (strip,) = (
        scene.sequence_editor.strips
        if hasattr(scene.sequence_editor, 'strips')
        else scene.sequence_editor.sequences
    )
    assert strip.frame_start + strip.sound_offset * rate == pytest.approx(
        1 + (starts - first / 30) * rate, abs=1e-4
    )
    assert (
        strip.frame_final_start >= 1
        and strip.frame_final_end <= 1 + int(np.ceil(14 / 30 * rate)) + 1
    )


CASES = Path(__file__).resolve().parents[3] / 'shared' / 'data' / 'cases' / 'video'


@pytest.mark.skipif(
    not CASES.exists() or not bpy.app.build_options.audaspace,
    reason='needs ../shared/data/cases, and sound',
)
@pytest.mark.parametrize(
    'name, starts',
    [
        ('audio_in_step.mp4', 0.0),
        ('audio_starts_late.mp4', 0.478),
        ('audio_starts_late.mkv', 0.494),
    ],
)
def test_the_beep_is_heard_with_its_picture(tmp_path, model, model_path, name, starts):
    """Picture 31 of the cases comes with a beep."""
    aud = pytest.importorskip('aud')
    make_result(
        tmp_path / 'r', model, model_path, frames=72, fps=30.0, clip=CASES / name, sound=True
    )
    report = json.loads((tmp_path / 'r' / 'report.json').read_text())
    report['views'][0] |= {'sound_start': starts, 'start': 0.0}
    (tmp_path / 'r' / 'report.json').write_text(json.dumps(report))
    api.apply_result(bpy.context, tmp_path / 'r')
    bpy.ops.sound.mixdown(filepath=str(tmp_path / 'mix.wav'), container='WAV', codec='PCM')
    sound = aud.Sound(str(tmp_path / 'mix.wav'))
    heard = 1 + 30 * np.argmax(np.abs(sound.data()[:, 0]) > 0.1) / sound.specs[0]
    assert heard == pytest.approx(31, abs=0.1)
