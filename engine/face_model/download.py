"""Fetching ICT-FaceKit.

The only place in the engine that touches the network; called on a user's click alone.
"""

from __future__ import annotations

import http.client
import shutil
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

from ..core.errors import FacewrightError
from ..core.files import replacing
from .ict_files import check_hashes

ICT_COMMIT = 'da5f95a607f5e6b37755b38d3385d7f2853732e5'  # of the files that ict_hashes.json lists
ICT_URL = f'https://github.com/ICT-VGL/ICT-FaceKit/archive/{ICT_COMMIT}.zip'
EXPECTED = 120 << 20  # bytes, for the bar where the server tells no length
FETCHED = 0.9  # part of the bar
LIMIT = 1 << 30  # bytes: more than this is not the model


def _opened(url: str) -> http.client.HTTPResponse:
    # S310: the address is ICT_URL, or a server of the tests'.
    """Open the archive's address."""
    return urllib.request.urlopen(url, timeout=30)  # noqa: S310


def download_ict(
    folder: Path, scratch: Path, report: Callable[[float], None], url: str = ICT_URL
) -> Path:
    """Fetch ICT-FaceKit's archive into `folder` and return its path.

    It is streamed into `scratch` and moved when it is found to be a zip of the very files of
    ICT_COMMIT. report: called with 0..1. Raises FacewrightError where there is no connection, no
    space, or anything else at the other end; then `folder` is unchanged.
    """
    part, final = Path(scratch) / 'ICT-FaceKit.zip.part', Path(folder) / 'ICT-FaceKit.zip'
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        final.parent.mkdir(parents=True, exist_ok=True)
        with _opened(url) as answer, part.open('wb') as out:
            total = int(answer.headers.get('Content-Length') or EXPECTED)
            done = 0
            while block := answer.read(1 << 18):
                done += len(block)
                if done > LIMIT:
                    raise FacewrightError(
                        'The download is larger than ICT-FaceKit can be: get it from its project '
                        'page and choose the file with Import.'
                    )
                out.write(block)
                report(FETCHED * min(done / total, 0.999))
        if not zipfile.is_zipfile(part):
            raise FacewrightError(
                'The download is not a zip archive: get ICT-FaceKit from its project page and '
                'choose the file with Import.'
            )
        check_hashes(part, lambda fraction: report(FETCHED + (1 - FETCHED) * 0.999 * fraction))
        try:
            part.replace(final)
        except OSError:  # another disk
            with replacing(final) as beside:
                shutil.copyfile(part, beside)
        return final
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, 'reason', None) or getattr(error, 'strerror', None) or error
        raise FacewrightError(
            f'ICT-FaceKit could not be downloaded ({reason}): check the connection, or import a '
            'copy you downloaded yourself.'
        ) from error
    finally:
        part.unlink(missing_ok=True)
