/* sweep.c - polyrank sweep: many runs of a job, and what they say together. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unit.h"
#include "command/command.h"
#include "study/execute.h"
#include "study/results.h"
#include "study/series.h"

enum { MAX_STUDIES = 16, MAX_OVERRIDES = 32 };
enum { KEY_INDEX = 2000, KEY_COLLECT, KEY_LIST, KEY_COUNT, KEY_LAUNCHER, KEY_MAX_WALL };

static const char default_launcher[] = "mpirun -n {ranks}";

struct sweep_input {
    struct fault *fault;
    const char *path[MAX_STUDIES];
    int n_paths;
    const char *override[MAX_OVERRIDES];
    int n_overrides;
    const char *output, *launcher;
    int64_t index, n_slots; /* 0: not given */
    double max_wall_s;
    int collect, list, count, force, quiet, timing_only;
};

static const struct argp_option options_table[] = {
    {"jobs", 'j', "N", 0, "runs at a time (default: as many as there are cores for)", 1},
    {"index", KEY_INDEX, "I", 0, "run point I only, from 1: a task of a SLURM array", 1},
    {"collect", KEY_COLLECT, NULL, 0, "run nothing; make the tables of what is there", 1},
    {"list", KEY_LIST, NULL, 0, "run nothing; show the points and how they stand", 1},
    {"count", KEY_COUNT, NULL, 0, "run nothing; print the number of points", 1},
    {"set", 's', "KEY=VALUE", 0, "override a key of the job at all points (repeatable)", 2},
    {"timing-only", 't', NULL, 0, "all runs without tensors", 2},
    {"output", 'o', "DIR", 0, "where tables and points go (output)", 2},
    {"force", 'f', NULL, 0, "run points again that are done", 2},
    {"max-wall", KEY_MAX_WALL, "TIME", 0, "stop after this wall time, as after a signal, e.g. 1h30m", 2},
    {"launcher", KEY_LAUNCHER, "WORDS", 0,
     "starts runs on more than one rank (default \"mpirun -n {ranks}\"), e.g. \"srun --mpi=pmix -n {ranks}\"", 2},
    {"quiet", 'q', NULL, 0, "no progress on stderr", 2},
    {0},
};

static int parse_count(struct sweep_input *input, const char *name, const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    long long read = strtoll(text, &end, 10);
    if (errno || *end || end == text || read < 1 || read > STUDY_MAX_POINTS) {
        fault_set(input->fault, STATUS_USAGE, "--%s: expected a whole number from 1 to %d, found '%s'", name,
                  STUDY_MAX_POINTS, text);
        return EINVAL;
    }
    *value = read;
    return 0;
}

static int add(struct sweep_input *input, const char **list, int *n, int most, const char *text, const char *what)
{
    if (*n == most) {
        fault_set(input->fault, STATUS_USAGE, "expected at most %d %s, found one more", most, what);
        return EINVAL;
    }
    list[(*n)++] = text;
    return 0;
}

static error_t check_input(struct sweep_input *input)
{
    int ways = (input->index > 0) + input->collect + input->list + input->count;
    if (input->n_paths == 0)
        fault_set(input->fault, STATUS_USAGE, "no study: expected a file such as studies/scaling-devices.yaml");
    else if (ways > 1)
        fault_set(input->fault, STATUS_USAGE, "expected one of --index, --collect, --list and --count, found several");
    else if (input->n_paths > 1 && (input->index > 0 || input->count || input->output))
        fault_set(input->fault, STATUS_USAGE, "--index, --count and --output are for one study, found %d",
                  input->n_paths);
    return input->fault->status ? EINVAL : 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct sweep_input *input = state->input;
    switch (key) {
    case 'j':
        return parse_count(input, "jobs", arg, &input->n_slots);
    case KEY_INDEX:
        return parse_count(input, "index", arg, &input->index);
    case KEY_COLLECT:
        return input->collect = 1, 0;
    case KEY_LIST:
        return input->list = 1, 0;
    case KEY_COUNT:
        return input->count = 1, 0;
    case 's':
        return add(input, input->override, &input->n_overrides, MAX_OVERRIDES, arg, "overrides");
    case 't':
        return input->timing_only = 1, 0;
    case 'o':
        return input->output = arg, 0;
    case 'f':
        return input->force = 1, 0;
    case 'q':
        return input->quiet = 1, 0;
    case KEY_MAX_WALL:
        if (!unit_parse(arg, UNIT_SECONDS, &input->max_wall_s) && input->max_wall_s > 0)
            return 0;
        fault_set(input->fault, STATUS_USAGE, "--max-wall: expected %s, found '%s'", unit_expected(UNIT_SECONDS), arg);
        return EINVAL;
    case KEY_LAUNCHER:
        return input->launcher = arg, 0;
    case ARGP_KEY_ARG:
        return add(input, input->path, &input->n_paths, MAX_STUDIES, arg, "studies");
    case ARGP_KEY_END:
        return check_input(input);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options_table,
    parse,
    "STUDY...",
    "Runs the points of a study, each a run of its job in a folder of its own, a few at a time, and makes one table of "
    "them: study.csv, study.h5, the Pareto front, speed-up and efficiency of scaling studies.\v"
    "The same command goes on where an earlier one ended: points that are done are not run again, those that failed "
    "are. The table goes to stdout, progress and wall times to stderr. Exit status 75: stopped by a signal, the same "
    "command goes on; 1: some points failed.\n\n"
    "examples:\n"
    "  polyrank sweep studies/scaling-devices.yaml studies/scaling-ranks.yaml\n"
    "  polyrank sweep studies/hpt-latin.yaml --list\n"
    "  polyrank sweep studies/hpt-latin.yaml --index $SLURM_ARRAY_TASK_ID\n"
    "  polyrank sweep studies/hpt-latin.yaml --collect",
    NULL,
    NULL,
    NULL};

/* A sweep starts its runs itself: its own ranks would all do the same. */
static enum status check_alone(struct fault *fault)
{
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const char *size = getenv(sizes[i]);
        if (size && atoi(size) > 1)
            return fault_set(fault, STATUS_USAGE,
                             "sweep is one process that starts its runs, found a launcher's %s=%s: start it alone; "
                             "`ranks` of the study says on how many ranks each run is",
                             sizes[i], size);
    }
    return STATUS_OK;
}

/* What Open MPI's and PMIx's launchers say to a process they start, and nobody else says. */
static int is_launchers(const char *entry)
{
    static const char *const told[] = {"PMIX_",
                                       "PMI_",
                                       "OMPI_COMM_WORLD_",
                                       "OMPI_APP_CTX",
                                       "OMPI_COMMAND",
                                       "OMPI_FILE_LOCATION",
                                       "OMPI_FIRST_RANKS",
                                       "OMPI_NUM_APP_CTX",
                                       "OMPI_UNIVERSE_SIZE",
                                       "OMPI_MCA_ess",
                                       "OMPI_MCA_pmix",
                                       "OMPI_MCA_shmem_RUNTIME_QUERY_hint",
                                       "OMPI_MCA_initial_wdir",
                                       "OMPI_MCA_mpi_oversubscribe",
                                       "OMPI_MCA_orte_"};
    static const char users[] = "OMPI_MCA_orte_tmpdir_base=";
    int found = 0;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        found |= strncmp(entry, told[i], strlen(told[i])) == 0;
    return found && strncmp(entry, users, strlen(users)) != 0;
}

/* A sweep that was launched itself must not pass that on: its runs would look for a launcher that does not know them.
 * More ranks than cores are fine, and yield. */
static void prepare_environment(void)
{
    extern char **environ;
    int is_launched = getenv("PMIX_RANK") || getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_RANK");
    for (char **entry = environ; is_launched && *entry;) {
        if (!is_launchers(*entry)) {
            entry++;
            continue;
        }
        char *name = strndup(*entry, strcspn(*entry, "="));
        if (!name)
            bug("out of memory");
        unsetenv(name); /* moves the rest up */
        free(name);
    }
    setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 0);
    setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
    setenv("OMPI_MCA_hwloc_base_binding_policy", "none", 0); /* side by side they would bind to the same cores */
}

static enum status check_launcher(const struct sweep_input *input, const struct study_points *points,
                                  struct fault *fault)
{
    int64_t most = 1;
    for (int64_t i = 0; i < points->n; i++)
        most = points->point[i].ranks > most ? points->point[i].ranks : most;
    if (most == 1)
        return STATUS_OK;
    if (input->launcher && !strstr(input->launcher, "{ranks}"))
        return fault_set(fault, STATUS_USAGE, "--launcher: expected words with {ranks} among them, found '%s'",
                         input->launcher);
    if (!input->launcher && geteuid() == 0 && !getenv("OMPI_ALLOW_RUN_AS_ROOT"))
        return fault_set(fault, STATUS_USAGE,
                         "mpirun does not start runs for root unless OMPI_ALLOW_RUN_AS_ROOT=1 and "
                         "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 are set (scripts/mpi-env.sh sets them)");
    return STATUS_OK;
}

/* A core for each rank; wall times are taken one run at a time. */
static int slots(const struct sweep_input *input, const struct study *study)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (study_is_over_ranks(study))
        return 1;
    if (input->n_slots > 0)
        return (int)input->n_slots;
    return cores > study->ranks ? (int)(cores / study->ranks) : 1;
}

/* ---- one study ---- */

struct sweep {
    const struct sweep_input *input;
    struct arena *arena;
    struct fault *fault;
    struct study study;
    struct study_points points;
    struct study_results results;
    struct execution execution;
};

static enum status open_sweep(struct sweep *sweep, const char *path)
{
    const struct sweep_input *input = sweep->input;
    struct study *study = &sweep->study;
    const struct study_extra extra = {input->n_overrides, input->override, input->timing_only};
    if (study_read(sweep->arena, path, study, sweep->fault) ||
        study_points(study, &extra, sweep->arena, &sweep->points, sweep->fault) ||
        results_columns(study, &sweep->points, sweep->arena, &sweep->results, sweep->fault))
        return sweep->fault->status;
    sweep->execution = (struct execution){
        .study = study,
        .points = &sweep->points,
        .output = input->output ? input->output : study->output,
        .launcher = input->launcher ? input->launcher : default_launcher,
        .timing_only = input->timing_only || study->timing_only,
        .force = input->force,
        .quiet = input->quiet,
        .n_slots = slots(input, study),
        .max_wall_s = input->max_wall_s,
    };
    if (input->index > sweep->points.n)
        return fault_set(sweep->fault, STATUS_USAGE, "--index: expected a point from 1 to %" PRId64 ", found %" PRId64,
                         sweep->points.n, input->index);
    return STATUS_OK;
}

static void list(struct sweep *sweep)
{
    const struct study *study = &sweep->study;
    results_collect(&sweep->execution, sweep->arena, &sweep->results);
    for (int64_t i = 0; i < sweep->points.n; i++) {
        const struct study_point *point = &sweep->points.point[i];
        printf("%04" PRId64 "  %-8s", point->number, row_state_name(sweep->results.row[i].state));
        for (int a = 0; a < study->n_axes; a++)
            printf(" %s=%s", study->axis[a].key, point->value[a]);
        if (study->replicas > 1)
            printf(" seed=%" PRIu64, point->seed);
        putchar('\n');
    }
}

static enum status tell_scaling(struct sweep *sweep)
{
    const char *output = sweep->execution.output;
    int over_ranks = study_is_over_ranks(&sweep->study), drawn = 0;
    if (series_check(&sweep->results, sweep->fault) ||
        series_write_csv(&sweep->results, output, sweep->arena, sweep->fault) ||
        series_plot(&sweep->results, output, sweep->arena, &drawn, sweep->fault))
        return sweep->fault->status;
    fflush(stdout);
    series_print(&sweep->results, over_ranks ? stderr : stdout, sweep->arena);
    if (over_ranks && strcmp(sweep->study.kind, "strong-scaling") == 0)
        printf("\n  all metrics are the same at every number of ranks\n");
    return STATUS_OK;
}

/* The tables of what lies there. */
static enum status tell(struct sweep *sweep)
{
    const char *output = sweep->execution.output;
    struct study_results *results = &sweep->results;
    struct stat info;
    if (stat(output, &info) != 0)
        return fault_set(sweep->fault, STATUS_IO, "%s: %s: nothing has been run yet", output, strerror(errno));
    results_collect(&sweep->execution, sweep->arena, results);
    if (results_write_csv(results, output, sweep->arena, sweep->fault) ||
        results_write_h5(results, output, sweep->arena, sweep->fault))
        return sweep->fault->status;
    results_print(results, stdout, sweep->arena);
    if (study_is_scaling(&sweep->study) && tell_scaling(sweep))
        return sweep->fault->status;
    printf("\nresults: %s/\n", output);
    if (results->n_state[ROW_OK] == results->n)
        return STATUS_OK;
    if (results->n_state[ROW_STOPPED] && !sweep->input->collect)
        return fault_set(sweep->fault, STATUS_REQUEUE,
                         "%" PRId64 " of %" PRId64 " points were stopped: the same command goes on",
                         results->n_state[ROW_STOPPED], results->n);
    return fault_set(sweep->fault, STATUS_FAILED,
                     "of %" PRId64 " points %" PRId64 " failed and %" PRId64
                     " have not been run to their end: %s/study.csv",
                     results->n, results->n_state[ROW_FAILED],
                     results->n_state[ROW_MISSING] + results->n_state[ROW_STOPPED], output);
}

static enum status run_one(struct sweep *sweep)
{
    struct execution_told told;
    int64_t index = sweep->input->index;
    if (execute(&sweep->execution, index, index, sweep->arena, &told, sweep->fault))
        return sweep->fault->status;
    if (told.stopped || told.n_stopped)
        return fault_set(sweep->fault, STATUS_REQUEUE, "point %" PRId64 " was stopped: the same command goes on",
                         index);
    if (told.n_failed) {
        int exit_status =
            told.last_exit == STATUS_REQUEUE || told.last_exit > STATUS_DEVICE ? STATUS_FAILED : told.last_exit;
        return fault_set(sweep->fault, (enum status)exit_status, "point %" PRId64 ": %s", index, told.last_message);
    }
    printf("point %" PRId64 " %s: %s/\n", index, told.n_skipped ? "was done" : "is done",
           execution_folder(&sweep->execution, index, sweep->arena));
    return STATUS_OK;
}

static enum status run_all(struct sweep *sweep)
{
    struct execution_told told;
    if (execute(&sweep->execution, 1, sweep->points.n, sweep->arena, &told, sweep->fault))
        return sweep->fault->status;
    if (told.n_skipped > 0 && !sweep->input->quiet)
        fprintf(stderr, "polyrank: %" PRId64 " of %" PRId64 " points were done before\n", told.n_skipped,
                sweep->points.n);
    if (told.stopped)
        return fault_set(sweep->fault, STATUS_REQUEUE,
                         "stopped: the same command goes on; --collect makes "
                         "the tables of what is done");
    return tell(sweep);
}

static enum status sweep_study(const struct sweep_input *input, const char *path, struct fault *fault)
{
    struct sweep sweep = {.input = input, .arena = arena_new(), .fault = fault};
    int runs = !input->list && !input->count && !input->collect;
    if (open_sweep(&sweep, path) == STATUS_OK) {
        if (input->list)
            list(&sweep);
        else if (input->count)
            printf("%" PRId64 "\n", sweep.points.n);
        else if (input->collect)
            tell(&sweep);
        else if (runs && check_launcher(input, &sweep.points, fault) == STATUS_OK)
            input->index > 0 ? run_one(&sweep) : run_all(&sweep);
    }
    arena_free(sweep.arena);
    return fault->status;
}

enum status command_sweep(struct comm *comm, int argc, char **argv, struct fault *fault)
{
    struct sweep_input input = {.fault = fault};
    int done = 0;
    (void)comm;
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done || check_alone(fault))
        return fault->status;
    prepare_environment();
    for (int s = 0; s < input.n_paths && fault->status == STATUS_OK; s++) {
        if (s > 0)
            putchar('\n');
        sweep_study(&input, input.path[s], fault);
    }
    return fault->status;
}
