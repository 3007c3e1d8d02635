#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "scheduler/switch.h"

enum { LEAST_WINDOW = 64, MOST_WINDOW = 4096, WINDOWS_OF_AN_EPOCH = 8, HPT_WINDOWS = 5, SAFE_WINDOWS = 4 };

static const char *const policies[] = {"never", "at", "always", "hpt", "safe"};

const char *switch_policy_name(enum switch_policy policy)
{
    return policies[policy];
}

const char *switch_state_name(enum switch_state state)
{
    static const char *const names[] = {"full", "trial", "low"};
    return names[state];
}

const char *switch_action_name(enum switch_action action)
{
    static const char *const names[] = {"continue", "start trial", "restart trial", "enter low", "return to full"};
    return names[action];
}

const char *switch_relation_name(enum switch_relation relation)
{
    static const char *const names[] = {"", "<", ">", ">="};
    return names[relation];
}

void switch_config_defaults(enum switch_policy policy, struct switch_config *config)
{
    *config = (struct switch_config){
        .policy = policy,
        .width = 8,
        .alpha = 0.01,
        .loss_threshold = 0.10,
        .weight_threshold = policy == SWITCH_SAFE ? 0.05 : 0.01,
        .drift_limit = 0.02,
        .captured_share = 0.5,
        .confidence = 0.95,
        .margin = 0.02,
        .degradation = 0.02,
        .degraded_windows = 2,
        .full_windows = 2,
        .trials = 3,
        .retries = 2,
    };
}

int64_t switch_earliest_step(const struct switch_config *config)
{
    switch (config->policy) {
    case SWITCH_AT:
        return config->at_step;
    case SWITCH_ALWAYS:
        return 0;
    case SWITCH_HPT:
        return HPT_WINDOWS * config->window_steps;
    case SWITCH_SAFE:
        return SAFE_WINDOWS * config->window_steps;
    case SWITCH_NEVER:
        break;
    }
    return -1;
}

static enum switch_policy policy_of(const struct job *job)
{
    for (int i = 0; i < (int)(sizeof policies / sizeof *policies); i++)
        if (strcmp(policies[i], job->train.mode_switch.policy) == 0)
            return i;
    bug("no switch policy '%s'", job->train.mode_switch.policy);
}

static int64_t safe_window(int64_t epoch_steps)
{
    int64_t steps = epoch_steps / WINDOWS_OF_AN_EPOCH;
    return steps < LEAST_WINDOW ? LEAST_WINDOW : steps > MOST_WINDOW ? MOST_WINDOW : steps;
}

/* The published k of each application. */
static int64_t published_window(const char *preset)
{
    static const struct {
        const char *preset;
        int64_t steps;
    } published[] = {{"swe", 365}, {"weather", 8000}, {"covid", 720}, {"wind", 480}};
    for (size_t i = 0; i < sizeof published / sizeof *published; i++)
        if (strcmp(published[i].preset, preset) == 0)
            return published[i].steps;
    return 0;
}

static int64_t window_of(const struct job *job, const struct switch_setting *setting, enum switch_policy policy)
{
    int64_t given = job->train.mode_switch.window_steps;
    int64_t published = policy == SWITCH_HPT ? published_window(job->model.preset) : 0;
    return given ? given : published ? published : safe_window(setting->epoch_steps);
}

static enum status check_run(const struct job *job, const struct switch_setting *setting,
                             const struct switch_config *config, struct fault *fault)
{
    int64_t earliest = switch_earliest_step(config);
    int is_tested = config->policy == SWITCH_HPT || config->policy == SWITCH_SAFE;
    if (is_tested && setting->timing_only && !setting->assume_earliest)
        return fault_set(fault, STATUS_USAGE,
                         "%s: train.switch.policy: expected never, at or always in a timing-only run, which has no "
                         "losses to test, found '%s'",
                         job->source, switch_policy_name(config->policy));
    if (is_tested && config->window_steps < 2)
        return fault_set(fault, STATUS_USAGE,
                         "%s: train.switch.window_steps: expected at least 2, since policy %s compares the two arms by "
                         "the spread of their losses, found %" PRId64,
                         job->source, switch_policy_name(config->policy), config->window_steps);
    if (is_tested && earliest >= setting->total_steps)
        return fault_set(fault, STATUS_USAGE,
                         "%s: train.switch.window_steps: expected windows of which %d end before the run's %" PRId64
                         " steps do, found %" PRId64 " steps%s",
                         job->source, config->policy == SWITCH_HPT ? HPT_WINDOWS : SAFE_WINDOWS, setting->total_steps,
                         config->window_steps, job->train.mode_switch.window_steps ? "" : " (the default)");
    if (config->trial_steps > 0 && config->policy != SWITCH_AT)
        return fault_set(fault, STATUS_USAGE,
                         "%s: train.switch.trial_steps: expected with train.switch.policy at only, found with '%s'",
                         job->source, switch_policy_name(config->policy));
    if (config->trial_steps > 0 && config->trial_steps >= config->at_step)
        return fault_set(fault, STATUS_USAGE,
                         "%s: train.switch.trial_steps: expected less than train.switch.at_step (%" PRId64
                         "), found %" PRId64,
                         job->source, config->at_step, config->trial_steps);
    if (config->policy == SWITCH_AT && earliest >= setting->total_steps)
        return fault_set(fault, STATUS_USAGE,
                         "%s: train.switch.at_step: expected less than the run's %" PRId64 " steps, found %" PRId64,
                         job->source, setting->total_steps, config->at_step);
    return STATUS_OK;
}

enum status switch_config_from_job(const struct job *job, const struct switch_setting *setting,
                                   struct switch_config *config, struct fault *fault)
{
    const struct job_switch *given = &job->train.mode_switch;
    struct switch_config found;
    switch_config_defaults(policy_of(job), &found);
    found.total_steps = setting->total_steps;
    found.window_steps = window_of(job, setting, found.policy);
    found.at_step = given->at_step == JOB_UNSET ? 0 : given->at_step;
    found.trial_steps = given->trial_steps;
    found.width = setting->width;
    found.fixed_width = !setting->chooses_width;
    found.most_width = setting->most_width;
    found.assumes_earliest = setting->assume_earliest;
    found.alpha = given->alpha;
    found.loss_threshold = given->loss_threshold;
    if (given->weight_threshold != JOB_UNSET)
        found.weight_threshold = given->weight_threshold;
    found.margin = given->margin;
    if (given->watch_layer >= setting->layers)
        return fault_set(
            fault, STATUS_USAGE,
            "%s: train.switch.watch_layer: expected a layer from 0 to %d, or -1 for the last, found %" PRId64,
            job->source, setting->layers - 1, given->watch_layer);
    found.watch_layer = given->watch_layer < 0 ? setting->layers - 1 : (int)given->watch_layer;
    enum status status = check_run(job, setting, &found, fault);
    if (status == STATUS_OK)
        *config = found;
    return status;
}

double switch_speed_up_bound(double full_share, double trial_share, double low_speed_up)
{
    return 1 / (full_share + trial_share + (1 - full_share) / low_speed_up);
}

double switch_needed_speed_up(double full_share, double trial_share, double speed_up)
{
    double left = 1 / speed_up - full_share - trial_share;
    return left > 0 ? (1 - full_share) / left : INFINITY;
}
