#!/bin/sh
# run.sh SECONDS - each reader under libFuzzer with address sanitizer for SECONDS seconds; exit 1 on a crash.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
command -v clang >/dev/null || { echo "fuzz: clang is not here"; exit 1; }
build=build-fuzz
mkdir -p $build
multiarch=$(gcc -print-multiarch)
PKG_CONFIG_PATH=/usr/lib/$multiarch/openblas-serial/pkgconfig
export PKG_CONFIG_PATH
flags="$(pkg-config --cflags hdf5-openmpi libcyaml jansson) $(mpicc --showme:compile)"
libs="-lhdf5_openmpi_hl $(pkg-config --libs hdf5-openmpi libcyaml yaml-0.1 jansson zlib) -lm"
sources="src/base/*.c src/config/*.c src/store/*.c src/model/decoder_catalogue.c src/model/decoder_shape.c src/model/tokenizer.c
    src/model/hf_*.c src/model/model_*.c"
status=0
for target in tests/fuzz/fuzz_*.c; do
    name=$(basename "$target" .c)
    # shellcheck disable=SC2086
    clang -std=c11 -D_GNU_SOURCE -O1 -g -Isrc $flags -fsanitize=fuzzer,address -fno-omit-frame-pointer \
        -o $build/$name $target $sources $libs
    mkdir -p $build/corpus-$name
    [ ! -d tests/fuzz/seeds-$name ] || cp -n tests/fuzz/seeds-$name/* $build/corpus-$name/
    words= # what random bytes do not find by themselves
    [ ! -e tests/fuzz/$name.dict ] || words=-dict=$PWD/tests/fuzz/$name.dict
    echo "fuzz: $name for $seconds s"
    # shellcheck disable=SC2086
    (cd $build && ASAN_OPTIONS=detect_leaks=1 ./$name -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -max_len=65536 \
        $words corpus-$name >$name.log 2>&1) || { status=1; tail -n 30 $build/$name.log; }
    grep -E "^#[0-9]+.*DONE|Done [0-9]+ runs" $build/$name.log | tail -n 1
done
exit $status
