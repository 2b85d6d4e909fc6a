"""Downloading ICT-FaceKit, from a server on this machine."""

import hashlib
import http.server
import io
import json
import re
import threading
import zipfile

import pytest

from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model import ict, ict_files
from facewright.engine.face_model.download import ICT_COMMIT, ICT_URL, download_ict
from facewright.engine.face_model.expressions import ICT_NAMES

FILES = {'generic_neutral_mesh.obj': b'v 0 0 0', 'jawOpen.obj': b'x' * 600_000}


@pytest.fixture(autouse=True)
def known(tmp_path_factory, monkeypatch):
    """The files above stand for ICT-FaceKit's."""
    path = tmp_path_factory.mktemp('known') / 'hashes.json'
    path.write_text(
        json.dumps({name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()})
    )
    monkeypatch.setattr(ict_files, 'HASHES', path)


def archive(kind: str = 'zip') -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, 'w') as z:
        for name, content in FILES.items():
            if not (kind == 'lacking' and name == 'jawOpen.obj'):
                z.writestr(
                    f'ICT-FaceKit-{ICT_COMMIT}/FaceXModel/{name}',
                    content[:-1] + b'y' if kind == 'other' else content,
                )
    return data.getvalue()


@pytest.fixture
def server():
    """A function: what to answer ('zip', 'nosize', 'short', 'page', 'missing') → url."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            kind = self.path.strip('/')
            data = archive(kind)
            self.send_response(404 if kind == 'missing' else 200)
            if kind != 'nosize':
                self.send_header(
                    'Content-Length', str(5 if kind in ('page', 'missing') else len(data))
                )
            self.end_headers()
            self.wfile.write(
                data[: len(data) // 2]
                if kind == 'short'
                else b'<html'
                if kind == 'page'
                else data
                if kind != 'missing'
                else b'oh no'
            )

        def log_message(self, *_):
            pass

    running = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield lambda kind: f'http://127.0.0.1:{running.server_port}/{kind}'
    running.shutdown()
    running.server_close()


def download(folder, scratch, url):
    """The path, and the fractions reported."""
    seen = []
    return download_ict(folder, scratch, seen.append, url=url), seen


@pytest.mark.parametrize('kind', ['zip', 'nosize'])
def test_the_archive_arrives_whole(server, tmp_path, kind):
    folder, scratch = tmp_path / 'modèles', tmp_path / 'job'
    path, seen = download(folder, scratch, server(kind))
    assert path.read_bytes() == archive() and seen and seen == sorted(seen) and seen[-1] <= 1
    assert list(folder.iterdir()) == [path] and list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    'kind, sentence',
    [
        ('short', 'could not be downloaded|not a zip'),
        ('page', 'not a zip'),
        ('missing', 'Not Found'),
        ('other', 'generic_neutral_mesh.obj in .* is not ICT-FaceKit'),
        ('lacking', 'lacks jawOpen.obj'),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_leaves_nothing(server, tmp_path, kind, sentence):
    with pytest.raises(FacewrightError, match=sentence):
        download(tmp_path / 'models', tmp_path / 'job', server(kind))
    assert list((tmp_path / 'models').iterdir()) == list((tmp_path / 'job').iterdir()) == []


def test_no_connection_and_no_folder_are_sentences(server, tmp_path):
    with pytest.raises(FacewrightError, match='check the connection'):
        download(tmp_path / 'models', tmp_path / 'job', 'http://127.0.0.1:9/')
    (tmp_path / 'file').write_text('')
    with pytest.raises(FacewrightError, match='could not be downloaded'):
        download(tmp_path / 'file' / 'models', tmp_path / 'job', server('zip'))


def test_stopping_halfway_leaves_nothing(server, tmp_path):
    def stop(fraction):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download_ict(tmp_path / 'models', tmp_path / 'job', stop, url=server('zip'))
    assert list((tmp_path / 'models').iterdir()) == list((tmp_path / 'job').iterdir()) == []


def test_it_is_pinned_to_a_commit():
    assert ICT_URL.endswith(f'/{ICT_COMMIT}.zip') and re.fullmatch('[0-9a-f]{40}', ICT_COMMIT)


def test_the_real_kit_is_what_is_pinned(shared_data, monkeypatch):
    """And every file that is read has its hash."""
    monkeypatch.undo()
    known = json.loads(ict_files.HASHES.read_text())
    assert set(known) == {
        ict.NEUTRAL,
        ict.INDICES,
        *(f'{n}.obj' for n in ICT_NAMES),
        *(f'identity{i:03d}.obj' for i in range(ict.IDENTITIES)),
    }
    ict_files.check_hashes(shared_data / 'ict-facekit.tar.xz')
