/* build_open.c - a job becomes a plan: what its open keys stand for, beside those of its model. */
#include <string.h>

#include "config/job.h"
#include "scheduler/build.h"
#include "scheduler/switch.h"

static void fill_device(struct cluster_device *device)
{
    if (strcmp(device->kind, "reram") == 0 && !device->fidelity)
        device->fidelity = "quantized";
    if (strcmp(device->kind, "systolic") == 0 && !device->memory_mode)
        device->memory_mode = "ideal";
}

static void fill_switch(struct job_switch *mode_switch)
{
    int is_safe = strcmp(mode_switch->policy, "safe") == 0;
    struct switch_config config;
    if (mode_switch->weight_threshold != JOB_UNSET || (!is_safe && strcmp(mode_switch->policy, "hpt") != 0))
        return;
    switch_config_defaults(is_safe ? SWITCH_SAFE : SWITCH_HPT, &config);
    mode_switch->weight_threshold = config.weight_threshold;
}

void build_open_keys(struct job *job)
{
    struct adapter_config filled_in;
    for (int i = 0; i < job->cluster.n_devices; i++)
        fill_device(&job->cluster.device[i]);
    if (strcmp(job->placement.policy, "gpu-only") == 0)
        return;
    build_adapter_config(&job->train.adapter, &filled_in);
    if (job->train.adapter.learning_rate == JOB_UNSET)
        job->train.adapter.learning_rate = job->train.optimiser.learning_rate;
    fill_switch(&job->train.mode_switch);
}
