#include "command/job_options.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/launcher.h"
#include "base/unit.h"

static int parse_seconds(struct job_options *options, const char *name, const char *text, double *value)
{
    const char *reason = unit_parse(text, UNIT_SECONDS, value);
    if (!reason && *value > 0)
        return 0;
    fault_set(options->fault, STATUS_USAGE, "--%s: expected %s, found '%s'", name, unit_expected(UNIT_SECONDS), text);
    return EINVAL;
}

static int parse_count(struct job_options *options, const char *name, const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoll(text, &end, 10);
    if (end != text && !*end && errno == 0 && *value > 0)
        return 0;
    fault_set(options->fault, STATUS_USAGE, "--%s: expected a whole number above 0, found '%s'", name, text);
    return EINVAL;
}

static int add_override(struct job_options *options, const char *text)
{
    if (options->n_overrides == MAX_OVERRIDES) {
        fault_set(options->fault, STATUS_USAGE, "--set: expected at most %d overrides", MAX_OVERRIDES);
        return EINVAL;
    }
    options->overrides[options->n_overrides++] = text;
    return 0;
}

error_t job_options_parse(int key, char *arg, struct argp_state *state)
{
    struct job_options *options = state->input;
    switch (key) {
    case 's':
        return add_override(options, arg);
    case 't':
        options->timing_only = 1;
        return 0;
    case 'p':
        options->print_config = 1;
        return 0;
    case 'f':
        options->force = 1;
        return 0;
    case 'i':
        options->instructions = 1;
        return 0;
    case 'q':
        options->quiet = 1;
        return 0;
    case 'o':
        options->output = arg;
        return 0;
    case KEY_DEVICE:
        options->device = arg;
        return 0;
    case KEY_FIND_RATE:
        options->find_rate = 1;
        return 0;
    case KEY_SEED:
        options->seed = arg;
        return 0;
    case KEY_MAX_WALL:
        return parse_seconds(options, "max-wall", arg, &options->max_wall_s);
    case KEY_CHECKPOINT_STEPS:
        return parse_count(options, "checkpoint-steps", arg, &options->checkpoint_steps);
    case KEY_CHECKPOINT_EVERY:
        return parse_seconds(options, "checkpoint-every", arg, &options->checkpoint_every_s);
    case KEY_RESUME:
        options->resume = arg;
        return 0;
    case KEY_PEER_TIMEOUT:
        return parse_seconds(options, "peer-timeout", arg, &options->peer_timeout_s);
    case ARGP_KEY_ARG:
        if (options->path)
            return ARGP_ERR_UNKNOWN;
        options->path = arg;
        return 0;
    case ARGP_KEY_END:
        if (options->path)
            return 0;
        fault_set(options->fault, STATUS_USAGE, "no job: expected a job file such as jobs/demo.yaml");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

double job_options_limit_s(const struct job_options *options)
{
    double end_s = launcher_end_time_s(), limit_s = options->max_wall_s;
    if (end_s <= 0)
        return limit_s;
    double left_s = difftime((time_t)end_s, time(NULL));
    left_s = left_s > 1 ? left_s : 1; /* 0 would be no limit */
    return limit_s > 0 && limit_s < left_s ? limit_s : left_s;
}

enum status job_options_read(struct job_options *options, struct arena *arena, struct job *job, struct fault *fault)
{
    if (options->seed)
        add_override(options,
                     arena_printf(arena, "%s=%s", options->seed_key ? options->seed_key : "train.seed", options->seed));
    if (options->output)
        add_override(options, arena_printf(arena, "output.directory=%s", options->output));
    if (fault->status != STATUS_OK)
        return fault->status;
    return job_read(arena, options->path, options->overrides, options->n_overrides, job, fault);
}

enum status job_options_read_all(struct comm *comm, struct job_options *options, struct arena *arena, struct job *job,
                                 struct fault *fault)
{
    if (comm_rank(comm) == 0)
        job_options_read(options, arena, job, fault);
    enum status status = agree(comm, 0, fault);
    if (status != STATUS_OK)
        return status;
    char *text = comm_rank(comm) == 0 ? job_print(arena, job) : NULL;
    status = comm_broadcast_text(comm, arena, &text, fault);
    if (status == STATUS_OK && comm_rank(comm) != 0) {
        job_parse(arena, options->path, text, NULL, 0, job, fault);
        job->source = options->path;
    }
    return agree(comm, 1, fault);
}
