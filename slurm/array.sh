#!/bin/bash
# polyrank sweep studies/demo-seeds.yaml: 12 points on 1 ranks, a task of the array for each
# Written by `polyrank slurm`; submit with: sbatch FILE. Paths are relative to where you submit.
#SBATCH --job-name=demo-seeds
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --array=1-12%4
#SBATCH --output=%x-%A_%a.log
# A requeued job goes on in the same log.
#SBATCH --open-mode=append
#SBATCH --requeue
# Time to finish a step and write a checkpoint before the limit.
#SBATCH --signal=B:USR1@120
set -u
polyrank=${POLYRANK:-polyrank}

# When the job ends, for versions of SLURM that do not say so: the program stops in time.
end=$(squeue -h -j "$SLURM_JOB_ID" -o %e 2>/dev/null)
SLURM_JOB_END_TIME=${SLURM_JOB_END_TIME:-$(date -d "${end:-none}" +%s 2>/dev/null)}
export SLURM_JOB_END_TIME

study=studies/demo-seeds.yaml
# The first task queues the job that collects the results when all tasks have ended, failed ones too.
if [ "$SLURM_ARRAY_TASK_ID" = 1 ] && [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then
    sbatch --job-name=demo-seeds-collect --dependency="afterany:$SLURM_ARRAY_JOB_ID" --ntasks=1 --time=00:15:00 \
        --output=%x-%j.log --wrap="$(printf '%q ' "$polyrank" sweep "$study" --collect)"
fi

"$polyrank" sweep "$study" --index "$SLURM_ARRAY_TASK_ID" &
run=$!
trap 'kill -USR1 "$run" 2>/dev/null' USR1
wait "$run"
status=$?
while [ "$status" -gt 128 ] && kill -0 "$run" 2>/dev/null; do # a signal has ended the wait, not the run
    wait "$run"
    status=$?
done

[ "$status" != 138 ] || status=75 # USR1 came before the program could listen to it
if [ "$status" = 75 ]; then # stopped early, a checkpoint is written
    echo "requeue after ${SLURM_RESTART_COUNT:-0} restarts"
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$status"
