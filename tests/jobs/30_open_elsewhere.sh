# 30_open_elsewhere.sh - other people's tools read what a run leaves: h5dump, h5py, xarray, a JSON parser, the rules of trace viewers.
. tests/jobs/lib.sh

python=/usr/bin/python3
works "a run to look at" "$POLYRANK" train jobs/demo.yaml -q -o "$WORK/look" || exit
cp "$WORK/stdout" "$WORK/report"
result=$WORK/look/result.h5
works "h5dump reads all of it" h5dump "$result"
works "h5dump reads a data set" h5dump -H data/navy_winds.h5
works "the trace keeps the rules" $python tests/jobs/trace_rules.py "$WORK/look/trace.json"
works "the summary is JSON" $python -m json.tool "$WORK/look/summary.json"
if $python -c 'import h5py' 2>/dev/null; then
    works "h5py: result" $python -c "
import h5py, sys
f = h5py.File('$result')
assert f['curve/loss'].shape == f['curve/step'].shape and f['curve/step'][0] == 1
assert 'units' in f['curve/virtual_time_s'].attrs
assert f['curve/loss'].dims[0][0].name == '/curve/step'
assert len(f['config'][()]) > 100"
    works "h5py: data set" $python -c "
import h5py
f = h5py.File('data/navy_winds.h5')
v = f['uwnd']
assert v.dims[0][0].name == '/time' and v.dims[1][0].name == '/station' and v.attrs['units'] == 'm s-1'
assert f.attrs['Conventions'].startswith('CF')"
else
    echo "   h5py is not here: two checks left out"
fi
if $python -c 'import xarray, h5netcdf' 2>/dev/null; then
    works "xarray: data set" $python -c "
import xarray
d = xarray.open_dataset('data/navy_winds.h5', engine='h5netcdf')
assert d.uwnd.dims == ('time', 'station')"
else
    echo "   xarray with h5netcdf is not here: one check left out"
fi

# every column of shares on stdout sums to 100.0
works "shares sum to 100.0" awk '
    /\[%\]/ && /\[s\]|\[ms\]|\[us\]|\[J\]|\[kJ\]|\[mJ\]/ { shares = 1; next }
    shares && /^  total/ { if ($NF != "100.0") exit 1; n++; shares = 0 }
    END { exit n < 3 }' "$WORK/report"

# the printed job can be used as a job and gives the same run
works "--print-config" "$POLYRANK" train jobs/demo.yaml --print-config
cp "$WORK/stdout" jobs/.printed.yaml
works "the printed job runs" "$POLYRANK" train jobs/.printed.yaml -q -o "$WORK/look2"
rm -f jobs/.printed.yaml
cmp -s "$WORK/look/trace.json" "$WORK/look2/trace.json" && pass "the printed job is the same job" || fail "the printed job is the same job" "traces differ"
works "compare" "$POLYRANK" compare "$result" "$WORK/look2/result.h5"
works "check of a result" "$POLYRANK" check "$result"
for f in jobs/*-published.yaml; do
    works "plan $f" "$POLYRANK" plan "$f"
    works "train --timing-only $f" "$POLYRANK" train "$f" --timing-only -q -o "$WORK/published" --force
done
for f in clusters/*.yaml data/navy_winds.h5 jobs/demo.yaml; do
    works "check $f" "$POLYRANK" check "$f"
done

