"""gui-out/*.png → docs/pictures/panel_*.png: smaller, under 400 kB each."""
from pathlib import Path

import cv2

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT = 400_000

if __name__ == '__main__':
    for name in ('head', 'running', 'result', 'shape_keys'):
        image = cv2.imread(str(ROOT / 'gui-out' / f'{name}.png'))
        if image is None:
            continue
        target = ROOT / 'docs' / 'pictures' / f'panel_{name}.png'
        target.parent.mkdir(parents=True, exist_ok=True)
        for width in (1280, 1120, 960, 800):
            small = cv2.resize(image, (width, round(image.shape[0] * width / image.shape[1])), interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(target), small, [cv2.IMWRITE_PNG_COMPRESSION, 9])
            if target.stat().st_size < LIMIT:
                break
        print(target.relative_to(ROOT), width, target.stat().st_size)
