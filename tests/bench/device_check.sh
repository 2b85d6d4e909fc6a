#!/bin/sh
# Everything that follows the choice of device, on a machine with a card and no network: its own
# torch with CUDA, and beside it what pack_device.sh packed. `stage` unpacks a part that was carried,
# `run` checks with all of them.
#
#   sh tests/bench/device_check.sh stage FOLDER
#   sh tests/bench/device_check.sh run
set -e
SITE=/tmp/facewright_site
mkdir -p "$SITE/parts"
case "$1" in
stage)
    cp "$2"/* "$SITE/parts/"
    ls -l "$SITE/parts"
    ;;
run)
    cd "$SITE/parts"
    python3 - <<'PY'
import lzma, pathlib, tarfile, zipfile
site = pathlib.Path('..')
whole = b''.join(p.read_bytes() for p in sorted(pathlib.Path().glob('warp.so.xz.*')))
tarfile.open('warp_python.tar.xz').extractall(site)
(site / 'warp' / 'bin').mkdir(exist_ok=True)
(site / 'warp' / 'bin' / 'warp.so').write_bytes(lzma.decompress(whole))
clang = pathlib.Path('warp-clang.so.xz').read_bytes()
(site / 'warp' / 'bin' / 'warp-clang.so').write_bytes(lzma.decompress(clang))
for wheel in pathlib.Path().glob('*.whl'):
    zipfile.ZipFile(wheel).extractall(site)
PY
    cd - >/dev/null
    export PYTHONPATH="$SITE" PYTHONUNBUFFERED=1 OMP_NUM_THREADS=8 FACEWRIGHT_CACHE=/tmp/facewright_cache
    nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
    python3 tests/bench/learning_device.py cpu cuda || echo 'learning_device: NOT AS IT SHOULD BE'
    python3 tests/bench/renderer_device.py cuda || echo 'renderer_device: NOT AS IT SHOULD BE'
    # test_mesh_cases needs mediapipe, which does not travel.
    FACEWRIGHT_DEVICE=cuda python3 -m pytest -q -p no:cacheprovider --maxfail 20 --tb short \
        tests/engine/core/test_device.py tests/engine/render tests/engine/learning \
        tests/engine/geometry --ignore tests/engine/geometry/test_mesh_cases.py || true
    ;;
*)
    sed -n 2,8p "$0"
    exit 2
    ;;
esac
