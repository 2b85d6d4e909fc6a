"""ICT-FaceKit from GitHub, on the user's click only. Standard library; the server's certificate is checked."""
from __future__ import annotations

import contextlib
import http.client
import os
import ssl
import urllib.error
import urllib.request
import zipfile
from collections.abc import Generator
from pathlib import Path

from ..errors import FacewrightError
from ..progress import Progress

ICT_URL = 'https://github.com/ICT-VGL/ICT-FaceKit/archive/refs/heads/master.zip'
ICT_ZIP = 'ICT-FaceKit.zip'
GUESS = 250e6    # bytes, for the bar alone: GitHub does not tell the size of an archive it makes on the fly
PIECE = 1 << 18
PATIENCE = 30.   # s without a byte


def download_ict(folder: Path, scratch: Path | None = None, url: str = ICT_URL) -> Generator[Progress, None, Path]:
    """Download ICT-FaceKit's zip into `folder` and return its path; one that is there already is kept.

    The file grows in `scratch` (default: the folder) and takes its place when it is whole. Raises FacewrightError.
    """
    path = Path(folder) / ICT_ZIP
    if path.exists() and zipfile.is_zipfile(path):
        return path
    part = Path(scratch or folder) / (ICT_ZIP + '.part')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(urllib.request.Request(url, headers={'User-Agent': 'Facewright'}), timeout=PATIENCE, context=_certificates()) as response:
            total, done = int(response.headers.get('Content-Length') or 0), 0
            with open(part, 'wb') as stream:
                while piece := response.read(PIECE):
                    stream.write(piece)
                    done += len(piece)
                    yield Progress(min(done / (total or GUESS), .99), f'Downloading, {done / 1e6:.0f} MB')
        if total and done < total:
            raise FacewrightError('The download of ICT-FaceKit broke off: try again.')
        if not zipfile.is_zipfile(part):
            raise FacewrightError(f'{url} did not send a zip archive: download ICT-FaceKit in a browser and import it.')
        os.replace(part, path)
        return path
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise FacewrightError(f'ICT-FaceKit could not be downloaded ({getattr(error, "reason", None) or error}): check the connection, or download it in a browser and import it.') from error
    except OSError as error:
        raise FacewrightError(f'Cannot write {path} ({error.strerror or error}): choose a folder you can write to, with space left.') from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _certificates() -> ssl.SSLContext:
    """The system's certificates, or certifi's where there is one: Blender's own Python on macOS knows no others."""
    try:
        import certifi
        return ssl.create_default_context(cafile=certifi.where())
    except ImportError:
        return ssl.create_default_context()
