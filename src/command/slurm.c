/* slurm.c - polyrank slurm: a batch script that runs a job, or a study as an array. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unit.h"
#include "command/command.h"
#include "command/slurm_script.h"
#include "config/job.h"
#include "study/points.h"

struct slurm_input {
    struct fault *fault;
    struct slurm_script script;
    const char *overrides[SLURM_MAX_WORDS];
    int n_overrides;
    const char *out;
    int force;
};

enum {
    KEY_NODES = 256,
    KEY_NTASKS,
    KEY_CPUS,
    KEY_TIME,
    KEY_PARTITION,
    KEY_ACCOUNT,
    KEY_LAUNCHER,
    KEY_REQUEUE,
    KEY_SIGNAL_LEAD,
    KEY_CHECKPOINT_EVERY,
    KEY_ARRAY,
    KEY_AT_ONCE,
    KEY_NAME,
    KEY_PROGRAM,
    KEY_SBATCH
};

static const struct argp_option options_table[] = {
    {"nodes", KEY_NODES, "N", 0, "nodes (default: SLURM decides)", 1},
    {"ntasks", KEY_NTASKS, "N", 0,
     "ranks (default: a scheduler and a rank for each emulated device; 1 where one process "
     "does all the work)",
     1},
    {"cpus-per-task", KEY_CPUS, "N", 0, "cores of a rank (default 1)", 1},
    {"time", KEY_TIME, "TIME", 0, "limit of wall time, e.g. 30min or 12h (default 1h)", 1},
    {"partition", KEY_PARTITION, "NAME", 0, "partition (default: the cluster's)", 1},
    {"account", KEY_ACCOUNT, "NAME", 0, "account (default: yours)", 1},
    {"sbatch", KEY_SBATCH, "OPTION", 0, "another option of sbatch (repeatable), e.g. --sbatch=--qos=long", 1},
    {"launcher", KEY_LAUNCHER, "WHAT", 0, "srun-pmix (default) or mpirun", 2},
    {"requeue", KEY_REQUEUE, NULL, 0, "before the time limit: checkpoint, back into the queue, go on from there", 2},
    {"signal-lead", KEY_SIGNAL_LEAD, "TIME", 0, "with --requeue: so long before the limit (default 120 s)", 2},
    {"checkpoint-every", KEY_CHECKPOINT_EVERY, "TIME", 0,
     "with --requeue: also so often, against lost nodes (default "
     "15min)",
     2},
    {"array", KEY_ARRAY, "STUDY", 0, "instead of JOB: the points of a study as an array, and a job that collects", 3},
    {"at-once", KEY_AT_ONCE, "N", 0, "with --array: points that run at the same time (default: any number)", 3},
    {"set", 's', "KEY=VALUE", 0, "override a key of the job, or of all points (repeatable)", 4},
    {"name", KEY_NAME, "NAME", 0, "name of the SLURM job (default: the job's)", 4},
    {"program", KEY_PROGRAM, "PATH", 0, "the program to start (default: this one)", 4},
    {"output", 'o', "FILE", 0, "write the script there (default: to stdout)", 5},
    {"force", 'f', NULL, 0, "replace FILE if it exists", 5},
    {0},
};

static error_t refuse(const struct slurm_input *input, const char *option, const char *expected, const char *found)
{
    fault_set(input->fault, STATUS_USAGE, "--%s: expected %s, found '%s'", option, expected, found);
    return EINVAL;
}

static error_t parse_count(const struct slurm_input *input, const char *option, const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoll(text, &end, 10);
    if (errno || end == text || *end || *value < 1 || *value > 10000000)
        return refuse(input, option, "a whole number from 1 to 10 million", text);
    return 0;
}

static error_t parse_time(const struct slurm_input *input, const char *option, const char *text, int64_t *value)
{
    double seconds;
    if (unit_parse(text, UNIT_SECONDS, &seconds) || !(seconds >= 1) || seconds > 1e9)
        return refuse(input, option, "a time of at least 1 s such as 30min or 12h", text);
    *value = (int64_t)(seconds + 0.5);
    return 0;
}

static error_t parse_launcher(struct slurm_input *input, const char *text)
{
    if (strcmp(text, "srun-pmix") == 0)
        input->script.launcher = SLURM_SRUN_PMIX;
    else if (strcmp(text, "mpirun") == 0)
        input->script.launcher = SLURM_MPIRUN;
    else
        return refuse(input, "launcher", "srun-pmix or mpirun", text);
    return 0;
}

static error_t add(const struct slurm_input *input, const char *option, const char **list, int *n, const char *text)
{
    if (*n == SLURM_MAX_WORDS / 2)
        return refuse(input, option, "at most 32 of them", text);
    list[(*n)++] = text;
    return 0;
}

static error_t parse_size(int key, char *arg, struct slurm_input *input)
{
    struct slurm_script *script = &input->script;
    switch (key) {
    case KEY_NODES:
        return parse_count(input, "nodes", arg, &script->nodes);
    case KEY_NTASKS:
        return parse_count(input, "ntasks", arg, &script->tasks);
    case KEY_CPUS:
        return parse_count(input, "cpus-per-task", arg, &script->cpus_per_task);
    case KEY_AT_ONCE:
        return parse_count(input, "at-once", arg, &script->at_once);
    case KEY_TIME:
        return parse_time(input, "time", arg, &script->time_s);
    case KEY_SIGNAL_LEAD:
        return parse_time(input, "signal-lead", arg, &script->lead_s);
    case KEY_CHECKPOINT_EVERY:
        return parse_time(input, "checkpoint-every", arg, &script->checkpoint_s);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_word(int key, char *arg, struct slurm_input *input)
{
    struct slurm_script *script = &input->script;
    switch (key) {
    case KEY_PARTITION:
        script->partition = arg;
        return 0;
    case KEY_ACCOUNT:
        script->account = arg;
        return 0;
    case KEY_ARRAY:
        script->study = arg;
        return 0;
    case KEY_NAME:
        script->name = arg;
        return 0;
    case KEY_PROGRAM:
        script->program = arg;
        return 0;
    case 'o':
        input->out = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct slurm_input *input = state->input;
    struct slurm_script *script = &input->script;
    error_t error = parse_size(key, arg, input);
    if (error == ARGP_ERR_UNKNOWN)
        error = parse_word(key, arg, input);
    if (error != ARGP_ERR_UNKNOWN)
        return error;
    switch (key) {
    case KEY_LAUNCHER:
        return parse_launcher(input, arg);
    case KEY_REQUEUE:
        script->requeue = 1;
        return 0;
    case KEY_SBATCH:
        return add(input, "sbatch", script->more, &script->n_more, arg);
    case 's':
        return add(input, "set", input->overrides, &input->n_overrides, arg);
    case 'f':
        input->force = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (script->job)
            return ARGP_ERR_UNKNOWN;
        script->job = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options_table,
    parse,
    "JOB",
    "Writes a batch script for SLURM that runs JOB, or with --array the points of a study. It starts the ranks with "
    "the "
    "launcher that is named, goes on from the newest checkpoint when it is submitted again, and with --requeue does so "
    "by itself until the job is done.\v"
    "Ready-made scripts with comments lie in slurm/, reasons and remedies in docs/clusters.md.\n\n"
    "examples:\n"
    "  polyrank slurm jobs/wind.yaml | sbatch\n"
    "  polyrank slurm jobs/wind-hpt.yaml --requeue --time 4h --nodes 2 -o wind.sh && sbatch wind.sh\n"
    "  polyrank slurm --array studies/demo-seeds.yaml --at-once 4 | sbatch",
    NULL,
    NULL,
    NULL};

static int64_t count_devices(const struct job *job)
{
    int64_t n = 0;
    for (int i = 0; i < job->cluster.n_devices; i++)
        n += job->cluster.device[i].count;
    return n;
}

static void pass_overrides(struct slurm_input *input)
{
    struct slurm_script *script = &input->script;
    for (int i = 0; i < input->n_overrides; i++) {
        script->word[script->n_words++] = "--set";
        script->word[script->n_words++] = input->overrides[i];
    }
}

/* Reads the job: is it one, what does it need? */
static enum status describe_job(struct slurm_input *input, struct arena *arena, struct fault *fault)
{
    struct slurm_script *script = &input->script;
    struct job job;
    enum status status = job_read(arena, script->job, input->overrides, input->n_overrides, &job, fault);
    if (status != STATUS_OK)
        return status;
    int64_t devices = count_devices(&job);
    int trains = job.model.preset != NULL, alone = !trains && !job.decoder.file;
    script->verb = trains ? "train" : "serve";
    if (!script->tasks)
        script->tasks = alone ? 1 : devices + 1;
    if (!script->name)
        script->name = job.name;
    script->about = arena_printf(arena, "polyrank %s %s: %lld emulated devices on %s, %lld ranks", script->verb,
                                 script->job, (long long)devices, job.cluster.name, (long long)script->tasks);
    pass_overrides(input);
    return STATUS_OK;
}

static enum status describe_study(struct slurm_input *input, struct arena *arena, struct fault *fault)
{
    struct slurm_script *script = &input->script;
    struct study study;
    struct study_points points;
    const struct study_extra extra = {input->n_overrides, input->overrides, 0};
    enum status status = study_read(arena, script->study, &study, fault);
    if (status == STATUS_OK)
        status = study_points(&study, &extra, arena, &points, fault);
    if (status != STATUS_OK)
        return status;
    int64_t ranks = 1;
    for (int64_t i = 0; i < points.n; i++)
        ranks = points.point[i].ranks > ranks ? points.point[i].ranks : ranks;
    if (script->tasks && script->tasks < ranks)
        return fault_set(fault, STATUS_USAGE,
                         "--ntasks: expected at least %lld, the ranks of a point of %s, found %lld", (long long)ranks,
                         script->study, (long long)script->tasks);
    script->points = points.n;
    if (!script->tasks)
        script->tasks = ranks;
    if (!script->name)
        script->name = study.name;
    script->about = arena_printf(arena, "polyrank sweep %s: %lld points on %lld ranks, a task of the array for each",
                                 script->study, (long long)points.n, (long long)ranks);
    pass_overrides(input);
    return STATUS_OK;
}

static enum status describe(struct slurm_input *input, struct arena *arena, struct fault *fault)
{
    struct slurm_script *script = &input->script;
    if (!script->job == !script->study)
        return fault_set(fault, STATUS_USAGE,
                         script->job ? "expected a job or --array STUDY, found both"
                                     : "no job: expected a job file such as jobs/demo.yaml");
    if (!script->study && script->at_once)
        return fault_set(fault, STATUS_USAGE, "--at-once: expected with --array");
    enum status status = script->study ? describe_study(input, arena, fault) : describe_job(input, arena, fault);
    if (status != STATUS_OK)
        return status;
    if (script->requeue && script->lead_s >= script->time_s)
        return fault_set(fault, STATUS_USAGE, "--signal-lead: expected less than --time (%lld s), found %lld s",
                         (long long)script->time_s, (long long)script->lead_s);
    if (!script->requeue)
        script->checkpoint_s = 0;
    if (script->nodes > script->tasks)
        return fault_set(fault, STATUS_USAGE, "--nodes: expected at most one for each of the %lld ranks, found %lld",
                         (long long)script->tasks, (long long)script->nodes);
    if (!script->program) {
        char *path = realpath("/proc/self/exe", NULL);
        script->program = arena_string(arena, path ? path : "polyrank");
        free(path);
    }
    return STATUS_OK;
}

static enum status write_script(const struct slurm_input *input, struct arena *arena, struct fault *fault)
{
    if (!input->out)
        return slurm_script_write(stdout, &input->script, arena, fault);
    if (!input->force && access(input->out, F_OK) == 0)
        return fault_set(fault, STATUS_USAGE, "%s exists: --force replaces it", input->out);
    FILE *out = fopen(input->out, "w");
    if (!out)
        return fault_set(fault, STATUS_IO, "%s: cannot write", input->out);
    slurm_script_write(out, &input->script, arena, fault);
    if (fclose(out) != 0 || chmod(input->out, 0755) != 0)
        fault_set(fault, STATUS_IO, "%s: cannot write", input->out);
    return fault->status;
}

enum status command_slurm(struct comm *none, int argc, char **argv, struct fault *fault)
{
    (void)none;
    struct slurm_input input = {
        .fault = fault,
        .script = {.cpus_per_task = 1, .time_s = 3600, .lead_s = 120, .checkpoint_s = 900},
    };
    int done = 0;
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    struct arena *arena = arena_new();
    status = describe(&input, arena, fault);
    if (status == STATUS_OK)
        status = write_script(&input, arena, fault);
    arena_free(arena);
    return status;
}
