# 81_slurm_script.sh - polyrank slurm: what it writes is bash, says what was asked for, and quotes; what it refuses. tests/cluster runs
# such scripts in a SLURM.
. tests/jobs/lib.sh
P=$POLYRANK

# The examples in slurm/ are what the commands in slurm/README.md write.
while IFS='|' read -r _ script _ command _; do
    script=$(echo "$script" | tr -d '` ') command=$(echo "$command" | tr -d '`' | sed 's/^ *polyrank //; s/ *$//')
    case $command in
    slurm*) ;;
    *) continue ;;
    esac
    cp jobs/demo.yaml "$WORK/study.yaml" # stands for any
    sed "s|study.yaml|$WORK/study.yaml|" <<<"$command --program polyrank" | xargs "$P" >"$WORK/made" 2>"$WORK/stderr"
    sed -i "s|$WORK/||" "$WORK/made"
    [ -z "${UPDATE_SLURM:-}" ] || { cp "$WORK/made" "slurm/$script" && chmod +x "slurm/$script"; }
    same "slurm/$script is as written" "slurm/$script" "$WORK/made"
done <slurm/README.md
for script in slurm/*.sh; do bash -n "$script" && pass "$script is bash" || fail "$script is bash" "it is not"; done

# runs SCRIPT: in bash, with launchers and SLURM's tools that only record how they were called; rc is the program's.
mkdir "$WORK/bin"
cat >"$WORK/bin/record" <<'X'
#!/bin/bash
{ printf '%s' "${0##*/}"; printf ' <%s>' "$@"; echo; } >>"$RECORD"
[ "${0##*/}" != srun ] && [ "${0##*/}" != mpirun ] || exit "${RC:-0}"
X
chmod +x "$WORK/bin/record"
for tool in srun mpirun scontrol sbatch squeue; do ln -s record "$WORK/bin/$tool"; done
runs() { (cd "$WORK" && : >record.txt && RECORD=$WORK/record.txt PATH=$WORK/bin:$PATH SLURM_JOB_ID=42 SLURM_ARRAY_JOB_ID=40 \
    SLURM_ARRAY_TASK_ID=${TASK:-0} RC=${RC:-0} POLYRANK=${PROGRAM:-$P} bash "$1" >stdout 2>stderr); }
recorded() { # recorded NAME LINE
    if grep -qxF -- "$2" "$WORK/record.txt"; then pass "$1"; else fail "$1" "no call '$2'" "$WORK/record.txt"; fi
}

odd="$WORK/a job's \$(touch oops) \"name\".yaml"
sed "s|\.\./clusters|$PWD/clusters|; s|\.\./data|$PWD/data|" jobs/demo.yaml >"$odd"
for launcher in srun-pmix mpirun; do
    for requeue in "" --requeue; do
        works "script for $launcher $requeue" "$P" slurm "$odd" $requeue --launcher $launcher --time 90min --nodes 2 --ntasks 9 \
            --cpus-per-task 2 --partition long --account me --sbatch=--qos=high --set "name=it-s" --set "output.directory=it's" || continue
        cp "$WORK/stdout" "$WORK/script"
        bash -n "$WORK/script" && pass "bash, $launcher" || fail "bash, $launcher" "it is not"
        for line in --nodes=2 --ntasks=9 --cpus-per-task=2 --partition=long --account=me --time=01:30:00 --qos=high --job-name=it-s; do
            grep -qx "#SBATCH $line" "$WORK/script" || fail "script for $launcher $requeue" "no line #SBATCH $line"
        done
        RC=75 runs "$WORK/script"
        [ $? = 75 ] && pass "passes 75 on, $launcher $requeue" || fail "passes 75 on, $launcher $requeue" "it does not" "$WORK/stderr"
        call="<train> <$odd> <--set> <name=it-s> <--set> <output.directory=it's> <--resume> <auto>${requeue:+ <--checkpoint-every> <900s>}"
        start="srun <--mpi=pmix> <--wait=60> <$P>"
        [ $launcher = srun-pmix ] || start="mpirun <$P>"
        recorded "quoting, $launcher $requeue" "$start $call"
        if [ -n "$requeue" ]; then recorded "requeue, $launcher" "scontrol <requeue> <42>"; else
            grep -q scontrol "$WORK/record.txt" && fail "no requeue, $launcher" "requeued" || pass "no requeue, $launcher"
        fi
        RC=1 runs "$WORK/script"
        [ $? = 1 ] && ! grep -q scontrol "$WORK/record.txt" && pass "1 stays 1, $launcher $requeue" || fail "1 stays 1" "it does not"
    done
done
[ ! -e "$WORK/oops" ] && pass "no command runs from a name" || fail "no command runs from a name" "it did"

# an array: its first task, the first time, queues the job that collects
cp "$WORK/bin/record" "$WORK/bin/polyrank"
works "array" "$P" slurm --array "$odd" --points 7 --at-once 3 --name study --partition long --program polyrank
cp "$WORK/stdout" "$WORK/script"
grep -qx '#SBATCH --array=0-6%3' "$WORK/script" && pass "array of 7" || fail "array of 7" "it is not" "$WORK/script"
PROGRAM=polyrank TASK=0 runs "$WORK/script"
recorded "first point" "polyrank <sweep> <$odd> <--index> <0>"
grep -q '^sbatch.*<--dependency=afterany:40>.*<--partition=long>.*--collect' "$WORK/record.txt" && pass "collects" ||
    fail "collects" "no job queued" "$WORK/record.txt"
PROGRAM=polyrank TASK=5 runs "$WORK/script"
recorded "another point" "polyrank <sweep> <$odd> <--index> <5>"
grep -q sbatch "$WORK/record.txt" && fail "collects once" "queued again" || pass "collects once"

# refusals
refuse() { local name=$1 want=$2 text=$3; shift 3; refuses_once "$name" "$want" "$text" "$P" slurm "$@"; }
out=$WORK/stdout err=$WORK/stderr
refuse "slurm without a job" 2 "no job: expected a job file"
refuse "slurm with an unknown job" 4 "nojob.yaml" nojob.yaml
refuse "job and study" 2 "found both" jobs/demo.yaml --array jobs/demo.yaml --points 2
refuse "a wrong key" 2 "did you mean" jobs/demo.yaml --set train.epoch=3
refuse "no launcher" 2 "--launcher: expected srun-pmix or mpirun, found 'ssh'" jobs/demo.yaml --launcher ssh
refuse "no time" 2 "--time: expected a time" jobs/demo.yaml --time soon
refuse "lead too long" 2 "--signal-lead: expected less than --time" jobs/demo.yaml --requeue --time 100s
refuse "too many nodes" 2 "--nodes: expected at most one" jobs/demo.yaml --nodes 20 --ntasks 4
refuse "no option of sbatch" 2 "--sbatch: expected an option" jobs/demo.yaml --sbatch qos=high
refuse "a name with spaces" 2 "--name: expected a name" jobs/demo.yaml --name "a b"
refuse "points without a study" 2 "expected with --array" jobs/demo.yaml --points 3
echo keep >"$WORK/old.sh"
refuse "an old script" 2 "--force replaces it" jobs/demo.yaml -o "$WORK/old.sh"
works "an old script, forced" "$P" slurm jobs/demo.yaml -o "$WORK/old.sh" --force
[ -x "$WORK/old.sh" ] && bash -n "$WORK/old.sh" && pass "written to a file" || fail "written to a file" "it is not"
