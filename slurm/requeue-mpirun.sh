#!/bin/bash
# polyrank train jobs/wind-hpt.yaml: 6 emulated devices on hpt, 7 ranks
# Written by `polyrank slurm`; submit with: sbatch FILE. Paths are relative to where you submit.
#SBATCH --job-name=wind-hpt
#SBATCH --nodes=2
#SBATCH --ntasks=7
#SBATCH --cpus-per-task=1
#SBATCH --time=04:00:00
#SBATCH --output=%x-%j.log
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

mpirun "$polyrank" train jobs/wind-hpt.yaml --resume auto --checkpoint-every 900s &
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
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
