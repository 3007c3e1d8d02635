#include <stdio.h>
#include <string.h>

#include "config/reading.h"
#include "config/value.h"

enum { MESSAGE = 512 };

/* The deepest part of a path that the document has. */
static const struct entry *find_entry(const struct source *source, const char *path)
{
    const struct entry *entry = source->entry, *below;
    while (*path) {
        char name[CONFIG_MAX_PATH];
        int index = -1;
        size_t length = strcspn(path, ".[");
        snprintf(name, sizeof name, "%.*s", (int)length, path);
        below = entry_find(entry, name);
        path += length;
        if (below && sscanf(path, "[%d]", &index) == 1 && below->kind == ENTRY_LIST)
            for (below = below->child; below && below->index < index; below = below->next)
                ;
        path += strcspn(path, ".");
        path += *path == '.';
        if (!below)
            break;
        entry = below;
    }
    return entry;
}

static int is_in_cluster_file(const struct reading *reading, const char *path)
{
    return reading->cluster_file.entry && !strncmp(path, "cluster.", 8);
}

struct place value_place(const struct reading *reading, const char *path)
{
    size_t length = strlen(path);
    for (int i = reading->n_overrides - 1; i >= 0; i--)
        if (!strncmp(reading->overrides[i], path, length) && strchr(" =", reading->overrides[i][length]))
            return override_place(reading, i);
    if (is_in_cluster_file(reading, path))
        return (struct place){reading->cluster_file.file, find_entry(&reading->cluster_file, path + 8)->line};
    return (struct place){reading->job_file.file, find_entry(&reading->job_file, path)->line};
}

static enum status refuse_value(const struct reading *reading, const char *path, const char *expected,
                                const char *found)
{
    struct place place = value_place(reading, path);
    const char *shown = place.line > 0 && is_in_cluster_file(reading, path) ? path + 8 : path;
    return refuse(reading->fault, place, shown, expected, found);
}

static enum status check_given(const struct reading *reading, const struct node *node, const char *parent, void *base);

static enum status check_list_given(const struct reading *reading, const struct node *node, const char *path)
{
    const struct job_list *list = node->list;
    char *job = (char *)reading->job, expected[MESSAGE], element[CONFIG_MAX_PATH + 16];
    int n = *(int *)(job + list->count_offset);
    if (n == 0 && list->required)
        return refuse_value(reading, path, node_expected(expected, sizeof expected, node), "nothing");
    for (int i = 0; i < n; i++) {
        snprintf(element, sizeof element, "%s[%d]", path, i);
        enum status status = check_given(reading, node, element, job + list->offset + (size_t)i * list->element_bytes);
        if (status)
            return status;
    }
    return STATUS_OK;
}

/* Every required key below `node` has a value. */
static enum status check_given(const struct reading *reading, const struct node *node, const char *parent, void *base)
{
    enum status status = STATUS_OK;
    for (const struct node *child = node->child; child && !status; child = child->next) {
        char path[CONFIG_MAX_PATH], expected[MESSAGE];
        snprintf(path, sizeof path, "%s%s%s", parent, *parent ? "." : "", child->name);
        if (child->list)
            status = check_list_given(reading, child, path);
        else if (child->child)
            status = check_given(reading, child, path, base);
        else if (child->key->need == KEY_REQUIRED && !value_is_set(child->key, base))
            status = refuse_value(reading, path, key_expected(expected, sizeof expected, child->key, 0), "nothing");
    }
    return status;
}

static enum status check_lengths(const struct reading *reading, const char *path, int n_act, int n_width)
{
    char expected[MESSAGE], found[64];
    if (n_act == 0 || n_width == 0 || n_act == n_width)
        return STATUS_OK;
    snprintf(expected, sizeof expected, "a list of %d, one for each width", n_width);
    snprintf(found, sizeof found, "a list of %d", n_act);
    return refuse_value(reading, path, expected, found);
}

static enum status check_split(const struct reading *reading)
{
    struct job_data *data = &reading->job->data;
    int has_rows = data->test_rows[0] != JOB_UNSET, has_time = data->test_time[0] != NULL;
    if (!data->split_by && has_rows && has_time)
        return refuse_value(reading, "data.split_by", "rows or time, because test_rows and test_time are both given",
                            "nothing");
    if (!data->split_by)
        data->split_by = has_rows ? "rows" : has_time ? "time" : "fraction";
    if (!strcmp(data->split_by, "rows") && !has_rows)
        return refuse_value(reading, "data.test_rows", "a list of 2 whole numbers, because data.split_by is rows",
                            "nothing");
    if (!strcmp(data->split_by, "time") && !has_time)
        return refuse_value(reading, "data.test_time", "a list of 2 time stamps, because data.split_by is time",
                            "nothing");
    return STATUS_OK;
}

/* Is this entry of the kind that the links inside and between nodes join: GPUs where there are any, else the first? */
static int is_leading(const struct cluster *cluster, const struct cluster_device *device)
{
    for (int i = 0; i < cluster->n_devices; i++)
        if (strcmp(cluster->device[i].kind, "gpu") == 0)
            return strcmp(device->kind, "gpu") == 0;
    return strcmp(device->kind, cluster->device[0].kind) == 0;
}

enum status cluster_check(const struct reading *reading)
{
    struct cluster *cluster = &reading->job->cluster;
    int64_t n = 0, n_nodes = 0, most_in_node = 0;
    const struct node *node = node_find(reading->tree, "cluster", strlen("cluster"));
    enum status status = check_given(reading, node, "cluster", reading->job);
    if (status)
        return status;
    for (int i = 0; i < cluster->n_devices; i++) {
        struct cluster_device *device = &cluster->device[i];
        if (device->per_node == 0)
            device->per_node = device->count;
        int64_t nodes = (device->count + device->per_node - 1) / device->per_node;
        n += device->count;
        if (!is_leading(cluster, device)) /* the others have links of their own */
            continue;
        n_nodes = nodes > n_nodes ? nodes : n_nodes;
        most_in_node += device->count < device->per_node ? device->count : device->per_node;
    }
    if (!cluster->name)
        cluster->name = path_stem(reading->arena, cluster->source);
    if (!cluster->links.inside && most_in_node > 1)
        return refuse_value(reading, "cluster.links.inside", "a link profile, because a node has several devices",
                            "nothing");
    if (!cluster->links.between && n_nodes > 1)
        return refuse_value(reading, "cluster.links.between", "a link profile, because there are several nodes",
                            "nothing");
    return STATUS_OK;
}

/* Without data there is nothing that epochs could be counted by. */
static enum status check_length(const struct reading *reading)
{
    if (reading->job->data.file || reading->job->train.steps > 0)
        return STATUS_OK;
    return refuse_value(reading, "train.steps", "a whole number above 0, because the job has no data.file", "0");
}

/* The target of swe, weather and covid as published can be among the inputs. */
static enum status check_published(const struct reading *reading)
{
    const struct job *job = reading->job;
    if (!job->data.as_published)
        return STATUS_OK;
    if (strcmp(job->model.preset, "traffic") == 0)
        return refuse_value(reading, "data.as_published", "false, because HpT's applications do not have traffic",
                            "true");
    if (job->model.residual && strcmp(job->model.preset, "wind") != 0)
        return refuse_value(reading, "model.residual",
                            "false, because with data.as_published the last value is the target", "true");
    return STATUS_OK;
}

static enum status check_adapter(const struct reading *reading)
{
    const struct job_train *train = &reading->job->train;
    if (train->adapter.width != JOB_UNSET)
        return STATUS_OK;
    if (strcmp(train->mode, "lora") == 0)
        return refuse_value(reading, "train.adapter.width", "a whole number, because train.mode is lora", "auto");
    if (strcmp(train->mode_switch.policy, "safe") == 0)
        return STATUS_OK;
    return refuse_value(reading, "train.adapter.width",
                        "a whole number, because only train.switch.policy safe chooses one", "auto");
}

static enum status check_switch(const struct reading *reading)
{
    const struct job_switch *mode_switch = &reading->job->train.mode_switch;
    double *validation = &reading->job->data.validation_fraction;
    int is_safe = strcmp(mode_switch->policy, "safe") == 0;
    if (*validation == JOB_UNSET)
        *validation = is_safe ? 0.1 : 0;
    if (is_safe && *validation == 0)
        return refuse_value(reading, "data.validation_fraction",
                            "a number above 0, because train.switch.policy is safe", "0");
    if (strcmp(mode_switch->policy, "at") != 0 || mode_switch->at_step != JOB_UNSET)
        return STATUS_OK;
    return refuse_value(reading, "train.switch.at_step", "a whole number, because train.switch.policy is at",
                        "nothing");
}

/* A job trains a preset, or serves a decoder. */
static enum status check_duty(const struct reading *reading)
{
    const struct job *job = reading->job;
    int serves = job->decoder.model || job->decoder.file;
    if (serves && job->model.preset)
        return refuse_value(reading, "model.preset", "nothing, because the job serves a decoder", job->model.preset);
    if (job->decoder.model && job->decoder.file)
        return refuse_value(reading, "decoder.model", "nothing, because decoder.file names a model",
                            job->decoder.model);
    if (!serves && !job->model.preset)
        return refuse_value(
            reading, "model.preset",
            "one of wind, swe, weather, covid, traffic, or a decoder to serve (decoder.file, decoder.model)",
            "nothing");
    if (serves && job->serve.trace && job->serve.prompts)
        return refuse_value(reading, "serve.prompts", "nothing, because serve.trace is given", job->serve.prompts);
    if (serves && job->serve.lengths_from && (job->serve.trace || job->serve.prompts))
        return refuse_value(reading, "serve.lengths_from", "nothing, because requests are not made up",
                            job->serve.lengths_from);
    if (serves && !job->serve.trace && !job->serve.prompts && job->serve.requests == 0)
        return refuse_value(reading, "serve.requests", "a number above 0, or a serve.trace or serve.prompts", "0");
    return STATUS_OK;
}

/* How much slower, or how many columns, is told where there is such a number, and only there. */
static enum status check_faults(const struct reading *reading)
{
    const struct job *job = reading->job;
    char path[64], found[64];
    if (strcmp(job->serve.recovery, "reload") == 0 && strcmp(job->serve.preemption, "swap") != 0)
        return refuse_value(reading, "serve.recovery",
                            "recompute, because without serve.preemption swap no KV is on the host", "reload");
    for (int i = 0; i < job->n_faults; i++) {
        const struct job_fault *fault = &job->fault[i];
        int is_given = fault->factor != JOB_UNSET, fails = strcmp(fault->kind, "fails") == 0,
            sticks = strcmp(fault->kind, "columns-stick") == 0;
        snprintf(path, sizeof path, "faults[%d].factor", i);
        snprintf(found, sizeof found, "%g", fault->factor);
        if (fails && is_given)
            return refuse_value(reading, path, "nothing, because the device fails", found);
        if (!fails && !is_given)
            return refuse_value(reading, path,
                                sticks ? "a share above 0 and below 1, of the columns that stick"
                                       : "a share above 0 and below 1, the speed that is left",
                                "nothing");
        snprintf(path, sizeof path, "faults[%d].instance", i);
        snprintf(found, sizeof found, "%lld", (long long)fault->instance);
        if (job->model.preset && fault->instance != 0)
            return refuse_value(reading, path, "nothing, because only jobs that serve have instances", found);
        snprintf(path, sizeof path, "faults[%d].kind", i);
        if (!job->model.preset && sticks)
            return refuse_value(reading, path, "fails, degrades or link-slows in a job that serves", fault->kind);
    }
    return STATUS_OK;
}

enum status job_check(const struct reading *reading)
{
    struct job *job = reading->job;
    char expected[MESSAGE];
    const struct node *cluster = node_find(reading->tree, "cluster", strlen("cluster"));
    if (!job->cluster_file && !entry_find(reading->job_file.entry, "cluster"))
        return refuse_value(reading, "cluster", node_expected(expected, sizeof expected, cluster), "nothing");
    if (!job->name)
        job->name = path_stem(reading->arena, job->source);
    if (!job->output.directory)
        job->output.directory = arena_printf(reading->arena, "%s-out", job->name);
    enum status status = check_given(reading, reading->tree, "", job);
    if (!status)
        status = check_duty(reading);
    if (!status)
        status = cluster_check(reading);
    if (!status)
        status = check_faults(reading);
    if (!status && !job->model.preset)
        return STATUS_OK;
    if (!status)
        status = check_lengths(reading, "model.reduce_act", job->model.reduce_act.n, job->model.reduce_width.n);
    if (!status)
        status = check_lengths(reading, "model.decode_act", job->model.decode_act.n, job->model.decode_width.n);
    if (!status)
        status = check_split(reading);
    if (!status)
        status = check_published(reading);
    if (!status)
        status = check_switch(reading);
    if (!status)
        status = check_adapter(reading);
    return status ? status : check_length(reading);
}
