"""gui-out/*.png → docs/pictures/panel_*.png, those that are there: smaller, under 300 kB each."""

from pathlib import Path

import cv2

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT = 300_000
PARTS = {
    'texture': (860, 1325)
}  # height and width of what is taken of a picture, from its top left

if __name__ == '__main__':
    for name in ('head', 'running', 'result', 'shape_keys', 'texture'):
        taken = ROOT / 'gui-out' / f'{name}.png'
        if not taken.exists():
            continue
        height, width = PARTS.get(name, (None, None))
        image = cv2.imread(str(taken))[:height, :width]
        target = ROOT / 'docs' / 'pictures' / f'panel_{name}.png'
        target.parent.mkdir(parents=True, exist_ok=True)
        for width in (1280, 1120, 960, 800):
            small = cv2.resize(
                image,
                (width, round(image.shape[0] * width / image.shape[1])),
                interpolation=cv2.INTER_AREA,
            )
            cv2.imwrite(str(target), small, [cv2.IMWRITE_PNG_COMPRESSION, 9])
            if target.stat().st_size < LIMIT:
                break
        print(target.relative_to(ROOT), width, target.stat().st_size)
