#!/bin/sh
# Pack what device_check.sh needs into OUT/1 and OUT/2, each below 56 MB: Warp without its tests, and
# four wheels for the other machine's Python 3.12. Takes minutes (xz).
#
#   sh tests/bench/pack_device.sh OUT
set -e
out=$1
site=.venv/lib/python3.11/site-packages
mkdir -p "$out/1" "$out/2"
[ -f "$out/warp.so.xz" ] || xz -T2 -5 -c "$site/warp/bin/warp.so" >"$out/warp.so.xz"
[ -f "$out/2/warp-clang.so.xz" ] || xz -T2 -5 -c "$site/warp/bin/warp-clang.so" >"$out/2/warp-clang.so.xz"
tar -C "$site" -h --exclude=warp/tests --exclude=warp/examples --exclude=warp/bin \
    --exclude=__pycache__ -cJf "$out/2/warp_python.tar.xz" warp
split -b 52M "$out/warp.so.xz" "$out/warp.so.xz."
mv "$out"/warp.so.xz.aa "$out/1/"
mv "$out"/warp.so.xz.a? "$out/2/" 2>/dev/null || true
python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_24_x86_64 -d "$out/2" \
    cholespy==2.2.0 trimesh==5.2.0 rtree==1.4.1 tetgen==0.8.4
du -sh "$out/1" "$out/2"
