#!/bin/bash
# A heterogeneous job: rank 0, which schedules, reads and writes files, on a node with much memory; the ranks that emulate devices on
# others. All are one MPI run: srun --mpi=pmix joins the two components (mpirun would see the first alone). SLURM has no arrays of
# heterogeneous jobs; emulated heterogeneity needs none of this, it is a matter of the cluster file.
#   sbatch hetjob.sh jobs/wind-hpt.yaml [OPTION...]
# Component 0: the scheduler.
#SBATCH --job-name=polyrank-het
#SBATCH --time=01:00:00
#SBATCH --output=%x-%j.log
#SBATCH --open-mode=append
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
# Such as: #SBATCH --partition=fat --mem=64G
#SBATCH hetjob
# Component 1: a rank for each emulated device.
#SBATCH --ntasks=6
#SBATCH --cpus-per-task=1
# Such as: #SBATCH --partition=thin --mem-per-cpu=2G
set -u
polyrank=${POLYRANK:-polyrank}
job=${1:?usage: sbatch hetjob.sh JOB [OPTION...]}
shift

srun --mpi=pmix --wait=60 --het-group=0,1 "$polyrank" train "$job" --resume auto "$@"
status=$?

if [ "$status" = 75 ]; then # stopped early, a checkpoint is written
    echo "stopped early with a checkpoint: submit this script again to go on"
fi
exit "$status"
