#!/bin/bash
# polyrank train jobs/wind.yaml: 4 emulated devices on 4xa100, 5 ranks
# Written by `polyrank slurm`; submit with: sbatch FILE. Paths are relative to where you submit.
#SBATCH --job-name=wind
#SBATCH --ntasks=5
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --output=%x-%j.log
# A requeued job goes on in the same log.
#SBATCH --open-mode=append
#SBATCH --no-requeue
set -u
polyrank=${POLYRANK:-polyrank}

# When the job ends, for versions of SLURM that do not say so: the program stops in time.
end=$(squeue -h -j "$SLURM_JOB_ID" -o %e 2>/dev/null)
SLURM_JOB_END_TIME=${SLURM_JOB_END_TIME:-$(date -d "${end:-none}" +%s 2>/dev/null)}
export SLURM_JOB_END_TIME

# --wait: a rank that dies must not leave the others waiting for it.
srun --mpi=pmix --wait=60 "$polyrank" train jobs/wind.yaml --resume auto
status=$?

if [ "$status" = 75 ]; then # stopped early, a checkpoint is written
    echo "stopped early with a checkpoint: submit this script again to go on"
fi
exit "$status"
