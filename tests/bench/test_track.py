"""A 720p clip of one view, draft: time against running time, start-up, peak memory by length."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import pytest

pytestmark = pytest.mark.bench
CLIP = 'nvidia_maxine_webcam_gaze.mp4'  # 1280×720, 30 fps, 8 s
LENGTHS = (1, 4, 16)  # how often the clip is played, forth and back


def repeat(clip, times, path):
    """Write a clip played `times` times, forth and back so that nothing jumps.

    Returns (frames, seconds).
    """
    reader = cv2.VideoCapture(str(clip))
    fps = reader.get(cv2.CAP_PROP_FPS)
    frames = []
    while True:
        found, frame = reader.read()
        if not found:
            break
        frames.append(cv2.imencode('.jpg', frame, [cv2.IMWRITE_JPEG_QUALITY, 95])[1])
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*'mp4v'), fps, (int(reader.get(3)), int(reader.get(4)))
    )
    for i in range(times):
        for frame in frames if i % 2 == 0 else reversed(frames):
            writer.write(cv2.imdecode(frame, cv2.IMREAD_COLOR))
    writer.release()
    return times * len(frames), times * len(frames) / fps


def measure(root, folder, arguments):
    """Run the reconstruction in the child process as the add-on does.

    Returns (start-up s, whole s, peak MB, report).
    """
    folder.mkdir()
    (folder / 'job.json').write_text(
        json.dumps({'task': 'reconstruct', 'arguments': {**arguments, 'out': str(folder / 'out')}})
    )
    began, started, last = time.monotonic(), None, None
    child = subprocess.Popen(
        [sys.executable, '-I', '-B', str(root / 'engine' / 'worker.py'), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    peak = [0]

    def watch():
        while child.poll() is None:
            try:
                with Path(f'/proc/{child.pid}/status').open() as stream:
                    peak[0] = max(
                        peak[0],
                        *(int(line.split()[1]) for line in stream if line.startswith('VmHWM')),
                    )
            except (OSError, TypeError):
                pass
            time.sleep(0.1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for line in child.stdout:
        last = json.loads(line)
        if started is None and last.get('progress', 0) > 0:
            started = time.monotonic() - began
    whole = time.monotonic() - began
    child.wait()
    watcher.join()
    child.stdin.close()
    child.stdout.close()
    assert 'result' in last, last
    return started, whole, peak[0] / 1024, json.loads((folder / 'out' / 'report.json').read_text())


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
def test_speed_start_up_and_memory(root, shared_data, tmp_path, table):
    from facewright.engine.face_model import load_model

    model = str(shared_data / 'ict-facekit.tar.xz')
    load_model(model)  # cached
    rows, worst = [], [0.0, 0.0, 0.0]
    for times in LENGTHS:
        clip = tmp_path / f'{times}.mp4'
        frames, seconds = repeat(shared_data / 'videos' / CLIP, times, clip)
        started, whole, peak, report = measure(
            root, tmp_path / f'job{times}', {'sources': [{'path': str(clip)}], 'model': model}
        )
        ratio = (whole - started) / seconds
        rows.append(
            (
                f'{seconds:.0f} s, {frames} frames',
                f'{started:.1f} s',
                f'{whole - started:.1f} s',
                f'{ratio:.2f}',
                f'{peak:.0f} MB',
                f'{report["error"]["mean_percent"]:.2f} %',
                ', '.join(f'{k} {v:.1f}' for k, v in report.get('seconds', {}).items()),
            )
        )
        worst = [max(a, b) for a, b in zip(worst, (started, ratio, peak))]
    table(
        f'Tracking, 1280×720, one view, draft, ICT, {os.cpu_count()} cores',
        (
            'clip',
            'start-up',
            'then',
            'times the running time',
            'peak memory',
            'mean error',
            'where the seconds went',
        ),
        rows,
    )
    assert worst[0] < 8 and worst[1] < 2 and worst[2] < 2500, worst
