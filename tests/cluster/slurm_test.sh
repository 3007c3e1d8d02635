# slurm_test.sh - batch scripts of polyrank slurm and of slurm/ in a SLURM of four nodes: srun with PMIx, mpirun, requeue on USR1 until
# done, an array with a job that collects, a heterogeneous job. Results equal those of plain mpirun, byte for byte.
. tests/cluster/lib.sh
export SLURM_DIR=$WORK/cluster
. tests/cluster/slurm.sh
export OMPI_MCA_btl=self,vader,tcp OMPI_MCA_btl_tcp_if_include=lo # all nodes have this machine's loopback
trap slurm_down EXIT
trap 'exit 1' TERM INT

plain_run() { # plain_run FOLDER: what same_run compares with
    (cd "$(folder "$1")" && works "$1 mpirun" mpirun -n 3 "$POLYRANK" train jobs/demo.yaml -q -o run --set "$epochs")
    [ -e "$WORK/$1/run/result.h5" ] || exit
}
epochs=train.epochs=10
plain_run plain

start=$(now_ms)
if slurm_up 4 4; then pass "four nodes"; else fail "four nodes" "SLURM does not start" "$SLURM_DIR/log/slurmctld.log"; exit 1; fi
echo "   SLURM $(sinfo --version | cut -d' ' -f2): 4 nodes up in $(seconds_since "$start") s"

state() { scontrol show job "$1" 2>/dev/null | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p' | sort -u; }
restarts() { scontrol show job "$1" | sed -n 's/.*Restarts=\([0-9]*\).*/\1/p' | head -n 1; }
ended() { # every part of the job has come to its end
    local got
    got=$(state "$1")
    [ -n "$got" ] && ! grep -qvxE 'COMPLETED|FAILED|TIMEOUT|CANCELLED|NODE_FAIL|OUT_OF_MEMORY' <<<"$got"
}
submit() { # submit FOLDER SCRIPT [ARGUMENT...]: the job's number
    (cd "$1" && shift && sbatch --parsable "$@")
}
completes() { # completes NAME JOB SECONDS FOLDER: ends in state COMPLETED
    local got start
    start=$(now_ms)
    slurm_until "$3" ended "$2"
    got=$(state "$2")
    echo "   $1: $got after $(seconds_since "$start") s"
    if [ "$got" = COMPLETED ]; then pass "$1"; else
        fail "$1" "state $got, expected COMPLETED"
        tail -n 8 "$4"/*.log | sed 's/^/      | /'
    fi
}
script() { # script FOLDER ARGUMENTS...: what polyrank slurm writes for the job, accepted by sbatch
    local folder=$1
    shift
    (cd "$folder" && "$POLYRANK" slurm jobs/demo.yaml --set output.directory=run --set "$epochs" "$@" -o job.sh --force) || return
    if bash -n "$folder/job.sh" && (cd "$folder" && sbatch --test-only job.sh) >"$WORK/test-only" 2>&1; then
        pass "sbatch takes the script of: $*"
    else
        fail "sbatch takes the script of: $*" "it does not" "$WORK/test-only"
    fi
}

for file in slurm/*.sh; do
    if sbatch --test-only "$file" jobs/demo.yaml >"$WORK/test-only" 2>&1; then pass "sbatch takes $file"; else
        fail "sbatch takes $file" "it does not" "$WORK/test-only"
    fi
done

# One job with each launcher, and the heterogeneous one.
place=$(folder srun)
script "$place" --nodes 3
completes "srun --mpi=pmix, 3 nodes" "$(submit "$place" job.sh)" 120 "$place"
same_run "srun --mpi=pmix" "$place"

place=$(folder mpirun)
script "$place" --launcher mpirun --nodes 2
completes "mpirun in a batch job, 2 nodes" "$(submit "$place" job.sh)" 120 "$place"
same_run "mpirun in a batch job" "$place"

place=$(folder het)
job=$(submit "$place" "$ROOT/slurm/hetjob.sh" jobs/demo.yaml --set output.directory=run --set "$epochs")
completes "heterogeneous job" "$job" 120 "$place"
same_run "heterogeneous job" "$place"

# The longer run that is stopped twice.
epochs=train.epochs=${EPOCHS:-80}
plain_run stopped
# Requeue. SLURM sends USR1 some time before the limit (LIMIT below); here scancel sends it, twice.
for launcher in srun-pmix mpirun; do
    place=$(folder "requeue-$launcher")
    script "$place" --requeue --launcher $launcher --time 2min --signal-lead 30s --nodes 2
    job=$(submit "$place" job.sh)
    to_shell=
    [ $launcher = srun-pmix ] || to_shell=--batch
    for wanted in 1 2; do
        slurm_until 60 sh -c "[ \"\$(scontrol show job $job | grep -c JobState=RUNNING)\" = 1 ]" || break
        sleep 2.5 # long enough to have begun, far from the end
        scancel --signal=USR1 $to_shell "$job"
        slurm_until 30 sh -c "[ \"\$(scontrol show job $job | sed -n 's/.*Restarts=\([0-9]*\).*/\1/p')\" -ge $wanted ]" || break
    done
    completes "requeue on USR1, $launcher" "$job" 120 "$place"
    n=$(restarts "$job")
    [ "$n" -ge 2 ] && pass "two restarts, $launcher" || fail "two restarts, $launcher" "$n restarts" "$place"/*.log
    same_run "after $n restarts, $launcher" "$place" stopped
done

# LIMIT=1: SLURM's own signal. It comes up to a minute early, so the run has to be long: set EPOCHS so that it takes 60 s to 150 s.
if [ -n "${LIMIT:-}" ]; then
    place=$(folder limit)
    script "$place" --requeue --time 1min --signal-lead 20s --ntasks 3 --nodes 1
    job=$(submit "$place" job.sh)
    completes "requeue at SLURM's own signal" "$job" 300 "$place"
    [ "$(restarts "$job")" -ge 1 ] && pass "restarted by the limit" || fail "restarted by the limit" "no restart" "$place"/*.log
    same_run "after $(restarts "$job") restarts at the limit" "$place" stopped
fi

# A study as an array; the first task queues the job that collects. The table equals that of a sweep in one process.
study() { # study FOLDER
    cat >"$1/study.yaml" <<END
name: study
job: jobs/demo.yaml
output: table
set: {output.trace: false, train.epochs: 1}
ranks: 2
runs: {grid: {train.optimiser.learning_rate: [0.0005, 0.001, 0.002], train.seed: [1, 2]}}
END
}
plain=$WORK/plain
study "$plain"
(cd "$plain" && works "plain sweep" "$POLYRANK" sweep study.yaml -q)
place=$(folder array)
study "$place"
(cd "$place" && "$POLYRANK" slurm --array study.yaml --at-once 4 -o job.sh)
job=$(submit "$place" job.sh)
completes "array of six points" "$job" 120 "$place"
collect=$(squeue -h -t all -n study-collect -o %A)
completes "the job that collects" "${collect:-0}" 60 "$place"
same "array: the table" "$plain/table/study.csv" "$place/table/study.csv"
