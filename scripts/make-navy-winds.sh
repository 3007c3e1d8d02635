#!/bin/sh
# make-navy-winds.sh - makes data/navy_winds.h5 from the Debian package ferret-datasets.
#   scripts/make-navy-winds.sh [OUT]     default data/navy_winds.h5, replaced if it is there
# The navy winds are in the public domain (NOAA/PMEL, see data/README.md): monthly means of 1982-1992, on a grid of 2.5 degrees. The
# part that is kept: 10 x 12 points of the North Atlantic, 35..57.5 N and 55..27.5 W.
set -eu
cd "$(dirname "$0")/.."
in=${NAVY_WINDS:-/usr/share/ferret-vis/data/monthly_navy_winds.cdf}
out=${1:-data/navy_winds.h5}
program=${BUILD:-build}/polyrank
if [ ! -e "$in" ]; then
    echo "make-navy-winds: $in is not here: apt-get install ferret-datasets, or set NAVY_WINDS" >&2
    exit 1
fi
exec "$program" data import "$in" "$out" --force --variable UWND=uwnd,VWND=vwnd --box 35,57.5,-55,-27.5 --units "m s-1" \
    --title "FNOC monthly winds over the North Atlantic, 1982-1992" \
    --source "monthly_navy_winds.cdf, NOAA/PMEL FERRET data sets (public domain)"
