# 81_report.sh - pages of finished runs through the real program: deterministic, complete, refused when there is nothing to tell.
. tests/jobs/lib.sh
. tests/browser/runs.sh

P=$POLYRANK
R=${WORK:?}/runs
mkdir "$R"
if make_runs "$P" "$R" >"$WORK/stderr" 2>&1; then pass "runs and their pages"; else
    fail "runs and their pages" "cannot be made" "$WORK/stderr"
    exit
fi
cd "$R" || exit

# holds NAME FILE TEXT...: each text is in it.
holds() {
    local name=$1 file=$2 text
    shift 2
    for text in "$@"; do
        grep -qF -- "$text" "$file" || { fail "$name" "no '$text'"; return; }
    done
    pass "$name"
}

holds "page of training" hpt.html '<!DOCTYPE html>' '<b>PASSED</b>' 'id="loss-steps"' 'id="loss-time"' 'id="loss-energy"' 'id="mae"' \
    'id="timeline-full"' 'id="timeline-low"' 'id="timeline-handover"' 'id="time"' 'id="energy-parts"' 'id="roofline-a100-80g"' \
    'id="roofline-isaac"' 'id="wear-map"' 'id="wear-life"' 'enter low' 'data:text/csv' 'prefers-color-scheme' 'fnv1a'
holds "page of serving" serving.html 'id="ttft"' 'id="tpot"' 'id="e2e"' 'id="throughput-time"' 'id="batch-time"' 'id="kv-time"' \
    'id="time"' 'id="energy-classes"' 'id="energy-parts"' 'id="roofline-a100-hbm3"' 'id="roofline-attacc-bank"' 'of a generated token' \
    'SLO' 'hbm-pim0' '<b>PASSED</b>'
holds "page of training with faults" hpt-faulty.html 'id="faults"' 'degrades to 50 %' 'reram1' '>F1<' 'cells programmed' \
    'are the faults' '1 fault of the job came after the end' '<b>PASSED</b>'
holds "page of serving with faults" serving-faulty.html 'id="faults"' 'hbm-pim1' '>F1<' '>F2<' 'requests that lost their KV' \
    'links to the host' '1 fault of the job came after the end' '<b>PASSED</b>'
holds "page of several runs" several.html 'Several &lt;runs&gt; &amp; more' 'id="compare-loss-time"' 'id="compare-ttft"' \
    'id="run-1-loss-steps"' 'id="run-4-e2e"' 'Serving runs side by side'
if grep -qE '<script|src=|@import|url\(' ./*.html; then fail "pages need nothing else" "something to fetch"; else pass "pages need nothing else"; fi

python3 - ./*.html <<'Y' && pass "elements are closed" || fail "elements are closed" "see above"
import html.parser, sys
class Stack(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.bad = [], []
    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "link"):
            self.open.append(tag)
    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.bad.append((tag, self.getpos()))
for path in sys.argv[1:]:
    stack = Stack()
    stack.feed(open(path).read())
    if stack.bad or stack.open:
        sys.exit(f"{path}: {stack.bad[:3]} {stack.open[:3]}")
Y

# the same bytes, again and on several ranks; the tables are there without gnuplot, too
works "again" "$P" report hpt -o again.html
cp "$WORK/stdout" tables
same "the same page" hpt.html again.html
works "on 3 ranks" mpirun --timeout $LIMIT -n 3 "$P" report hpt -q -o three.html
same "the same page on 3 ranks" hpt.html three.html
works "tables alone, no gnuplot" env PATH=/nowhere "$P" report hpt --no-page
grep -v '^page: \|^$' tables >with
grep -v '^$' "$WORK/stdout" >without
same "tables with and without a page" with without
holds "tables" tables 'PASSED: all' 'Decisions' 'start trial' 'Kernels under their roofs' 'Crossbars and their wear'
awk 'length > 140 {exit 1}' tables && pass "tables fit a terminal" || fail "tables fit a terminal" "lines longer than 140" tables

# runs of one job: the title tells them apart, the one of another job stays as it is
cp -r hpt hpt-again
works "a page of one job's runs" "$P" report hpt hpt-again/result.h5 gpu -q -o pair.html
holds "runs of one job told apart" pair.html '<title>hpt-small (hpt), hpt-small (hpt-again/result.h5) and gpu-small</title>'

# the page's place, and its data
works "in the run's folder" "$P" report serving -q
same "default place" serving/report.html serving.html
works "replaced" "$P" report serving -q --force
works "data" "$P" report serving/serving.h5 -q -o file.html --data plots
[ "$(find plots -name '*.csv' | wc -l)" = "$(grep -o '<figure' file.html | wc -l)" ] && pass "a file for each plot" ||
    fail "a file for each plot" "$(ls plots)"
python3 - serving/requests.csv plots/ttft.csv <<'Y' && pass "data are those of the run" || fail "data are those of the run" "differ"
import csv, sys
told = sorted(float(row["ttft_s"]) for row in csv.DictReader(open(sys.argv[1])))
drawn = [float(row["ttft_s"]) for row in csv.DictReader(open(sys.argv[2])) if row["curve"].startswith("share")]
sys.exit(not (len(told) == 60 and len(drawn) == 61 and all(abs(a - b) < 1e-12 for a, b in zip(told, drawn[1:]))))
Y
works "data of training" "$P" report hpt -q -o file-hpt.html --data plots-hpt
# as many updates, the last work of a step, as the title has steps
python3 - hpt file-hpt.html plots-hpt <<'Y' && pass "time lines show the steps of their titles" || fail "time lines show the steps of their titles" "see above"
import csv, json, re, sys
summary = json.load(open(sys.argv[1] + "/summary.json"))
page = open(sys.argv[2]).read()
step_s = {mode["name"]: mode["step_time_ps"] * 1e-12 for mode in summary["mode"]}
for mode in ("full", "low"):
    title = re.search(r'id="timeline-%s".*?Devices in steps (\d+) to (\d+)' % mode, page, re.S)
    steps = int(title[2]) - int(title[1]) + 1
    rows = csv.DictReader(open(sys.argv[3] + "/timeline-%s.csv" % mode))
    end = max(float(row["virtual_time_s_to"]) for row in rows)
    if not steps - 0.5 < end / step_s[mode] < steps + 0.5:
        sys.exit(f"{mode}: {steps} steps, {end / step_s[mode]:.2f} drawn")
Y

# what is no finished run
OUT="-q -o $WORK/out/page.html"
mkdir -p "$WORK/out"
refuses "a page that is there" 2 "is there already: --force replaces it" "$P" report serving -q
refuses "no run" 2 "report needs a finished run" "$P" report
refuses "no such folder" 2 "nowhere: No such file or directory" "$P" report nowhere $OUT
mkdir empty both
refuses "an empty folder" 2 "empty: no finished run: expected a result.h5 or a serving.h5 in it" "$P" report empty $OUT
cp hpt/result.h5 serving/serving.h5 both
mkdir begun && touch begun/checkpoint.h5
refuses "a run that has not finished" 2 "begun: the run is not finished" "$P" report begun $OUT
refuses "two runs in a folder" 2 "name the file that is meant" "$P" report both $OUT
refuses "a data set" 2 "expected a result of polyrank train or serve" "$P" report wind.h5 $OUT
refuses "a job" 4 "hpt.yaml" "$P" report hpt.yaml $OUT
mkdir cut foreign changed
head -c 20000 hpt/result.h5 >cut/result.h5
refuses "a file cut short" 4 "cut/result.h5" "$P" report cut $OUT
cp hpt/result.h5 foreign
echo '{"traceEvents": []}' >foreign/trace.json
refuses "another program's trace" 2 "foreign/trace.json:1: expected a trace" "$P" report foreign $OUT
rm -rf "${WORK:?}/out" && mkdir "$WORK/out"
refuses "no gnuplot" 1 "gnuplot is not installed" env PATH=/nowhere "$P" report hpt $OUT
refuses "no folder for the page" 4 "cannot be written" "$P" report hpt -q -o "$R/missing/page.html"

# numbers that do not add up: a page that says so, exit status 3
cp serving/* changed
sed -i '3d' changed/requests.csv
"$P" report changed -q -f -o changed.html >"$WORK/stdout" 2>"$WORK/stderr"
got=$?
[ "$got" = 3 ] && grep -q 'the sums in these files do not hold' "$WORK/stderr" && grep -q '<b>FAILED</b>' changed.html &&
    pass "a run that does not add up" || fail "a run that does not add up" "exit status $got" "$WORK/stderr"

# runs side by side, by folder or by file
works "compare serving" "$P" compare serving busier/serving.h5 --csv ratios.csv
holds "compare serving" "$WORK/stdout" 'serving/serving.h5' 'energy per generated token' 'TTFT p99' 'generated tokens' 'energy: attention' \
    'Ratios are above 1 where the run is better'
python3 - ratios.csv serving busier <<'Y' && pass "ratios of serving" || fail "ratios of serving" "see above"
import csv, json, sys
rows = {(row["quantity"], row["run"]): row for row in csv.DictReader(open(sys.argv[1]))}
a, b = (json.load(open(folder + "/summary.json")) for folder in sys.argv[2:])
def told(name, one, other, ratio):
    left, right = rows[name, "0"], rows[name, "1"]
    assert abs(float(left["value"]) / one - 1) < 1e-9 and abs(float(right["value"]) / other - 1) < 1e-9, (name, left, right, one, other)
    assert abs(float(right["ratio"]) / ratio - 1) < 1e-9, (name, right["ratio"], ratio)
told("generated tokens", a["output_tokens_per_s"], b["output_tokens_per_s"], b["output_tokens_per_s"] / a["output_tokens_per_s"])
for name, key in (("energy", "energy_j"), ("energy per generated token", "energy_per_output_token_j")):
    told(name, a[key], b[key], a[key] / b[key])
for name, key, part in (("TTFT p99", "ttft_s", "p99"), ("E2E p50", "e2e_s", "p50"), ("ITL max", "itl_s", "max")):
    told(name, a[key][part], b[key][part], a[key][part] / b[key][part])
energy = sum(sum(v for k, v in device["energy_j_by_class"].items() if k != "total") for device in a["device"])
assert abs(energy / a["energy_j"] - 1) < 1e-9, (energy, a["energy_j"])
Y
works "compare training" "$P" compare gpu hpt
holds "compare training by folders, with modes" "$WORK/stdout" 'gpu/result.h5' 'time: phase trial' 'energy: phase low' 'time of a step: full mode' \
    'energy of a step: low mode' 'time: handovers' 'energy: handovers'
holds "compare training explains dashes" "$WORK/stdout" 'A dash: the run has no such phase, mode or handover'
"$P" compare gpu gpu | grep -q 'A dash' && fail "compare without dashes" "explains what is not there" || pass "compare without dashes"
refuses "compare of both kinds" 2 "expected runs of one kind, found hpt/result.h5 (training) and serving/serving.h5 (serving)" \
    "$P" compare hpt serving
refuses "compare with an empty folder" 2 "empty: no finished run" "$P" compare hpt empty
