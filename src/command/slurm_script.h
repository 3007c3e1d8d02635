/* slurm_script.h - a batch script for SLURM, as text.
 *
 * What the script does, by its options, is told in its own comments; docs/clusters.md tells why. Exit status 75 of the
 * program means "stopped early with a checkpoint": a script with `requeue` hands itself back to the queue then and goes
 * on from the checkpoint. Sources: sbatch(1), srun(1), scontrol(1) of SLURM 22.05.
 */
#ifndef COMMAND_SLURM_SCRIPT_H
#define COMMAND_SLURM_SCRIPT_H

#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/status.h"

enum slurm_launcher { SLURM_SRUN_PMIX, SLURM_MPIRUN };

enum { SLURM_MAX_WORDS = 64 };

struct slurm_script {
    const char *name;      /* of the SLURM job */
    const char *program;   /* what to start, unless POLYRANK is set where the script runs */
    const char *verb;      /* train or serve; unused with a study */
    const char *job;       /* job file; NULL with a study */
    const char *study;     /* study file: an array, a task for each point; NULL: one job */
    const char *about;     /* one line on what runs, for a comment */
    const char *partition; /* NULL: the cluster's default; account too */
    const char *account;
    const char *word[SLURM_MAX_WORDS]; /* more arguments of train, serve or sweep, such as --set KEY=VALUE */
    const char *more[SLURM_MAX_WORDS]; /* more options of sbatch, such as --qos=long */
    int n_words, n_more;
    enum slurm_launcher launcher;
    int64_t nodes; /* 0: SLURM decides */
    int64_t tasks, cpus_per_task;
    int64_t points, at_once; /* study: tasks 1..points of the array, and how many run at a time (0: any number) */
    int64_t time_s, lead_s, checkpoint_s;
    int requeue;
};

/* Local. Writes the script. Every argument is quoted for the shell where it needs it. Fault STATUS_USAGE: a name that
 * would need quotes in a #SBATCH line, a line end in a path. */
enum status slurm_script_write(FILE *out, const struct slurm_script *script, struct arena *arena, struct fault *fault);

/* Local. A time as SLURM writes it: "1-02:03:04", "00:15:00". In the arena. */
const char *slurm_time(struct arena *arena, int64_t seconds);

/* Local. A word as the shell must read it: as it is, or in single quotes. In the arena. */
const char *slurm_quote(struct arena *arena, const char *word);

#endif
