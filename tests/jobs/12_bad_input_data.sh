# 12_bad_input_data.sh - malformed CSV and HDF5 files, outputs that cannot be written, as 10_bad_input.sh.
. tests/jobs/lib.sh
. tests/jobs/bad_input.sh

# CSV
csv() { # csv NAME EXIT TEXT CONTENT
    printf "$4" >"$WORK/bad.csv"
    refuses "CSV: $1" "$2" "$3" "$P" data import "$WORK/bad.csv" "$WORK/out.h5"
    [ ! -e "$WORK/out.h5" ] || { fail "CSV: $1" "left an output"; rm -f "$WORK/out.h5"; }
}
csv "empty" 2 "bad.csv" ''
csv "header alone" 2 "bad.csv" 'time,a,b\n'
csv "short row" 2 "bad.csv:3" 'time,a,b\n2020-01-01,1,2\n2020-01-02,1\n'
csv "long row" 2 "bad.csv:3" 'time,a,b\n2020-01-01,1,2\n2020-01-02,1,2,3\n'
csv "text for a number" 2 "bad.csv:2" 'time,a,b\n2020-01-01,1,x\n'
csv "impossible date" 2 "bad.csv:2" 'time,a,b\n2020-02-31,1,2\n'
csv "open quote" 2 "bad.csv" 'time,a,b\n2020-01-01,"1,2\n'
csv "time runs backwards" 2 "bad.csv:3" 'time,a,b\n2020-01-02,1,2\n2020-01-01,1,2\n'
csv "two stations of one name" 2 "two stations have the name" 'time,a,a\n2020-01-01,1,2\n2020-01-02,1,2\n'
csv "infinity" 2 "bad.csv:2" 'time,a,b\n2020-01-01,1,inf\n2020-01-02,1,2\n'
refuses "CSV that is not there" 4 "none.csv" "$P" data import "$WORK/none.csv" "$WORK/out.h5"
refuses "import over an existing file" 2 "exists" "$P" data import "$base" "$data"

# HDF5
head -c 700 "$data" >"$WORK/short.h5"
refuses "truncated data set" 4 "short.h5" "$P" check "$WORK/short.h5"
broken "training on a truncated data set" 4 "short.h5" "s|file: .*good.h5|file: $WORK/short.h5|"
refuses "data info of a job" 4 "base.yaml" "$P" data info "$base"
refuses "result that is a data set" 2 "good.h5" "$P" compare "$data" "$data"

# output
mkdir -p "$WORK/taken" && : >"$WORK/taken/result.h5"
with "result that exists" 2 "--force" --output "$WORK/taken"
with "output that cannot be made" 4 "base.yaml" --output "$base/x"
