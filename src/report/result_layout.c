#include "base/status.h"
#include "report/result_private.h"

const struct result_field *result_metric_field(int field)
{
    static const struct result_field fields[RESULT_METRICS] = {
        {"mae", NULL, "mean absolute error on the test set"},
        {"rmse", NULL, "root mean square error on the test set"},
        {"mape_percent", "percent", "mean absolute percentage error on the test set"},
        {"nse", "1", "Nash-Sutcliffe efficiency on the test set"},
    };
    return &fields[field];
}

double *result_metric(struct run_metrics *metrics, int field)
{
    double *const values[RESULT_METRICS] = {&metrics->mae, &metrics->rmse, &metrics->mape_percent, &metrics->nse};
    return values[field];
}

const struct result_field *result_class_field(int field)
{
    static const struct result_field fields[RESULT_CLASS_FIELDS] = {
        {"count", "1", "instructions"},
        {"busy_ps", "ps", "virtual time for which the engine of an instruction was busy"},
        {"flops", "1", "floating-point operations"},
        {"bytes", "byte", "traffic to device memory, or over the link"},
        {"cell_writes", "1", "non-volatile cells programmed"},
        {"compute_ps", "ps", "virtual time for which the compute engine was busy"},
        {"wait_ps", "ps", "virtual time for which the compute engine waited for an instruction of this class"},
    };
    return &fields[field];
}

uint64_t *result_class_value(struct ledger *ledger, int field, int class)
{
    struct ledger_entry *entry = &ledger->entry[class];
    uint64_t *const values[RESULT_CLASS_FIELDS] = {
        &entry->count,           &entry->busy_ps,     &entry->flops,
        &entry->bytes,           &entry->cell_writes, &ledger->compute_ps[class],
        &ledger->wait_ps[class],
    };
    return values[field];
}

const struct result_field *result_device_field(int field)
{
    static const struct result_field fields[RESULT_DEVICE_FIELDS] = {
        {"memory_bytes", "byte", "device memory needed"},
        {"capacity_bytes", "byte", "device memory there is"},
        {"idle_ps", "ps", "virtual time in which the device has nothing to do"},
        {"end_ps", "ps", "virtual time of the run"},
        {"off_ps", "ps", "virtual time since the device failed"},
    };
    return &fields[field];
}

uint64_t *result_device_value(struct run_device *device, int field)
{
    uint64_t *const values[RESULT_DEVICE_FIELDS] = {&device->memory_bytes, &device->capacity_bytes,
                                                    &device->ledger.idle_ps, &device->ledger.end_ps,
                                                    &device->ledger.off_ps};
    return values[field];
}

const char *result_run_field(int field)
{
    static const char *const names[RESULT_RUN_FIELDS] = {"n_parameters", "n_trainable", "n_train", "n_test", "steps"};
    return names[field];
}

int64_t *result_run_value(struct run *run, int field)
{
    int64_t *const values[RESULT_RUN_FIELDS] = {&run->n_parameters, &run->n_trainable, &run->n_train, &run->n_test,
                                                &run->steps};
    return values[field];
}

const char *result_run_text_name(int text)
{
    static const char *const names[RESULT_RUN_TEXTS] = {"title", "model", "placement", "target", "target_units"};
    return names[text];
}

const char **result_run_text(struct run *run, int text)
{
    const char **const values[RESULT_RUN_TEXTS] = {&run->name, &run->model_text, &run->placement_text, &run->target,
                                                   &run->units};
    return values[text];
}
