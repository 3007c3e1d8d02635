#!/bin/sh
# The MPI suites at several rank counts; prints 'N passed, N failed' of launches' own lines.
set -u
here=$(dirname "$0")
. "$here/../../scripts/mpi-env.sh"
status=0
for n in 1 2 3 4 7; do
    mpirun --timeout ${SAN:+6}60 -n $n "${BUILD:-build}/check-mpi" || status=1
done
exit $status
