"""Face detection on every real video: frames with a face, milliseconds a frame, jitter at rest.

    python tests/bench/bench_detection.py [FOLDER] [--quality draft|final] [--sheets FOLDER]
                                          [--only TEXT]

FOLDER: of videos (default: shared/data/videos beside the project). --sheets writes a contact sheet
of landmarks a video, to be looked at.
Jitter: root mean square of the landmarks' second differences / √6, common motion removed, over the
stillest second, in % of the outer eye distance.
"""

import argparse
import importlib.util
import resource
import sys
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location('_facewright_worker', ROOT / 'engine' / 'worker.py')
_worker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_worker)
_worker.register_package(ROOT)

from facewright.engine.footage import open_footage, read_frames  # noqa: E402
from facewright.engine.footage.detector import detect_image, detect_view  # noqa: E402

TILE, COLUMNS, PICTURES = 300, 6, 18


def jitter(points: np.ndarray, present: np.ndarray, fps: float) -> float:
    """% of the outer eye distance in the stillest second without a gap; NaN where there is none."""
    n, best = max(8, round(fps)), (np.inf, np.nan)
    for start in range(0, len(points) - n, max(1, n // 4)):
        if not present[start : start + n].all():
            continue
        part = points[start : start + n].astype(np.float64)
        eyes = np.linalg.norm(part[:, 33] - part[:, 263], axis=1).mean()
        motion = np.linalg.norm(np.diff(part.mean(1), axis=0), axis=1).mean() / eyes
        part = part - part.mean(1, keepdims=True)
        best = min(
            best, (motion, 100 * np.sqrt(np.square(np.diff(part, 2, axis=0)).mean() / 6) / eyes)
        )
    return best[1]


def sheet(view, seen) -> np.ndarray:
    """Frames spread over the clip, cropped to the face, landmarks from red (no trust) to green."""
    tiles, frames = [], np.unique(np.linspace(0, len(view.times) - 1, PICTURES).astype(int))
    for i, picture in zip(frames, read_frames(view, frames)):
        if seen.present[i]:
            centre, half = seen.points[i].mean(0), np.ptp(seen.points[i], axis=0).max() * 0.7
            scale = TILE / 2 / half
            tile = cv2.warpAffine(
                picture,
                np.array(
                    [
                        [scale, 0, TILE / 2 - scale * centre[0]],
                        [0, scale, TILE / 2 - scale * centre[1]],
                    ]
                ),
                (TILE, TILE),
                flags=cv2.INTER_AREA,
            )
            for point, trust in zip(
                (seen.points[i] - centre) * scale + TILE / 2, seen.confidence[i]
            ):
                cv2.circle(
                    tile,
                    (int(point[0]), int(point[1])),
                    1,
                    (int(255 * (1 - trust)), int(255 * trust), 0),
                    -1,
                )
        else:
            tile = cv2.resize(picture, (TILE, TILE))
        tiles.append(
            cv2.putText(tile, str(i), (4, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 0), 1)
        )
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    return np.concatenate(
        [np.concatenate(tiles[k : k + COLUMNS], 1) for k in range(0, len(tiles), COLUMNS)]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'folder', type=Path, nargs='?', default=ROOT.parent / 'shared' / 'data' / 'videos'
    )
    parser.add_argument('--quality', default='draft', choices=('draft', 'final'))
    parser.add_argument('--sheets', type=Path)
    parser.add_argument('--only', default='')
    options = parser.parse_args()
    detect_image(np.zeros((64, 64, 3), np.uint8))  # load the networks
    print(
        f'{"video":36} {"size":>9} {"frames":>6} {"seen":>6} {"ms":>6} {"cpu ms":>6} '
        f'{"decode":>6} {"jitter %":>8} {"trust":>5}'
    )
    for path in sorted(
        p
        for p in options.folder.iterdir()
        if p.suffix.lower() in ('.mp4', '.mpg', '.mov', '.avi', '.mkv', '.webm')
        and options.only in p.name
    ):
        view = open_footage(path).views[0]
        count, start = len(view.times), time.perf_counter()
        for _ in read_frames(view):
            pass
        decode, start, cpu = time.perf_counter() - start, time.perf_counter(), time.process_time()
        seen = detect_view(view, options.quality)
        spent, cpu = time.perf_counter() - start, time.process_time() - cpu
        print(
            f'{path.name[:36]:36} {view.size[0]:4}x{view.size[1]:<4} {count:6} '
            f'{seen.present.sum():6} {1000 * spent / count:6.1f} {1000 * cpu / count:6.1f} '
            f'{1000 * decode / count:6.1f} {jitter(seen.points, seen.present, view.fps):8.3f} '
            f'{seen.confidence[seen.present].mean():5.2f}',
            flush=True,
        )
        if options.sheets:
            options.sheets.mkdir(parents=True, exist_ok=True)
            (options.sheets / f'{path.stem}.jpg').write_bytes(
                cv2.imencode('.jpg', sheet(view, seen)[..., ::-1])[1].tobytes()
            )
    if sys.platform != 'win32':
        print(f'peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB')


if __name__ == '__main__':
    main()
