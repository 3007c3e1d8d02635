#!/bin/sh
# valgrind.sh - memcheck over the unit suites and a small training run; exit 1 on any error or definite leak of ours.
set -u
cd "$(dirname "$0")/.."
. scripts/mpi-env.sh
build=${BUILD:-build}
options="--quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite --keep-debuginfo=yes
         --suppressions=tests/valgrind.supp"
ompi=/usr/share/openmpi/openmpi-valgrind.supp
[ ! -e $ompi ] || options="$options --suppressions=$ompi"
status=0
for suite in ${VALGRIND_SUITES:-clock graph plan report table unit store_h5}; do
    echo "valgrind: suite $suite"
    CK_FORK=no CK_RUN_SUITE=$suite CK_TIMEOUT_MULTIPLIER=50 valgrind $options "$build/check-unit" >/tmp/valgrind.$$ 2>&1 ||
        { status=1; tail -n 30 /tmp/valgrind.$$; }
done
work=$(mktemp -d)
echo "valgrind: a training run"
"$build/polyrank" data synth "$work/d.h5" --stations 5 --rows 120 --variables uwnd,vwnd >/dev/null || status=1
valgrind $options "$build/polyrank" train jobs/demo.yaml --set data.file="$work/d.h5" \
    --set train.steps=2 --set model.d_model=8 --output "$work/out" -q >/tmp/valgrind.$$ 2>&1 || { status=1; tail -n 30 /tmp/valgrind.$$; }
rm -rf "$work" /tmp/valgrind.$$
[ $status = 0 ] && echo "valgrind: clean"
exit $status
