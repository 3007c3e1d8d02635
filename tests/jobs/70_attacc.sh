# 70_attacc.sh - the published AttAcc simulator's tables, own configurations and the claims, through the program.
. tests/jobs/lib.sh

tables=tests/golden/attacc
for table in gpu pim onehead cycles published; do
    rows=$(($(wc -l <"$tables/$table.csv") - 1))
    works "$table" "$POLYRANK" reproduce attacc "$tables/$table.csv" || continue
    last=$(tail -n 1 "$WORK/stdout")
    case $last in
    "rows $rows, mean "*", failed 0") pass "$table: last line" ;;
    *) fail "$table: last line" "$last" ;;
    esac
done
grep -q 'stated, not judged' "$WORK/stdout" && pass "published cycles are stated" || fail "published cycles are stated" "not said" "$WORK/stdout"

# A number of the table changed: exit status 3, and the table is still printed.
awk -F, -v OFS=, 'NR == 3 { $7 = int($7 * 1.2) } { print }' "$tables/cycles.csv" >"$WORK/wrong.csv"
"$POLYRANK" reproduce attacc "$WORK/wrong.csv" >"$WORK/told" 2>"$WORK/stderr"
status=$?
if [ $status = 3 ] && grep -q 'failed 1$' "$WORK/told" && grep -q '^polyrank: 1 of ' "$WORK/stderr"; then pass "a wrong row"; else
    fail "a wrong row" "exit status $status" "$WORK/stderr"
fi
refuses "no such table" 4 "cannot be opened" "$POLYRANK" reproduce attacc "$WORK/none.csv"
refuses "another table" 2 "expected a table of the AttAcc simulator" "$POLYRANK" reproduce attacc tests/golden/systolic.csv
refuses "nothing asked" 2 "expected one of a table, --headline and an own configuration" "$POLYRANK" reproduce attacc
refuses "two things asked" 2 "expected one of a table" "$POLYRANK" reproduce attacc "$tables/gpu.csv" --headline
refuses "unknown model" 2 "--model: expected a model such as GPT-175B" "$POLYRANK" reproduce attacc --model GPT-5
refuses "units without PIM" 2 "--pim and --power-limit go with --system dgx-attacc" "$POLYRANK" reproduce attacc --system dgx --pim bank
refuses "pipelining without PIM" 2 "go with dgx-attacc only" "$POLYRANK" reproduce attacc --system dgx --pipeline
refuses "no stage" 2 "lout: expected 2 to" "$POLYRANK" reproduce attacc --lout 1
refuses "odd batch" 2 "--batch: expected a whole number" "$POLYRANK" reproduce attacc --batch 1,x
refuses "option of the other" 2 "an option does not go with attacc" "$POLYRANK" reproduce attacc --seed 1

# Own configurations: a row per batch, parts of the time sum to 100 %.
works "own configurations" "$POLYRANK" reproduce attacc --model LLAMA-65B --lin 512 --lout 64 --batch 1,8 --power-limit --pipeline --ff && {
    sums=$(awk '/^ *[0-9]+  / { t = 0; for (i = 7; i <= 12; i++) t += $i; e = $13 + $14 + $15 + $16; print (t > 99.6 && t < 100.4 && e > 99.7 && e < 100.3) }' "$WORK/stdout" | tr -d '\n')
    [ "$sums" = 11 ] && pass "parts sum" || fail "parts sum" "'$sums', expected two rows" "$WORK/stdout"
}
for system in dgx 2xdgx dgx-cpu dgx-attacc; do
    works "$system" "$POLYRANK" reproduce attacc --system $system --batch 2 --word W8A8 --lin 100 --lout 10
done
works "the claims" "$POLYRANK" reproduce attacc --headline && {
    grep -q 'abstract: against the conventional' "$WORK/stdout" && pass "the paper is told" || fail "the paper is told" "not" "$WORK/stdout"
    # LLAMA-65B at B 117 is within 1 % of the public simulator's 2.87x and 2.67x
    awk '/^LLAMA-65B/ { print ($12 > 2.84 && $12 < 2.90 && $13 > 2.64 && $13 < 2.70) }' "$WORK/stdout" | grep -qx 1 &&
        pass "the gains are the public simulator's" || fail "the gains" "others" "$WORK/stdout"
}
