# 45_calibrate.sh - calibration from a measured run and the replay of one, through the real program.
. tests/jobs/lib.sh

P=$POLYRANK
RUN=tests/golden/serving/vllm-rtx-pro-6000-llama-3.1-8b.csv

# What is written is a cluster that the replay can use; nothing is overwritten without --force.
works "calibrate" "$P" devices --calibrate $RUN --train-share 1 --out "$WORK/own.yaml"
works "the calibrated cluster is one" "$P" check "$WORK/own.yaml"
works "replay on it" "$P" reproduce serving --run $RUN --cluster "$WORK/own.yaml"
cp "$WORK/stdout" "$WORK/once"
works "replay on 3 ranks" mpirun --timeout $LIMIT -n 3 "$P" reproduce serving --run $RUN --cluster "$WORK/own.yaml"
same "replays are the same" "$WORK/once" "$WORK/stdout"
if tail -n 1 "$WORK/once" | grep -qE '^rows 60, mean [0-9.]+ %, max [0-9.]+ %, failed 0$'; then pass "last line"; else
    fail "last line" "is not 'rows 60, ...'" "$WORK/once"
fi
refuses "an existing cluster file" 2 "own.yaml: File exists: --force replaces it" "$P" devices --calibrate $RUN --train-share 1 --out "$WORK/own.yaml"
works "an existing cluster file, forced" "$P" devices --calibrate $RUN --train-share 1 --out "$WORK/own.yaml" --force

# A request that cannot be compared fails, and is counted.
awk -F, 'BEGIN { OFS = "," } NR == 5 { $4++ } NR < 20 { print $2, $3, $4 }' $RUN >"$WORK/other.csv"
"$P" reproduce serving --run $RUN --trace "$WORK/other.csv" >"$WORK/stdout" 2>"$WORK/stderr"
if [ $? = 3 ] && tail -n 1 "$WORK/stdout" | grep -q 'rows 51, .* failed 3$' && grep -q '3 requests are not in both files' "$WORK/stderr"; then
    pass "requests that cannot be compared"
else
    fail "requests that cannot be compared" "not 3 of 20, with exit status 3" "$WORK/stdout"
fi

refuses "no measured run" 2 "there is no column queue_ms of a measured run" "$P" reproduce serving --run "$WORK/other.csv"
refuses "no run" 2 "expected --run FILE" "$P" reproduce serving
refuses "no file" 4 "nowhere.csv" "$P" reproduce serving --run nowhere.csv
refuses "an unknown cluster" 4 "nowhere.yaml" "$P" reproduce serving --run $RUN --cluster nowhere.yaml
refuses "an unknown model" 2 "decoder.model: expected a model of the catalogue, found 'llama-9'" "$P" reproduce serving --run $RUN --model llama-9
refuses "an unknown GPU" 2 "no GPU 'rtx' in the catalogue" "$P" devices --calibrate $RUN --profile rtx
refuses "too few requests" 2 "expected 8 to 20 requests to calibrate with" "$P" devices --calibrate $RUN --train-share 0.2
refuses "an option without --calibrate" 2 "expected --calibrate FILE" "$P" devices --profile h100-sxm
refuses "a budget below the batch" 2 "token_budget" "$P" reproduce serving --run $RUN --token-budget 64
