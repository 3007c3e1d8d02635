/* launcher.h - what a launcher or a batch system tells its processes through the environment.
 *
 * Nothing here decides a result: it says how many processes were started and when the batch system will end them.
 * Sources: srun(1) and sbatch(1) of SLURM 22.05, section "output environment variables"; Open MPI's FAQ for
 * OMPI_COMM_WORLD_SIZE; the PMI and PMIx standards for PMI_SIZE and PMIX_RANK.
 */
#ifndef BASE_LAUNCHER_H
#define BASE_LAUNCHER_H

/* Local. Processes that the launcher started with this one, and in *variable (not NULL) the name of the environment
 * variable that says so. 1 with *variable untouched when a launcher started this process but does not tell how many; 0:
 * no launcher. */
int launcher_size(const char **variable);

/* Local. Unix time (s) at which the batch system ends this job, 0 when it does not tell: SLURM_JOB_END_TIME. A value
 * that is no time counts as not told. */
double launcher_end_time_s(void);

#endif
