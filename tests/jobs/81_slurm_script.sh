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
    xargs "$P" <<<"$command --program polyrank" >"$WORK/made" 2>"$WORK/stderr"
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
        requeues=${#requeue}
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
        RC=138 runs "$WORK/script"
        if [ $? = $((requeues ? 75 : 138)) ]; then pass "early USR1, $launcher $requeue"; else
            fail "early USR1, $launcher $requeue" "exit status" "$WORK/stderr"
        fi
        RC=1 runs "$WORK/script"
        [ $? = 1 ] && ! grep -q scontrol "$WORK/record.txt" && pass "1 stays 1, $launcher $requeue" || fail "1 stays 1" "it does not"
    done
done
[ ! -e "$WORK/oops" ] && pass "no command runs from a name" || fail "no command runs from a name" "it did"

# an array: its first task, the first time, queues the job that collects
cp "$WORK/bin/record" "$WORK/bin/polyrank"
study="$WORK/a study's \$(touch oops) \"name\".yaml"
cat >"$study" <<X
name: study
job: $PWD/jobs/demo.yaml
ranks: 2
runs: {grid: {train.minibatch: {from: 2, to: 8, step: 1}}}
X
works "array" "$P" slurm --array "$study" --at-once 3 --partition long --program polyrank --set "name=it-s" --set "train.epochs=1"
cp "$WORK/stdout" "$WORK/script"
grep -qx '#SBATCH --array=1-7%3' "$WORK/script" && pass "array of 7" || fail "array of 7" "it is not" "$WORK/script"
grep -qx '#SBATCH --ntasks=2' "$WORK/script" && pass "two ranks a point" || fail "two ranks a point" "not so" "$WORK/script"
PROGRAM=polyrank TASK=1 runs "$WORK/script"
words="<--set> <name=it-s> <--set> <train.epochs=1>"
start="<--launcher> <srun --mpi=pmix --wait=60 -n {ranks}>"
recorded "first point" "polyrank <sweep> <$study> <--index> <1> $words $start"
grep -q '^sbatch.*<--dependency=afterany:40>.*<--partition=long>.*--collect --set' "$WORK/record.txt" && pass "collects" ||
    fail "collects" "no job queued" "$WORK/record.txt"
PROGRAM=polyrank TASK=5 runs "$WORK/script"
recorded "another point" "polyrank <sweep> <$study> <--index> <5> $words $start"
grep -q sbatch "$WORK/record.txt" && fail "collects once" "queued again" || pass "collects once"

# refusals
refuse() { local name=$1 want=$2 text=$3; shift 3; refuses_once "$name" "$want" "$text" "$P" slurm "$@"; }
out=$WORK/stdout err=$WORK/stderr
refuse "slurm without a job" 2 "no job: expected a job file"
refuse "slurm with an unknown job" 4 "nojob.yaml" nojob.yaml
refuse "job and study" 2 "found both" jobs/demo.yaml --array "$study"
refuse "a job for a study" 2 "jobs/demo.yaml" --array jobs/demo.yaml
refuse "too few ranks" 2 "--ntasks: expected at least 2" --array "$study" --ntasks 1
refuse "a wrong key" 2 "did you mean" jobs/demo.yaml --set train.epoch=3
refuse "no launcher" 2 "--launcher: expected srun-pmix or mpirun, found 'ssh'" jobs/demo.yaml --launcher ssh
refuse "no time" 2 "--time: expected a time" jobs/demo.yaml --time soon
refuse "lead too long" 2 "--signal-lead: expected less than --time" jobs/demo.yaml --requeue --time 100s
refuse "too many nodes" 2 "--nodes: expected at most one" jobs/demo.yaml --nodes 20 --ntasks 4
refuse "no option of sbatch" 2 "--sbatch: expected an option" jobs/demo.yaml --sbatch qos=high
refuse "a name with spaces" 2 "--name: expected a name" jobs/demo.yaml --name "a b"
refuse "an option of studies" 2 "expected with --array" jobs/demo.yaml --at-once 3
echo keep >"$WORK/old.sh"
refuse "an old script" 2 "--force replaces it" jobs/demo.yaml -o "$WORK/old.sh"
works "an old script, forced" "$P" slurm jobs/demo.yaml -o "$WORK/old.sh" --force
[ -x "$WORK/old.sh" ] && bash -n "$WORK/old.sh" && pass "written to a file" || fail "written to a file" "it is not"
