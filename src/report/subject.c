#include "report/subject.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "report/result.h"
#include "store/h5.h"

const char *subject_path(const struct subject *subject, struct arena *arena, const char *name)
{
    return arena_printf(arena, "%s/%s", subject->folder, name);
}

static const char *folder_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    return slash == path ? "/" : arena_printf(arena, "%.*s", (int)(slash - path), path);
}

/* The folder's name without slashes at its end. */
static const char *trimmed(struct arena *arena, const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    return arena_printf(arena, "%.*s", (int)n, path);
}

static enum status find_in_folder(struct subject *subject, struct arena *arena, struct fault *fault)
{
    subject->folder = trimmed(arena, subject->given);
    const char *training = subject_path(subject, arena, "result.h5"),
               *serving = subject_path(subject, arena, "serving.h5");
    int has_training = access(training, F_OK) == 0, has_serving = access(serving, F_OK) == 0;
    if (has_training && has_serving)
        return fault_set(fault, STATUS_USAGE, "%s: holds a result.h5 and a serving.h5: name the file that is meant",
                         subject->folder);
    if (!has_training && !has_serving && access(subject_path(subject, arena, "checkpoint.h5"), F_OK) == 0)
        return fault_set(fault, STATUS_USAGE,
                         "%s: the run is not finished: there is a checkpoint.h5, from which --resume auto goes on",
                         subject->folder);
    if (!has_training && !has_serving)
        return fault_set(fault, STATUS_USAGE, "%s: no finished run: expected a result.h5 or a serving.h5 in it",
                         subject->folder);
    subject->file = has_training ? training : serving;
    return STATUS_OK;
}

static enum status find(struct subject *subject, struct arena *arena, struct fault *fault)
{
    struct stat found;
    if (stat(subject->given, &found) != 0)
        return fault_set(fault, STATUS_USAGE, "%s: %s", subject->given, strerror(errno));
    if (S_ISDIR(found.st_mode))
        return find_in_folder(subject, arena, fault);
    subject->file = subject->given;
    subject->folder = folder_of(arena, subject->given);
    return STATUS_OK;
}

static enum status hash_file(const char *path, uint64_t *hash, struct fault *fault)
{
    char block[1 << 16];
    size_t n;
    FILE *file = fopen(path, "rb");
    if (!file)
        return fault_set(fault, STATUS_IO, "%s: cannot be read: %s", path, strerror(errno));
    *hash = HASH_START;
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        *hash = hash_bytes(*hash, n, block);
    int failed = ferror(file);
    fclose(file);
    return failed ? fault_set(fault, STATUS_IO, "%s: cannot be read", path) : STATUS_OK;
}

static enum status read_kind(struct subject *subject, struct arena *arena, struct fault *fault)
{
    struct h5 *file;
    const char *schema = NULL;
    if (h5_verify(subject->file, fault) != STATUS_OK || h5_open(subject->file, &file, fault) != STATUS_OK)
        return fault->status;
    if (h5_has_attribute(file, "/", "schema"))
        h5_get_string(file, "/", "schema", arena, &schema, fault);
    if (fault->status == STATUS_OK && h5_has_attribute(file, "/", "source"))
        h5_get_string(file, "/", "source", arena, &subject->source, fault);
    if (fault->status == STATUS_OK && h5_has_attribute(file, "/", "energy_j"))
        h5_get_double(file, "/", "energy_j", &subject->told_energy_j, fault);
    h5_close(file);
    if (fault->status != STATUS_OK)
        return fault->status;
    if (schema && strcmp(schema, "polyrank-result") == 0)
        subject->kind = SUBJECT_TRAINING;
    else if (schema && strcmp(schema, "polyrank-serving") == 0)
        subject->kind = SUBJECT_SERVING;
    else
        return fault_set(fault, STATUS_USAGE,
                         "%s: expected a result of polyrank train or serve (schema polyrank-result or "
                         "polyrank-serving), found %s%s",
                         subject->file, schema ? "schema " : "no schema", schema ? schema : "");
    return STATUS_OK;
}

static void name_it(struct subject *subject, const char *name, const char *model, const char *config)
{
    subject->name = name && *name ? name : subject->folder;
    subject->model = model ? model : "-";
    subject->config = config ? config : "";
    subject->source = subject->source ? subject->source : "-";
    subject->config_hash = hash_text(HASH_START, subject->config);
    subject->model_hash = hash_text(HASH_START, subject->model);
}

/* What the model's weights are goes into its hash, when the file has them. */
static void hash_weights(struct subject *subject)
{
    for (int p = 0; p < subject->run.n_parameters_stored; p++) {
        const struct run_parameter *parameter = &subject->run.parameter[p];
        size_t n = 1;
        for (int d = 0; d < parameter->n_dims; d++)
            n *= (size_t)parameter->dims[d];
        subject->model_hash = hash_text(subject->model_hash, parameter->name);
        if (parameter->values)
            subject->model_hash = hash_floats(subject->model_hash, n, parameter->values);
        else if (parameter->values64)
            for (size_t i = 0; i < n; i++)
                subject->model_hash = hash_double(subject->model_hash, parameter->values64[i]);
    }
}

static enum status read_content(struct subject *subject, struct arena *arena, struct fault *fault)
{
    if (subject->kind == SUBJECT_SERVING) {
        if (serving_result_read(subject->file, arena, &subject->serving, fault) != STATUS_OK)
            return fault->status;
        name_it(subject, subject->serving.title, subject->serving.model, subject->serving.config);
        return STATUS_OK;
    }
    if (result_read(subject->file, arena, &subject->run, fault) != STATUS_OK)
        return fault->status;
    name_it(subject, subject->run.name, subject->run.model_text, subject->run.config);
    subject->placement = subject->run.placement_text;
    hash_weights(subject);
    return STATUS_OK;
}

enum status subject_open(const char *given, struct arena *arena, struct subject *subject, struct fault *fault)
{
    struct subject read = {.given = given};
    enum status status = find(&read, arena, fault);
    if (status == STATUS_OK)
        status = read_kind(&read, arena, fault);
    if (status == STATUS_OK)
        status = hash_file(read.file, &read.file_hash, fault);
    if (status == STATUS_OK)
        status = read_content(&read, arena, fault);
    if (status != STATUS_OK)
        return status;
    struct fault not_again = FAULT_NONE;
    read.has_job = job_parse(arena, read.file, read.config, NULL, 0, &read.job, &not_again) == STATUS_OK;
    *subject = read;
    return STATUS_OK;
}

struct run_devices subject_devices(const struct subject *subject, struct arena *arena)
{
    return subject->kind == SUBJECT_SERVING ? serving_devices_view(&subject->serving.devices, arena)
                                            : run_devices(&subject->run);
}

double subject_time_s(const struct subject *subject)
{
    const struct serving_summary *sum = &subject->serving.summary;
    return subject->kind == SUBJECT_TRAINING ? (double)subject->run.end_ps * 1e-12
                                             : (double)(sum->end_ps - sum->first_arrival_ps) * 1e-12;
}

double subject_energy_j(const struct subject *subject)
{
    return subject->kind == SUBJECT_TRAINING ? run_energy_j(&subject->run) : joules(subject->serving.summary.energy_fj);
}
