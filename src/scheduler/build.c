#include "scheduler/build.h"

#include <math.h>
#include <string.h>

#include "graph/autodiff.h"
#include "model/intrinsic.h"
#include "model/metrics.h"
#include "scheduler/low.h"
#include "scheduler/lower.h"
#include "scheduler/place.h"

static enum windows_layout layout_of(const struct job *job)
{
    if (family_of_preset(job->model.preset) == FAMILY_TRAFFIC)
        return WINDOWS_GRID;
    const char *attention = job->model.attention ? job->model.attention : "spatial";
    if (strcmp(attention, "joint") == 0)
        return WINDOWS_JOINT;
    return strcmp(attention, "temporal") == 0 ? WINDOWS_TEMPORAL : WINDOWS_SPATIAL;
}

_Static_assert(JOB_MAX_HORIZON <= METRIC_MAX_HORIZON, "errors are kept for every step ahead that a job can ask for");

struct windows_config build_windows_config(const struct job *job)
{
    const struct job_data *data = &job->data;
    int by_rows = strcmp(data->split_by, "rows") == 0, by_time = strcmp(data->split_by, "time") == 0;
    struct windows_config config = {
        .file = data->file,
        .inputs = data->inputs.value,
        .n_inputs = data->inputs.n,
        .target = data->target,
        .window = data->window,
        .horizon = data->horizon,
        .nowcast = data->as_published && strcmp(job->model.preset, "wind") != 0,
        .layout = layout_of(job),
        .slots = job->data.slots == JOB_UNSET ? 0 : job->data.slots,
        .normalise = data->normalise,
        .test_rows = {by_rows ? data->test_rows[0] : -1, by_rows ? data->test_rows[1] : -1},
        .test_time = {by_time ? data->test_time[0] : NULL, by_time ? data->test_time[1] : NULL},
        .test_fraction = data->test_fraction,
        .validation_fraction = data->validation_fraction,
    };
    return config;
}

static int word_index(const char *word, const char *const *words, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    bug("word %s", word);
}

static enum activation activation_of(const char *word)
{
    static const char *const words[] = {"none", "relu", "gelu"};
    return (enum activation)word_index(word, words, 3);
}

static const char *activation_word(enum activation act)
{
    static const char *const words[] = {"none", "relu", "gelu"};
    return words[act];
}

/* The job's number when it gives one, else the preset's, which is then the job's. */
static void settle(int64_t *job_value, int64_t *config_value)
{
    if (*job_value != JOB_UNSET)
        *config_value = *job_value;
    else
        *job_value = *config_value;
}

/* Without a data set: the preset's stations at each step of the window. */
static enum status settle_joint_shape(struct job *job, struct encoder_config *config, struct fault *fault)
{
    struct job_model *model = &job->model;
    const int64_t steps = job->data.window;
    config->tokens *= steps;
    config->features = 1;
    settle(&model->tokens, &config->tokens);
    settle(&model->features, &config->features);
    config->stations = config->tokens / steps;
    config->outputs = config->stations * job->data.horizon;
    settle(&model->outputs, &config->outputs);
    config->last_offset = (steps - 1) * config->stations * config->features;
    config->last_stride = config->features;
    if (config->tokens % steps || config->outputs != config->stations * job->data.horizon)
        return fault_set(fault, STATUS_USAGE,
                         "%s: model.tokens: expected stations times the %lld steps of data.window, and model.outputs "
                         "stations times data.horizon (%lld), found %lld tokens and %lld outputs",
                         job->source, (long long)steps, (long long)job->data.horizon, (long long)config->tokens,
                         (long long)config->outputs);
    return STATUS_OK;
}

static enum status settle_shape(struct job *job, const struct windows_shape *shape, struct encoder_config *config,
                                struct fault *fault)
{
    struct job_model *model = &job->model;
    int64_t given[3] = {model->tokens, model->features, model->outputs};
    if (!shape && layout_of(job) == WINDOWS_JOINT)
        return settle_joint_shape(job, config, fault);
    if (!shape) {
        settle(&model->tokens, &config->tokens);
        settle(&model->features, &config->features);
        settle(&model->outputs, &config->outputs);
        config->stations = config->outputs;
        config->last_offset = config->features - 1;
        config->last_stride = config->features;
        return STATUS_OK;
    }
    static const char *const keys[3] = {"tokens", "features", "outputs"};
    int64_t found[3] = {shape->tokens, shape->features, shape->outputs};
    for (int i = 0; i < 3; i++)
        if (given[i] != JOB_UNSET && given[i] != found[i])
            return fault_set(
                fault, STATUS_USAGE,
                "%s: model.%s: expected %lld, which follows from the data set, found %lld: leave the key out",
                job->source, keys[i], (long long)found[i], (long long)given[i]);
    model->tokens = config->tokens = shape->tokens;
    model->features = config->features = shape->features;
    model->outputs = config->outputs = shape->outputs;
    config->stations = shape->stations;
    config->last_offset = shape->last_offset;
    config->last_stride = shape->last_stride;
    config->masked = shape->masked;
    if (model->residual && !shape->residual_possible)
        return fault_set(fault, STATUS_USAGE,
                         "%s: model.residual: the target is not among data.inputs, so it has no last value",
                         job->source);
    return STATUS_OK;
}

static void settle_words(struct job_model *model, struct encoder_config *config)
{
    static const char *const positions[] = {"true", "constant", "none"}, *const sites[] = {"encoder", "head"};
    if (model->embed)
        config->embed_act = strcmp(model->embed, "gelu") == 0 ? ACT_GELU : ACT_NONE;
    else
        model->embed = config->embed_act == ACT_GELU ? "gelu" : "linear";
    if (model->positions)
        config->positions = (enum positions)word_index(model->positions, positions, 3);
    else
        model->positions = positions[config->positions];
    if (model->position_site)
        config->position_site = (enum position_site)word_index(model->position_site, sites, 2);
    else
        model->position_site = sites[config->position_site];
    if (!model->attention)
        model->attention = "spatial";
}

/* Steps of a joint model, and who sees whom. */
static enum status settle_mask(struct job *job, struct encoder_config *config, struct fault *fault)
{
    struct job_model *model = &job->model;
    const enum windows_layout layout = layout_of(job);
    if (!model->mask)
        model->mask = layout == WINDOWS_JOINT ? "causal" : "none";
    int causal = strcmp(model->mask, "causal") == 0;
    if (causal && layout == WINDOWS_SPATIAL)
        return fault_set(fault, STATUS_USAGE,
                         "%s: model.mask: expected none with model.attention spatial, where no token is before "
                         "another, found causal",
                         job->source);
    if (layout == WINDOWS_JOINT) {
        config->steps = job->data.window;
        if (model->skip_steps > 0)
            return fault_set(fault, STATUS_USAGE,
                             "%s: model.skip_steps: expected 0 with model.attention joint, where a token is one step, "
                             "found %lld",
                             job->source, (long long)model->skip_steps);
    }
    int64_t of_step = layout == WINDOWS_JOINT ? config->stations : 1;
    config->mask_block = causal ? of_step : 0;
    return STATUS_OK;
}

/* One of the head's two stacks: widths and activations from the job, or from the preset's formula. */
static enum status settle_stack(const struct job *job, const char *key, struct int_list *widths, struct word_list *acts,
                                int *n, int64_t *width, enum activation *act, struct fault *fault)
{
    if (acts->n && acts->n != widths->n)
        return fault_set(fault, STATUS_USAGE, "%s: model.%s_act: expected %d words, one per width, found %d",
                         job->source, key, widths->n, acts->n);
    if (widths->n) {
        *n = widths->n;
        for (int i = 0; i < *n; i++) {
            width[i] = widths->value[i];
            act[i] = acts->n ? activation_of(acts->value[i]) : i + 1 < *n || key[0] == 'r' ? ACT_RELU : ACT_NONE;
        }
    }
    widths->n = acts->n = *n;
    for (int i = 0; i < *n; i++) {
        widths->value[i] = width[i];
        acts->value[i] = activation_word(act[i]);
    }
    return STATUS_OK;
}

static enum status settle_token_head(const struct job *job, struct encoder_config *config, struct fault *fault)
{
    if (job->model.reduce_width.n || job->model.decode_width.n)
        return fault_set(fault, STATUS_USAGE,
                         "%s: model.head: expected preset when model.reduce_width or decode_width is given, "
                         "found token",
                         job->source);
    config->n_reduce = 1;
    config->reduce_width[0] = 1;
    if (config->steps) { /* each token of the newest step tells all horizons */
        config->head_tokens = config->stations;
        config->reduce_width[0] = config->outputs / config->stations;
    }
    config->reduce_act[0] = ACT_NONE;
    config->n_decode = 0;
    return STATUS_OK;
}

static enum status settle_head(struct job *job, struct encoder_config *config, struct fault *fault)
{
    enum status status = encoder_head_widths(job->model.preset, config, fault);
    if (status == STATUS_OK && strcmp(job->model.head, "token") == 0)
        return settle_token_head(job, config, fault);
    if (status == STATUS_OK)
        status = settle_stack(job, "reduce", &job->model.reduce_width, &job->model.reduce_act, &config->n_reduce,
                              config->reduce_width, config->reduce_act, fault);
    if (status == STATUS_OK)
        status = settle_stack(job, "decode", &job->model.decode_width, &job->model.decode_act, &config->n_decode,
                              config->decode_width, config->decode_act, fault);
    return status;
}

static enum loss_kind loss_of(const char *word)
{
    static const char *const words[] = {"mse", "mae", "huber"};
    return (enum loss_kind)word_index(word, words, 3);
}

enum status build_encoder_config(struct job *job, const struct windows_shape *shape, struct encoder_config *config,
                                 struct fault *fault)
{
    struct job_model *model = &job->model;
    if (model->attention && strcmp(model->attention, "factorised") == 0)
        return fault_set(
            fault, STATUS_USAGE,
            "%s: model.attention: expected spatial, temporal or joint for the preset %s, found factorised, "
            "which is that of traffic",
            job->source, model->preset);
    enum status status = encoder_preset(model->preset, config, fault);
    if (status == STATUS_OK)
        status = settle_shape(job, shape, config, fault);
    if (status != STATUS_OK)
        return status;
    settle(&model->d_model, &config->d_model);
    settle(&model->heads, &config->heads);
    settle(&model->layers, &config->layers);
    settle(&model->ffn, &config->ffn);
    settle(&model->embed_hidden, &config->embed_hidden);
    settle_words(model, config);
    status = settle_mask(job, config, fault);
    if (status != STATUS_OK)
        return status;
    if (model->dropout >= 0)
        config->dropout = model->dropout;
    else
        model->dropout = config->dropout;
    if (model->concat >= 0)
        config->concat = (int)model->concat;
    else
        model->concat = config->concat;
    config->residual = model->residual;
    config->linear_skip = model->linear_skip;
    config->skip_steps = model->skip_steps;
    config->zero_output = model->zero_output;
    config->loss = loss_of(job->train.loss);
    config->huber_delta = job->train.huber_delta;
    if (strcmp(job->train.mode, "lora") == 0)
        build_adapter_config(&job->train.adapter, &config->adapter);
    status = settle_head(job, config, fault);
    if (status == STATUS_OK)
        status = encoder_check(config, fault);
    if (status != STATUS_OK)
        fault_prefix(fault, "%s", job->source);
    return status;
}

static struct optimiser optimiser_of(const struct job *job)
{
    static const char *const words[] = {"sgd", "adam", "adamw"};
    const struct job_optimiser *o = &job->train.optimiser;
    struct optimiser optimiser = {(enum optimiser_kind)word_index(o->kind, words, 3),
                                  o->beta1,
                                  o->beta2,
                                  o->eps,
                                  o->weight_decay,
                                  job->train.clip_norm};
    return optimiser;
}

/* What train.mode makes of the model. The full phase of placement hpt trains everything. */
static enum status adapt(const struct job *job, struct graph *graph, struct fault *fault)
{
    const char *mode = job->train.mode;
    int did = strcmp(mode, "did") == 0, said = strcmp(mode, "said") == 0;
    if (strcmp(mode, "full") != 0 && strcmp(build_policy(job), "gpu-only") != 0)
        return fault_set(fault, STATUS_USAGE, "%s: placement.policy: expected gpu-only with train.mode %s, found %s%s",
                         job->source, mode, build_policy(job),
                         did || said ? "" : " (which trains adapters alone with train.switch.policy always)");
    if (!did && !said)
        return STATUS_OK;
    enum status status =
        intrinsic_apply(graph, did ? INTRINSIC_ALL : INTRINSIC_LAYERS, job->train.intrinsic_dim, fault);
    if (status != STATUS_OK)
        fault_prefix(fault, "%s", job->source);
    return status;
}

/* NULL: fault. */
static const struct graph *build_graph(const struct job *job, const struct model_config *config, int64_t samples,
                                       int training, struct arena *arena, struct fault *fault)
{
    struct graph *graph = arena_take(arena, sizeof *graph);
    graph_init(graph, arena);
    /* The last minibatch of an evaluation may be partly empty: it needs a mask. */
    family_build(config, samples, training, !training, graph);
    if (adapt(job, graph, fault) != STATUS_OK)
        return NULL;
    if (training) {
        struct optimiser optimiser = optimiser_of(job);
        autodiff(graph);
        graph_add_update(graph, &optimiser);
    }
    return graph;
}

/* The graph of this many samples: devices with equal shares use the same one. */
static const struct graph *graph_for(const struct job *job, const struct model_config *config, int64_t samples,
                                     int training, struct arena *arena, const struct graph **kept,
                                     int64_t *kept_samples, struct fault *fault)
{
    if (!*kept || *kept_samples != samples) {
        *kept = build_graph(job, config, samples, training, arena, fault);
        *kept_samples = samples;
    }
    return *kept;
}

/* A program of every GPU, with its share of the minibatch; *first_graph is that of the first one. */
static enum status build_programs(const struct job *job, const struct model_config *config,
                                  const struct machine *machine, const struct crew *gpus, int id, struct arena *arena,
                                  struct plan *plan, const struct graph **first_graph, struct fault *fault)
{
    const struct graph *kept = NULL;
    int64_t kept_samples = 0, minibatch = job->train.minibatch, n = gpus->n, first = 0;
    for (int g = 0; g < gpus->n; g++) {
        int d = gpus->device[g];
        struct lowering lowering = {
            .machine = machine,
            .device = d,
            .first_sample = first,
            .samples = minibatch / n + (g < minibatch % n),
            .n_group = (int)n,
            .bucket_bytes = job->placement.bucket_bytes,
            .shared = id == PROGRAM_TRAIN ? NULL : &plan->programs[PROGRAM_TRAIN][d],
            .arena = arena,
        };
        first += lowering.samples;
        const struct graph *graph =
            graph_for(job, config, lowering.samples, id == PROGRAM_TRAIN, arena, &kept, &kept_samples, fault);
        if (!graph)
            return fault->status;
        if (g == 0 && first_graph)
            *first_graph = graph;
        enum status status = lower(&lowering, graph, &plan->programs[id][d], fault);
        if (status != STATUS_OK)
            return status;
        plan->hash = program_hash(&plan->programs[id][d], plan->hash);
    }
    return STATUS_OK;
}

static enum status build_low(const struct job *job, const struct model_config *config, const struct machine *machine,
                             const struct graph *full, int first_gpu, const struct build_standing *standing,
                             struct arena *arena, struct plan *plan, struct matrices **matrices, struct fault *fault)
{
    struct optimiser optimiser = optimiser_of(job);
    struct job_adapter open_keys = job->train.adapter;
    struct adapter_config adapter;
    build_adapter_config(&open_keys, &adapter);
    adapter.width =
        standing && standing->adapter_width ? standing->adapter_width : build_adapter_widths(job, config).widest;
    struct model_config low = family_with_adapter(config, &adapter);
    enum status status = family_check(&low, fault);
    if (status != STATUS_OK)
        return fault_prefix(fault, "%s", job->source), status;
    struct low_request request = {job,  &low, machine, &optimiser, full, first_gpu, standing ? standing->held : NULL,
                                  arena};
    return low_build(&request, plan, matrices, fault);
}

const char *build_policy(const struct job *job)
{
    return job->placement.chosen ? job->placement.chosen : job->placement.policy;
}

static int count_left(const struct machine *machine)
{
    int n = 0;
    for (int d = 0; d < machine->n_devices; d++)
        n += !machine->lost[d];
    return n;
}

/* `low`: there is a low-parameter mode. */
static enum status check_machine(const struct job *job, const struct machine *machine, const struct crew *gpus, int low,
                                 struct fault *fault)
{
    const char *kind = machine_leading_kind(machine);
    int may_idle = low || job->placement.chosen; /* devices that do nothing at all in this run */
    if (low && strcmp(kind, "gpu") != 0)
        return fault_set(
            fault, STATUS_USAGE,
            "%s: placement.policy: hpt needs a device of kind gpu for the full phase, found none: add one to "
            "cluster.devices",
            job->source);
    if (!may_idle && gpus->n < count_left(machine))
        return fault_set(fault, STATUS_USAGE,
                         "%s: placement.policy: %s needs devices of one kind, found %d of kind %s among %d",
                         job->source, build_policy(job), gpus->n, kind, count_left(machine));
    if (job->train.minibatch < gpus->n)
        return fault_set(
            fault, STATUS_USAGE,
            "%s: train.minibatch: expected at least %d, one sample for each device, found %lld: raise it or use "
            "fewer devices",
            job->source, gpus->n, (long long)job->train.minibatch);
    return STATUS_OK;
}

static void clear_plan(const struct job *job, const struct machine *machine, struct arena *arena, struct plan *plan)
{
    memset(plan, 0, sizeof *plan);
    plan->n_devices = machine->n_devices;
    plan->format = machine_format(job);
    plan->capacity_bytes = arena_array(arena, (size_t)machine->n_devices, sizeof *plan->capacity_bytes);
    for (int d = 0; d < machine->n_devices; d++)
        plan->capacity_bytes[d] = machine->backends[d]->memory_bytes(machine->states[d]);
    for (int id = 0; id < N_PROGRAMS; id++) {
        plan->programs[id] = arena_array(arena, (size_t)machine->n_devices, sizeof **plan->programs);
        for (int d = 0; d < machine->n_devices; d++)
            program_clear(&plan->programs[id][d], d);
    }
}

enum status build_plan(const struct job *job, const struct model_config *config, const struct machine *machine,
                       const struct build_standing *standing, struct arena *arena, struct plan *plan,
                       struct matrices **matrices, struct fault *fault)
{
    struct crew gpus =
        place_crew(machine, machine_leading_kind(machine), arena); /* or arrays, where there are only those */
    int is_hpt = strcmp(build_policy(job), "hpt") == 0, low = is_hpt && !(standing && standing->without_low);
    const struct graph *full = NULL;
    *matrices = NULL;
    clear_plan(job, machine, arena, plan);
    enum status status = check_machine(job, machine, &gpus, is_hpt, fault);
    if (status == STATUS_OK)
        status = build_programs(job, config, machine, &gpus, PROGRAM_TRAIN, arena, plan, &full, fault);
    if (status == STATUS_OK)
        status = build_programs(job, config, machine, &gpus, PROGRAM_EVALUATE, arena, plan, NULL, fault);
    if (status == STATUS_OK && low)
        status = build_low(job, config, machine, full, gpus.device[0], standing, arena, plan, matrices, fault);
    return status;
}
