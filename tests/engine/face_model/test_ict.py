"""Reading ICT-FaceKit: folder, zip, tar; damaged ones say what is wrong.

A shrunken copy of the format stands for the real one.
"""

import io
import json
import re
import stat
import tarfile
import zipfile

import numpy as np
import pytest

from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model import cached_model_path, ict, ict_files, load_model
from facewright.engine.face_model.expressions import ICT_NAMES
from facewright.engine.face_model.store import read_model, write_model

VERTICES = 80


@pytest.fixture
def files(monkeypatch):
    """The files of a small model: 80 vertices, 3 identities, all 53 expressions."""
    monkeypatch.setattr(ict, 'VERTICES', VERTICES)
    monkeypatch.setattr(ict, 'IDENTITIES', 3)
    rng = np.random.default_rng(0)
    neutral = rng.normal(size=(VERTICES, 3))

    def obj(v, surface=False):
        lines = (
            ['# ICT FaceKit', 'mtllib x.mtl']
            + [f'v {x:.6f} {y:.6f} {z:.6f}' for x, y, z in v]
            + [f'vt {i / 9:.4f} 0.5000' for i in range(8)]
        )
        if surface:
            lines += [
                'usemtl M_Face',
                'f 1/1 2/2 3/3 4/4',
                'f 5/5 6/6 7/7',
                'usemtl M_Teeth',
                'f 2/2 3/3 4/4 5/5',
            ]
        return ('\n'.join(lines) + '\n').encode()

    made = {
        'generic_neutral_mesh.obj': obj(neutral, True),
        'vertex_indices.json': json.dumps({'idx_to_landmark_verts': list(range(68))}).encode(),
    }
    for i, name in enumerate([*ICT_NAMES, *(f'identity{k:03d}' for k in range(3))]):
        made[f'{name}.obj'] = obj(neutral + (i + 1) * 0.01)
    return made


def folder_of(files, path):
    (path / 'FaceXModel').mkdir(parents=True)
    for name, data in files.items():
        (path / 'FaceXModel' / name).write_bytes(data)
    return path


def zip_of(files, path, prefix='ICT-FaceKit-master/FaceXModel/'):
    with zipfile.ZipFile(path, 'w') as z:
        for name, data in files.items():
            z.writestr(prefix + name, data)
    return path


def tar_of(files, path, prefix='FaceXModel/'):
    with tarfile.open(path, 'w:xz') as t:
        for name, data in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return path


def test_folder_zip_and_tar_agree(files, tmp_path):
    models = [
        ict.read_ict(folder_of(files, tmp_path / 'a folder é')),
        ict.read_ict(zip_of(files, tmp_path / 'kit.zip')),
        ict.read_ict(tar_of(files, tmp_path / 'kit.tar.xz')),
    ]
    for model in models:
        np.testing.assert_allclose(model.expressions[5], 0.06, atol=1e-5)
        np.testing.assert_allclose(model.identities[2], 0.56, atol=1e-5)
        assert model.faces.tolist() == [[0, 1, 2, 3], [4, 5, 6, -1], [1, 2, 3, 4]]
        assert model.materials == ('Face', 'Teeth') and model.face_materials.tolist() == [0, 0, 1]
        assert (model.neutral == models[0].neutral).all()


@pytest.mark.parametrize(
    'spoil,says',
    [
        (lambda f: f.pop('jawOpen.obj'), 'lacks jawOpen.obj'),
        (lambda f: f.pop('vertex_indices.json'), 'lacks vertex_indices.json'),
        (
            lambda f: f.update({'vertex_indices.json': b'{"idx_to_landmark_verts": [1, 2]}'}),
            'no 68 landmark',
        ),
        (lambda f: f.update({'vertex_indices.json': b'not json'}), 'no 68 landmark'),
        (
            lambda f: f.update({'jawOpen.obj': f['jawOpen.obj'].replace(b'\nv ', b'\nx ', 1)}),
            'jawOpen.obj',
        ),
        (lambda f: f.update({'jawOpen.obj': f['jawOpen.obj'][:400]}), 'jawOpen.obj'),
        (lambda f: f.update({'jawOpen.obj': b''}), 'jawOpen.obj'),
        (lambda f: f.update({'identity001.obj': _with_nan(f['identity001.obj'])}), 'NaN'),
        (
            lambda f: f.update(
                {
                    'generic_neutral_mesh.obj': f['generic_neutral_mesh.obj'].replace(
                        b'f 1/1', b'f x/1'
                    )
                }
            ),
            'cannot be read',
        ),
        (
            lambda f: f.update(
                {
                    'generic_neutral_mesh.obj': f['generic_neutral_mesh.obj'].replace(
                        b'f 1/1', b'f 900/1'
                    )
                }
            ),
            'missing vertices',
        ),
    ],
)
def test_damage_is_named(files, tmp_path, spoil, says):
    spoil(files)
    with pytest.raises(FacewrightError, match=says):
        ict.read_ict(folder_of(files, tmp_path / 'kit'))


def _with_nan(data):
    at = data.index(b'\nv ') + 3
    return data[:at] + b'nan' + data[data.index(b' ', at) :]


@pytest.mark.parametrize(
    'name',
    [
        '../outside.obj',
        '/etc/outside.obj',
        'FaceXModel/../../outside.obj',
        'C:\\outside.obj',
        '..\\outside.obj',
    ],
)
@pytest.mark.parametrize('pack,suffix', [(zip_of, 'kit.zip'), (tar_of, 'kit.tar.xz')])
def test_archives_that_lead_outside_are_refused(files, tmp_path, name, pack, suffix):
    path = pack(
        {name: b'x', **{f'FaceXModel/{n}': d for n, d in files.items()}},
        tmp_path / suffix,
        prefix='',
    )
    with pytest.raises(FacewrightError, match='leads outside'):
        ict.read_ict(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [suffix]


def test_archives_beyond_every_measure_are_refused(files, tmp_path, monkeypatch):
    """A size for one file, for all, and a number of them; links; the same file twice."""
    for pack, suffix in ((zip_of, 'kit.zip'), (tar_of, 'kit.tar.xz')):
        for limit, value, says in (
            ('FILE_LIMIT', 500, 'far larger'),
            ('TOTAL_LIMIT', 9000, 'far more'),
            ('MEMBER_LIMIT', 9, 'far more'),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(ict_files, limit, value)
                with pytest.raises(FacewrightError, match=says):
                    ict.read_ict(pack(files, tmp_path / suffix))
        twice = {
            f'{folder}/FaceXModel/{name}': data for folder in 'ab' for name, data in files.items()
        }
        with pytest.raises(FacewrightError, match='twice'):
            ict.read_ict(pack(twice, tmp_path / suffix, prefix=''))
    with monkeypatch.context() as patch, pytest.raises(FacewrightError, match='far larger'):
        patch.setattr(ict_files, 'FILE_LIMIT', 500)
        ict.read_ict(folder_of(files, tmp_path / 'kit'))


def test_a_bomb_is_refused_by_what_it_says_of_itself(tmp_path):
    """40 MB of zeros in 40 kB."""
    with zipfile.ZipFile(tmp_path / 'bomb.zip', 'w', zipfile.ZIP_DEFLATED) as z:
        z.writestr('x/FaceXModel/jawOpen.obj', bytes(40 << 20))
    with pytest.raises(FacewrightError, match='far larger'):
        ict.read_ict(tmp_path / 'bomb.zip')


def test_links_are_refused(files, tmp_path):
    info = zipfile.ZipInfo('ICT-FaceKit-master/FaceXModel/jawOpen.obj')
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / 'kit.zip', 'w') as z:
        z.writestr(info, '/etc/passwd')
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        with tarfile.open(tmp_path / 'kit.tar', 'w') as t:
            link = tarfile.TarInfo('FaceXModel/jawOpen.obj')
            link.type, link.linkname = kind, '/etc/passwd'
            t.addfile(link)
        for name in ('kit.zip', 'kit.tar'):
            with pytest.raises(FacewrightError, match='holds the link'):
                ict.read_ict(tmp_path / name)


def test_an_encrypted_archive_is_said(files, tmp_path):
    path = zip_of(files, tmp_path / 'kit.zip')
    data = bytearray(path.read_bytes())
    for at in [m.start() for m in re.finditer(b'PK\x01\x02', bytes(data))]:
        data[at + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(FacewrightError, match=r'damaged archive .*password'):
        ict.read_ict(path)


def test_what_is_no_model_is_said(tmp_path):
    (tmp_path / 'text.zip').write_text('no archive')
    (tmp_path / 'empty').mkdir()
    for path, says in (
        (tmp_path / 'text.zip', 'neither a folder nor'),
        (tmp_path / 'empty', 'holds no'),
        (tmp_path / 'nowhere', 'no face model'),
    ):
        with pytest.raises(FacewrightError, match=says):
            load_model(str(path))


def test_truncated_archives_are_said(files, tmp_path):
    for pack, name in ((zip_of, 'kit.zip'), (tar_of, 'kit.tar.xz')):
        path = pack(files, tmp_path / name)
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(FacewrightError, match=r'damaged|neither|download'):
            ict.read_ict(path)


def test_cache_is_the_model_and_knows_changed_files(files, tmp_path, monkeypatch):
    monkeypatch.setenv('FACEWRIGHT_CACHE', str(tmp_path / 'cache'))
    kit = folder_of(files, tmp_path / 'kit')
    first, again = load_model(str(kit)), load_model(str(kit))
    for key in ('neutral', 'expressions', 'identities', 'faces', 'uvs', 'face_uvs', 'landmarks68'):
        assert (getattr(first, key) == getattr(again, key)).all()
    assert first.regions.keys() == again.regions.keys() and first.names == again.names
    before = cached_model_path(str(kit))
    (kit / 'FaceXModel' / 'jawOpen.obj').write_bytes(files['jawOpen.obj'] + b'\n')
    assert cached_model_path(str(kit)) != before


def test_a_spoilt_cache_is_said(files, tmp_path):
    path = tmp_path / 'model.npz'
    write_model(path, ict.read_ict(folder_of(files, tmp_path / 'kit')))
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(FacewrightError):
        read_model(path)


def test_the_real_kit(shared_data, tmp_path):
    kit = shared_data / 'ict-facekit.tar.xz'
    load_model(str(kit))
    model = load_model(str(kit))
    assert (
        model.vertex_count == 26719
        and model.identities.shape == (100, 26719, 3)
        and model.expressions.shape == (54, 26719, 3)
    )
    assert cached_model_path(str(kit)).stat().st_size < 60e6
    assert sorted(np.unique(model.face_materials)) == list(range(len(model.materials)))
    left = model.neutral[model.regions['eyeball_L']]
    assert left[:, 0].min() > 0
