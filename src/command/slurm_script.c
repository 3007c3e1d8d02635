#include "command/slurm_script.h"

#include <inttypes.h>
#include <string.h>

const char *slurm_time(struct arena *arena, int64_t seconds)
{
    int64_t days = seconds / 86400;
    const char *clock = arena_printf(arena, "%02d:%02d:%02d", (int)(seconds / 3600 % 24), (int)(seconds / 60 % 60),
                                     (int)(seconds % 60));
    return days ? arena_printf(arena, "%" PRId64 "-%s", days, clock) : clock;
}

/* Means nothing but itself to the shell and to sbatch. */
static int is_plain(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
    return *word && strspn(word, plain) == strlen(word);
}

const char *slurm_quote(struct arena *arena, const char *word)
{
    if (is_plain(word))
        return word;
    char *quoted = arena_take(arena, 4 * strlen(word) + 3), *to = quoted;
    *to++ = '\'';
    for (const char *from = word; *from; from++) {
        if (*from == '\'') {
            to = stpcpy(to, "'\\''");
        } else {
            *to++ = *from;
        }
    }
    *to++ = '\'';
    return quoted;
}

static enum status check_values(const struct slurm_script *script, struct fault *fault)
{
    const struct {
        const char *option, *value;
    } names[] = {{"name", script->name}, {"partition", script->partition}, {"account", script->account}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].value && !is_plain(names[i].value))
            return fault_set(fault, STATUS_USAGE, "--%s: expected a name without spaces and quotes, found '%s'",
                             names[i].option, names[i].value);
    for (int i = 0; i < script->n_more; i++)
        if (strpbrk(script->more[i], "\r\n") || script->more[i][0] != '-')
            return fault_set(fault, STATUS_USAGE,
                             "--sbatch: expected an option of sbatch such as --qos=long, found '%s'", script->more[i]);
    const char *const texts[] = {script->program, script->job, script->study, script->about};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i] && strpbrk(texts[i], "\r\n"))
            return fault_set(fault, STATUS_USAGE, "'%s' has a line end in it: a batch script cannot hold it", texts[i]);
    return STATUS_OK;
}

static void write_where(FILE *out, const struct slurm_script *script)
{
    if (script->partition)
        fprintf(out, "#SBATCH --partition=%s\n", script->partition);
    if (script->account)
        fprintf(out, "#SBATCH --account=%s\n", script->account);
    if (script->nodes)
        fprintf(out, "#SBATCH --nodes=%" PRId64 "\n", script->nodes);
    fprintf(out, "#SBATCH --ntasks=%" PRId64 "\n#SBATCH --cpus-per-task=%" PRId64 "\n", script->tasks,
            script->cpus_per_task);
}

static void write_head(FILE *out, const struct slurm_script *script, struct arena *arena)
{
    fprintf(out, "#!/bin/bash\n# %s\n", script->about);
    fprintf(out, "# Written by `polyrank slurm`; submit with: sbatch FILE. Paths are relative to where you submit.\n");
    fprintf(out, "#SBATCH --job-name=%s\n", script->name);
    write_where(out, script);
    fprintf(out, "#SBATCH --time=%s\n", slurm_time(arena, script->time_s));
    if (script->study) {
        fprintf(out, "#SBATCH --array=1-%" PRId64, script->points);
        if (script->at_once)
            fprintf(out, "%%%" PRId64, script->at_once);
        fprintf(out, "\n");
    }
    fprintf(out, "#SBATCH --output=%s\n", script->study ? "%x-%A_%a.log" : "%x-%j.log");
    fprintf(out, "# A requeued job goes on in the same log.\n#SBATCH --open-mode=append\n");
    if (!script->requeue) {
        fprintf(out, "#SBATCH --no-requeue\n");
    } else {
        /* mpirun is no job step: the signal has to go to the batch shell, which hands it on. */
        int to_shell = script->study || script->launcher == SLURM_MPIRUN;
        fprintf(out, "#SBATCH --requeue\n# Time to finish a step and write a checkpoint before the limit.\n");
        fprintf(out, "#SBATCH --signal=%sUSR1@%" PRId64 "\n", to_shell ? "B:" : "", script->lead_s);
    }
    for (int i = 0; i < script->n_more; i++)
        fprintf(out, "#SBATCH %s\n", script->more[i]);
    fprintf(out, "set -u\npolyrank=${POLYRANK:-%s}\n\n", slurm_quote(arena, script->program));
}

/* The program stops in time by itself when it knows the end of the job. */
static void write_end_time(FILE *out)
{
    fprintf(out, "# When the job ends, for versions of SLURM that do not say so: the program stops in time.\n"
                 "end=$(squeue -h -j \"$SLURM_JOB_ID\" -o %%e 2>/dev/null)\n"
                 "SLURM_JOB_END_TIME=${SLURM_JOB_END_TIME:-$(date -d \"${end:-none}\" +%%s 2>/dev/null)}\n"
                 "export SLURM_JOB_END_TIME\n\n");
}

/* In the background, so that the shell can hand a signal on while it waits. */
static void write_wait(FILE *out)
{
    fprintf(out,
            " &\nrun=$!\n"
            "trap 'kill -USR1 \"$run\" 2>/dev/null' USR1\n"
            "wait \"$run\"\nstatus=$?\n"
            "while [ \"$status\" -gt 128 ] && kill -0 \"$run\" 2>/dev/null; do # a signal has ended the wait, not the "
            "run\n"
            "    wait \"$run\"\n    status=$?\ndone\n");
}

static void write_words(FILE *out, const struct slurm_script *script, struct arena *arena)
{
    for (int i = 0; i < script->n_words; i++)
        fprintf(out, " %s", slurm_quote(arena, script->word[i]));
}

static void write_run(FILE *out, const struct slurm_script *script, struct arena *arena)
{
    if (script->launcher == SLURM_SRUN_PMIX)
        fprintf(out, "# --wait: a rank that dies must not leave the others waiting for it.\n"
                     "srun --mpi=pmix --wait=60 ");
    else
        fprintf(out, "mpirun ");
    fprintf(out, "\"$polyrank\" %s %s", script->verb, slurm_quote(arena, script->job));
    write_words(out, script, arena);
    fprintf(out, " --resume auto");
    if (script->checkpoint_s)
        fprintf(out, " --checkpoint-every %" PRId64 "s", script->checkpoint_s);
    if (script->requeue && script->launcher == SLURM_MPIRUN)
        write_wait(out);
    else
        fprintf(out, "\nstatus=$?\n");
}

static void write_end(FILE *out, const struct slurm_script *script)
{
    if (script->requeue)
        fprintf(out, "\n[ \"$status\" != 138 ] || status=75 # USR1 came before the program could listen to it\n");
    fprintf(out, "%sif [ \"$status\" = 75 ]; then # stopped early, a checkpoint is written\n",
            script->requeue ? "" : "\n");
    if (script->requeue)
        fprintf(out,
                "    echo \"requeue after ${SLURM_RESTART_COUNT:-0} restarts\"\n"
                "    scontrol requeue \"%s\"\n",
                script->study ? "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}" : "$SLURM_JOB_ID");
    else
        fprintf(out, "    echo \"stopped early with a checkpoint: submit this script again to go on\"\n");
    fprintf(out, "fi\nexit \"$status\"\n");
}

static void write_point(FILE *out, const struct slurm_script *script, struct arena *arena)
{
    fprintf(out, "\"$polyrank\" sweep \"$study\" --index \"$SLURM_ARRAY_TASK_ID\"");
    write_words(out, script, arena);
    if (script->tasks > 1)
        fprintf(out, " --launcher %s",
                script->launcher == SLURM_MPIRUN ? "'mpirun -n {ranks}'" : "'srun --mpi=pmix --wait=60 -n {ranks}'");
    if (script->requeue)
        write_wait(out);
    else
        fprintf(out, "\nstatus=$?\n");
}

/* The first task queues the job that collects, once. */
static void write_collect(FILE *out, const struct slurm_script *script, struct arena *arena)
{
    fprintf(out, "study=%s\n", slurm_quote(arena, script->study));
    fprintf(out,
            "# The first task queues the job that collects the results when all tasks have ended, failed ones too.\n");
    fprintf(out, "if [ \"$SLURM_ARRAY_TASK_ID\" = 1 ] && [ \"${SLURM_RESTART_COUNT:-0}\" = 0 ]; then\n");
    fprintf(out, "    sbatch --job-name=%s-collect --dependency=\"afterany:$SLURM_ARRAY_JOB_ID\" --ntasks=1",
            script->name);
    if (script->partition)
        fprintf(out, " --partition=%s", slurm_quote(arena, script->partition));
    if (script->account)
        fprintf(out, " --account=%s", slurm_quote(arena, script->account));
    fprintf(out, " --time=00:15:00 \\\n        --output=%%x-%%j.log --wrap=\"$(printf '%%q ' \"$polyrank\" sweep "
                 "\"$study\" --collect");
    write_words(out, script, arena);
    fprintf(out, ")\"\nfi\n\n");
}

enum status slurm_script_write(FILE *out, const struct slurm_script *script, struct arena *arena, struct fault *fault)
{
    enum status status = check_values(script, fault);
    if (status != STATUS_OK)
        return status;
    write_head(out, script, arena);
    write_end_time(out);
    if (script->study) {
        write_collect(out, script, arena);
        write_point(out, script, arena);
    } else {
        write_run(out, script, arena);
    }
    write_end(out, script);
    return ferror(out) ? fault_set(fault, STATUS_IO, "cannot write the batch script") : STATUS_OK;
}
