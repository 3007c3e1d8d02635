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
for suite in ${VALGRIND_SUITES:-chart clock graph plan report return table unit store_h5}; do
    echo "valgrind: suite $suite"
    CK_FORK=no CK_RUN_SUITE=$suite CK_TIMEOUT_MULTIPLIER=50 valgrind $options "$build/check-unit" >/tmp/valgrind.$$ 2>&1 ||
        { status=1; tail -n 30 /tmp/valgrind.$$; }
done
work=$(mktemp -d)
echo "valgrind: a training run"
"$build/polyrank" data synth "$work/d.h5" --stations 5 --rows 120 --variables uwnd,vwnd >/dev/null || status=1
valgrind $options "$build/polyrank" train jobs/demo.yaml --set data.file="$work/d.h5" \
    --set train.steps=2 --set model.d_model=8 --output "$work/out" -q >/tmp/valgrind.$$ 2>&1 || { status=1; tail -n 30 /tmp/valgrind.$$; }
echo "valgrind: a run that goes over to analog crossbars"
"$build/polyrank" data synth "$work/w.h5" --stations 5 --rows 120 >/dev/null || status=1
valgrind $options "$build/polyrank" train jobs/wind-hpt.yaml --set data.file="$work/w.h5" --set data.test_rows=100,119 \
    --set train.steps=3 --set train.switch.policy=at --set train.switch.at_step=1 --set train.switch.window_steps=0 \
    --set train.minibatch=8 --set model.d_model=8 --set model.layers=1 --set 'cluster.devices[1].fidelity=analog' \
    --output "$work/hpt" -q >/tmp/valgrind.$$ 2>&1 || { status=1; tail -n 30 /tmp/valgrind.$$; }
rm -rf "$work" /tmp/valgrind.$$
[ $status = 0 ] && echo "valgrind: clean"
exit $status
