/* check.c - polyrank check: is this file what it should be? Prints what it is and the numbers that follow from it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/unit.h"
#include "command/command.h"
#include "command/job_options.h"
#include "command/model.h"
#include "model/model_file.h"
#include "report/result.h"
#include "scheduler/choose.h"
#include "scheduler/describe.h"
#include "scheduler/serve.h"
#include "store/dataset.h"
#include "store/state.h"
#include "study/results.h"

struct check_input {
    struct fault *fault;
    const char *path;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct check_input *input = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (input->path)
            return ARGP_ERR_UNKNOWN;
        input->path = arg;
        return 0;
    case ARGP_KEY_END:
        if (input->path)
            return 0;
        fault_set(input->fault, STATUS_USAGE,
                  "no file: expected a job, cluster, data set, model, result or checkpoint");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    NULL,
    parse,
    "FILE",
    "Validates a job, a cluster, a data set, a model, a result or a checkpoint, whatever FILE is, and prints what "
    "follows from it: sizes, memory, numbers of samples. Reads every byte of a data set, model or checkpoint.\v"
    "exit status: 0 valid, 2 not valid, 3 a data set or model whose content is wrong, 4 damaged\n\n"
    "examples:\n"
    "  polyrank check jobs/wind.yaml\n"
    "  polyrank check data/navy_winds.h5",
    NULL,
    NULL,
    NULL};

static enum status check_serving(const char *path, struct comm *comm, struct job *job, struct arena *arena,
                                 struct fault *fault)
{
    struct serve serve;
    enum status status = serve_open(comm, job, 1, NULL, arena, &serve, fault);
    if (status != STATUS_OK)
        return status;
    printf("%s: a job that serves\n  %s, %s\n  %d GPUs, room for %" PRIu64 " tokens of KV\n  %zu requests\n", path,
           serve.config.name, model_line(arena, &serve.config), serve.plan.n_gpus, serve.plan.kv_capacity_tokens,
           serve.requests.n);
    serve_close(&serve);
    return STATUS_OK;
}

static enum status check_job(const char *path, struct arena *arena, struct fault *fault)
{
    struct comm *comm = comm_alone();
    struct training training = {0};
    struct run run = {0};
    struct job job;
    enum status status = job_read(arena, path, NULL, 0, &job, fault);
    int serves = status == STATUS_OK && !job.model.preset;
    if (serves)
        status = check_serving(path, comm, &job, arena, fault);
    else if (status == STATUS_OK)
        status = choose_open(comm, &job, 1, arena, &training, fault);
    if (status == STATUS_OK && !serves) {
        char need[32], has[32];
        training_describe(&training, &run);
        unit_show(need, sizeof need, UNIT_BYTES, (double)run.device[0].memory_bytes);
        unit_show(has, sizeof has, UNIT_BYTES, (double)run.device[0].capacity_bytes);
        printf("%s: a job\n  %s\n  %lld parameters, %s of %s on %s\n  %s\n  %lld steps\n", path, run.model_text,
               (long long)run.n_parameters, need, has, run.device[0].name, run.placement_text,
               (long long)training_steps(&training));
        if (training.windows)
            printf("  %lld training samples, %lld test samples of %s\n", (long long)run.n_train, (long long)run.n_test,
                   run.target);
        training_close(&training);
    }
    comm_close(comm, 0);
    return status;
}

static enum status check_cluster(const char *path, struct arena *arena, struct fault *fault)
{
    struct cluster cluster;
    enum status status = cluster_read(arena, path, &cluster, fault);
    if (status != STATUS_OK)
        return status;
    struct job job = {.cluster = cluster, .placement = {.numerics = "fp32", .attention_kernel = "unfused"}};
    struct machine machine;
    status = machine_open(&job, arena, &machine, fault);
    if (status != STATUS_OK)
        return status;
    printf("%s: a cluster of %d devices\n", path, machine.n_devices);
    for (int i = 0; i < cluster.n_devices; i++)
        printf("  %lld x %s %s\n", (long long)cluster.device[i].count, cluster.device[i].kind,
               cluster.device[i].profile);
    return STATUS_OK;
}

static enum status check_study(const char *path, struct arena *arena, struct fault *fault)
{
    const struct study_extra extra = {0, NULL, 0};
    struct study study;
    struct study_points points;
    struct study_results results;
    if (study_read(arena, path, &study, fault) || study_points(&study, &extra, arena, &points, fault) ||
        results_columns(&study, &points, arena, &results, fault))
        return fault->status;
    printf(
        "%s: a study (%s) of %" PRId64 " runs of %s\n  %d keys vary, %" PRId64 " replicas, %d metrics, %d objectives\n",
        path, study.kind, points.n, study.job, study.n_axes, study.replicas, results.n_metrics, results.n_objectives);
    return STATUS_OK;
}

static enum status check_dataset(const char *path, struct fault *fault)
{
    struct dataset *dataset;
    enum status status = dataset_check(path, fault);
    if (status == STATUS_OK)
        status = dataset_open(path, &dataset, fault);
    if (status != STATUS_OK)
        return status;
    printf("%s: a data set of %lld rows x %lld stations, %d variables\n", path, (long long)dataset_n_rows(dataset),
           (long long)dataset_n_stations(dataset), dataset_n_variables(dataset));
    dataset_close(dataset);
    return STATUS_OK;
}

static enum status check_result(const char *path, struct arena *arena, struct fault *fault)
{
    struct run run;
    enum status status = result_read(path, arena, &run, fault);
    if (status == STATUS_OK)
        printf("%s: a result of %s: %lld steps on %d devices\n", path, run.name, (long long)run.steps, run.n_devices);
    return status;
}

static enum status check_model(const char *path, struct arena *arena, struct fault *fault)
{
    struct model_file *file;
    enum status status = model_file_check(path, fault);
    if (status == STATUS_OK)
        status = model_file_open(path, &file, fault);
    if (status != STATUS_OK)
        return status;
    const struct decoder_config *config = model_file_config(file);
    printf("%s: a model, %s\n  %s\n  %lld parameters, %s tokenizer, hash %s\n", path, config->name,
           model_line(arena, config), (long long)decoder_parameters(config),
           model_file_tokenizer(file) ? "with" : "without", model_file_hash(file));
    model_file_close(file);
    return STATUS_OK;
}

static enum status check_checkpoint(const char *path, struct arena *arena, struct fault *fault)
{
    struct state_file *file;
    struct job job;
    enum status status = state_open(path, &file, fault);
    if (status != STATUS_OK)
        return status;
    const struct state_head *head = state_head(file);
    status = job_parse(arena, path, head->job, NULL, 0, &job, fault);
    if (status == STATUS_OK)
        printf("%s: a checkpoint of %s (%s)\n  %" PRId64 " of %" PRId64 " done, virtual time %.6g s\n", path, job.name,
               head->kind, head->progress, head->total, (double)head->virtual_ps * 1e-12);
    state_close(file);
    return status;
}

static enum status check_hdf5(const char *path, struct arena *arena, struct fault *fault)
{
    if (state_is(path))
        return check_checkpoint(path, arena, fault);
    if (model_file_is(path))
        return check_model(path, arena, fault);
    return dataset_is(path) ? check_dataset(path, fault) : check_result(path, arena, fault);
}

static int is_hdf5(const char *path)
{
    static const char magic[8] = "\211HDF\r\n\032\n";
    char start[8] = "";
    FILE *file = fopen(path, "rb");
    size_t n = file ? fread(start, 1, sizeof start, file) : 0;
    if (file)
        fclose(file);
    return n == sizeof start && memcmp(start, magic, sizeof magic) == 0;
}

enum status command_check(struct comm *none, int argc, char **argv, struct fault *fault)
{
    (void)none;
    struct check_input input = {.fault = fault};
    int done = 0;
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    struct arena *arena = arena_new();
    const char *kind = config_kind(input.path);
    if (is_hdf5(input.path))
        status = check_hdf5(input.path, arena, fault);
    else if (kind && strcmp(kind, "cluster") == 0)
        status = check_cluster(input.path, arena, fault);
    else if (kind && strcmp(kind, "study") == 0)
        status = check_study(input.path, arena, fault);
    else
        status = check_job(input.path, arena, fault);
    arena_free(arena);
    return status;
}
