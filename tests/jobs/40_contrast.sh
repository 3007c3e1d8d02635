# 40_contrast.sh - polyrank contrast: the ratio is what its parts say, a trial costs what it must, a row that cannot be is told.
. tests/jobs/lib.sh

mkdir -p "$WORK/contrast"
cat >"$WORK/contrast/here.csv" <<EOF
group,label,x,base,run,set_base,set_run
a,early,1,jobs/hpt/wind-gpu.yaml,jobs/hpt/wind.yaml,train.steps=500,train.steps=500; train.switch.at_step=50; train.switch.trial_steps=10
a,"late, eager",2,jobs/hpt/wind-gpu.yaml,jobs/hpt/wind.yaml,train.steps=500; cluster.devices[0].launch_s=10 us,train.steps=500; train.switch.at_step=250; train.switch.trial_steps=10; cluster.devices[0].launch_s=10 us; cluster.devices[0].idle_w=0 W
a,no trial,3,jobs/hpt/wind-gpu.yaml,jobs/hpt/wind.yaml,train.steps=500,train.steps=500; train.switch.at_step=50; train.switch.trial_steps=0
EOF
cp -r jobs clusters "$WORK/contrast/"
works "contrast" "$POLYRANK" contrast "$WORK/contrast/here.csv" --csv "$WORK/contrast/out.csv"
tail -1 "$WORK/stdout" | grep -q '^rows 3, mean .* failed 0$' && pass "contrast: last line" || fail "contrast: last line" "another" "$WORK/stdout"
works "contrast: the ratio is 1 / (f + t + (1 - f) / s)" awk -F, '
    END { exit n != 3 }
    NR > 1 {
        line = $0
        gsub(/"[^"]*"/, "text", line); split(line, c, ",")
        ratio = 1 / (c[13] + c[14] + (1 - c[13]) / c[15])
        if (c[4] <= 0 || c[7] <= 0 || (ratio - c[6]) ^ 2 > 1e-8 * c[6] ^ 2) exit 1
        n++
    }' "$WORK/contrast/out.csv"
works "contrast: each line of the CSV has a field for each column" awk -F, '
    { line = $0; gsub(/"[^"]*"/, "text", line); n = split(line, c, ","); if (NR == 1) columns = n; if (n != columns) exit 1 }
    END { exit NR != 4 }' "$WORK/contrast/out.csv"
works "contrast: launches cost time, an idle GPU and a trial energy" awk -F, '
    NR > 1 {
        line = $0
        gsub(/"[^"]*"/, "text", line); split(line, c, ",")
        gpu_s[NR - 1] = c[4]; run_j[NR - 1] = c[8]; trial[NR - 1] = c[12]; idle_j[NR - 1] = c[22]
    }
    END {
        exit !(gpu_s[2] > gpu_s[1] && gpu_s[1] == gpu_s[3] && idle_j[1] > 0 && idle_j[2] == 0 && trial[1] == 10 &&
               trial[3] == 0 && run_j[1] > run_j[3])
    }' "$WORK/contrast/out.csv"
sed '3s/at_step=250/at_step=500/' "$WORK/contrast/here.csv" >"$WORK/contrast/bad.csv"
"$POLYRANK" contrast "$WORK/contrast/bad.csv" --csv "$WORK/contrast/bad-out.csv" >"$WORK/stdout" 2>"$WORK/stderr"
[ $? = 1 ] && tail -1 "$WORK/stdout" | grep -q '^rows 2, .* failed 1$' && grep -q 'train.switch.at_step' "$WORK/stdout" &&
    pass "contrast: a row that cannot be predicted" || fail "contrast: a row that cannot be predicted" "not told" "$WORK/stdout"
works "contrast: a line of the CSV that cannot be predicted has as many" awk -F, '
    { line = $0; gsub(/"[^"]*"/, "text", line); n = split(line, c, ","); if (NR == 1) columns = n; if (n != columns) exit 1 }
    END { exit NR != 4 }' "$WORK/contrast/bad-out.csv"
sed '2s/wind-gpu.yaml/wind.yaml/; 2s/,train.steps=500,/,train.steps=500; train.switch.at_step=50; train.switch.trial_steps=0,/' "$WORK/contrast/here.csv" >"$WORK/contrast/base.csv"
"$POLYRANK" contrast "$WORK/contrast/base.csv" >"$WORK/stdout" 2>"$WORK/stderr"
grep -q 'expected a base that trains all parameters to the end' "$WORK/stdout" &&
    pass "contrast: a base that switches" || fail "contrast: a base that switches" "not refused" "$WORK/stdout"
