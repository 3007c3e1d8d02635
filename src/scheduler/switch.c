#include "scheduler/switch.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/statistics.h"
#include "scheduler/switch_private.h"

static int has_windows(const struct mode_switch *sw)
{
    return !sw->is_over && (sw->config.policy == SWITCH_HPT || sw->config.policy == SWITCH_SAFE);
}

struct mode_switch *switch_new(const struct switch_config *config, struct arena *arena)
{
    struct mode_switch *sw = arena_take(arena, sizeof *sw);
    sw->config = *config;
    sw->arena = arena;
    sw->is_over = config->policy == SWITCH_NEVER;
    sw->best_validation = INFINITY;
    if (!has_windows(sw))
        return sw;
    if (config->window_steps < 1)
        bug("a switch by tests with windows of %" PRId64 " steps", config->window_steps);
    sw->full = arena_array(arena, (size_t)config->window_steps, sizeof *sw->full);
    sw->low = arena_array(arena, (size_t)config->window_steps, sizeof *sw->low);
    return sw;
}

/* ---- the log ---- */

/* Doubles an array of the arena when it is full. */
static void *with_room(struct arena *arena, void *old, int64_t n, int64_t *room, size_t size)
{
    if (n < *room)
        return old;
    *room = *room ? 2 * *room : 16;
    void *larger = arena_array(arena, (size_t)*room, size);
    if (n)
        memcpy(larger, old, (size_t)n * size);
    return larger;
}

static struct switch_record *new_record(struct mode_switch *sw)
{
    int64_t room = sw->log_room;
    sw->log = with_room(sw->arena, sw->log, sw->n_log, &room, sizeof *sw->log);
    sw->log_room = (int)room;
    struct switch_record *record = &sw->log[sw->n_log++];
    *record = (struct switch_record){.step = sw->step, .before = sw->state, .after = sw->state};
    if (has_windows(sw))
        record->window = sw->windows;
    return record;
}

const struct switch_record *switch_log(const struct mode_switch *sw, int *n)
{
    *n = sw->n_log;
    return sw->log;
}

/* ---- transitions: each sets the state and fills in the record ---- */

static void stay(struct switch_record *record, const char *reason)
{
    record->reason = reason;
}

static void start_trial(struct mode_switch *sw, struct switch_record *record, enum switch_action action, int width,
                        const char *reason)
{
    sw->state = record->after = SWITCH_TRIAL;
    sw->trial = action == SWITCH_RESTART_TRIAL ? sw->trial + 1 : 1;
    sw->width = record->width = width;
    record->action = action;
    record->reason = reason;
}

static void enter_low(struct mode_switch *sw, struct switch_record *record, const char *reason)
{
    sw->state = record->after = SWITCH_LOW;
    sw->is_over = sw->config.policy != SWITCH_SAFE;
    sw->best_validation = INFINITY;
    sw->degraded = 0;
    if (sw->width == 0)
        sw->width = sw->config.width;
    record->width = sw->width;
    record->action = SWITCH_ENTER_LOW;
    record->reason = reason;
}

static void return_to_full(struct mode_switch *sw, struct switch_record *record, const char *reason)
{
    sw->state = record->after = SWITCH_FULL;
    sw->width = sw->trial = 0;
    sw->loss.n = sw->movement.n = 0;
    record->action = SWITCH_RETURN_TO_FULL;
    record->reason = reason;
}

static struct switch_decision decision_of(const struct switch_record *record)
{
    return (struct switch_decision){record->action, record->width, record->reason};
}

static const struct switch_decision go_on = {SWITCH_CONTINUE, 0, ""};

struct switch_decision switch_begin(struct mode_switch *sw)
{
    if (sw->step > 0 || sw->n_log > 0)
        bug("a switch begins twice");
    int at_start = sw->config.policy == SWITCH_ALWAYS || (sw->config.policy == SWITCH_AT && sw->config.at_step == 0);
    if (!at_start)
        return go_on;
    struct switch_record *record = new_record(sw);
    enter_low(sw, record, "low mode from the start");
    return decision_of(record);
}

/* ---- steps ---- */

static void keep_step(struct mode_switch *sw, double loss_full, double loss_low)
{
    sw->steps = with_room(sw->arena, sw->steps, sw->n_steps, &sw->steps_room, sizeof *sw->steps);
    sw->steps[sw->n_steps++] = (struct switch_step){.loss_full = sw->state == SWITCH_LOW ? NAN : loss_full,
                                                    .loss_low = sw->state == SWITCH_FULL ? NAN : loss_low,
                                                    .window = has_windows(sw) ? sw->windows + 1 : 0,
                                                    .state = sw->state};
}

int switch_window_is_full(const struct mode_switch *sw)
{
    return has_windows(sw) && sw->window_fill == sw->config.window_steps;
}

/* Policy at: a trial only for its cost, then the switch. */
static struct switch_decision observe_at(struct mode_switch *sw)
{
    int64_t left = sw->is_over ? -1 : sw->config.at_step - sw->step;
    if (left == 0) {
        struct switch_record *record = new_record(sw);
        enter_low(sw, record, "the job's step is reached");
        return decision_of(record);
    }
    if (left > 0 && left == sw->config.trial_steps) {
        struct switch_record *record = new_record(sw);
        start_trial(sw, record, SWITCH_START_TRIAL, sw->config.width, "the job's trial begins");
        return decision_of(record);
    }
    return go_on;
}

struct switch_decision switch_observe_step(struct mode_switch *sw, int64_t step, double loss_full, double loss_low)
{
    if (step != sw->step + 1 || switch_window_is_full(sw))
        bug("the switch expects %s after step %" PRId64 ", not step %" PRId64,
            switch_window_is_full(sw) ? "the numbers of a window" : "the next step", sw->step, step);
    keep_step(sw, loss_full, loss_low);
    sw->step = step;
    if (has_windows(sw)) {
        sw->full[sw->window_fill] = loss_full;
        sw->low[sw->window_fill++] = loss_low;
    }
    return sw->config.policy == SWITCH_AT ? observe_at(sw) : go_on;
}

/* ---- ends of windows ---- */

static double mean_loss(const struct mode_switch *sw)
{
    const double *losses = sw->state == SWITCH_LOW ? sw->low : sw->full;
    return statistics_moments(losses, (size_t)sw->window_fill).mean;
}

/* The losses as they will stand at the window's end; its own is unknown until it is full. */
static int may_want_captured(const struct mode_switch *sw)
{
    struct history losses = sw->loss;
    if (switch_window_is_full(sw)) {
        history_add(&losses, mean_loss(sw));
        return switch_loss_holds(sw, &losses);
    }
    return losses.n >= 2;
}

int switch_wants(const struct mode_switch *sw)
{
    if (!has_windows(sw) || sw->state == SWITCH_TRIAL || sw->config.assumes_earliest)
        return 0;
    if (sw->config.policy == SWITCH_HPT)
        return sw->windows > 0 ? SWITCH_WANTS_DISPLACEMENT : 0;
    if (sw->state == SWITCH_LOW)
        return SWITCH_WANTS_VALIDATION;
    if (sw->windows_to_wait > 0)
        return 0;
    return SWITCH_WANTS_DRIFT | (may_want_captured(sw) ? SWITCH_WANTS_CAPTURED : 0);
}

static void end_full_hpt(struct mode_switch *sw, struct switch_record *record, const struct switch_window *numbers,
                         int wants)
{
    if (wants & SWITCH_WANTS_DISPLACEMENT) {
        history_add(&sw->movement, numbers->displacement);
        switch_tell(record, "displacement", numbers->displacement);
    }
    if (sw->loss.n < 3 || sw->movement.n < 3) {
        stay(record, "too few windows to judge");
        return;
    }
    switch_test_loss(sw, record);
    switch_test_displacement(sw, record);
    if (switch_record_holds(record))
        start_trial(sw, record, SWITCH_START_TRIAL, sw->config.width, "loss and weights stand still");
    else
        stay(record, "loss or weights still move");
}

static double median_of(const struct mode_switch *sw, const struct switch_window *numbers)
{
    if (numbers->n_matrices < 1)
        bug("the drift of no matrix");
    double *copy = arena_array(sw->arena, (size_t)numbers->n_matrices, sizeof *copy);
    memcpy(copy, numbers->relative_displacement, (size_t)numbers->n_matrices * sizeof *copy);
    return statistics_median(copy, (size_t)numbers->n_matrices);
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* The narrowest adapters that a trial may still have. */
static int narrowest(const struct mode_switch *sw)
{
    return sw->config.fixed_width ? sw->config.width
                                  : larger(switch_width_within(sw, switch_widths[0]), sw->least_width);
}

/* Does a switch to adapters of this width still pay after a trial? */
static int pays_after_trial(const struct mode_switch *sw, int width, struct switch_record *record)
{
    int64_t steps = sw->config.total_steps - sw->step - sw->config.window_steps;
    struct switch_record payoff = {.n_numbers = 0};
    switch_test_payoff(sw, &payoff, width, steps, 1);
    if (record)
        switch_test_payoff(sw, record, width, steps, 1);
    return switch_record_holds(&payoff);
}

/* The steps left only become fewer: never again, if not now. */
static int pays_never(const struct mode_switch *sw)
{
    return !pays_after_trial(sw, narrowest(sw), NULL);
}

/* The width that T3 chooses in FULL, 0: it is not asked, or there is none. */
static int chosen_width(const struct mode_switch *sw, const struct switch_window *numbers, int wants)
{
    struct switch_record unused = {.n_numbers = 0};
    int width = wants & SWITCH_WANTS_CAPTURED ? switch_test_captured(sw, &unused, numbers) : 0;
    return width ? larger(width, sw->least_width) : 0;
}

int switch_lacks_costs(const struct mode_switch *sw, const struct switch_window *numbers)
{
    if (!switch_window_is_full(sw) || sw->config.policy != SWITCH_SAFE || sw->state == SWITCH_LOW)
        return 0;
    if (sw->config.assumes_earliest)
        return switch_costs_of(sw, sw->config.width) ? 0 : sw->config.width;
    int width = sw->state == SWITCH_TRIAL ? sw->width : chosen_width(sw, numbers, switch_wants(sw));
    if (width && !switch_costs_of(sw, width))
        return width;
    return switch_costs_of(sw, narrowest(sw)) ? 0 : narrowest(sw);
}

static void end_full_safe(struct mode_switch *sw, struct switch_record *record, const struct switch_window *numbers,
                          int wants)
{
    double drift = median_of(sw, numbers);
    history_add(&sw->movement, drift);
    int width = 0, can_judge = sw->loss.n == 3 && sw->movement.n == 3;
    if (can_judge) {
        switch_test_loss(sw, record);
        switch_test_drift(sw, record);
        if (wants & SWITCH_WANTS_CAPTURED)
            width = switch_test_captured(sw, record, numbers) ? chosen_width(sw, numbers, wants) : 0;
    } else {
        switch_tell(record, "drift", drift);
    }
    int pays = pays_after_trial(sw, width ? width : narrowest(sw), record);
    if (pays_never(sw)) {
        sw->is_over = 1;
        stay(record, "a switch does not pay off any more");
    } else if (!can_judge) {
        stay(record, "too few windows to judge");
    } else if (!pays) {
        stay(record, "a switch does not pay off with adapters that can follow");
    } else if (switch_record_holds(record)) {
        start_trial(sw, record, SWITCH_START_TRIAL, width, "loss and weights stand still, and adapters can follow");
    } else {
        stay(record, "loss or weights still move, or adapters cannot follow");
    }
}

/* In FULL after a way back: no tests but the pay-off, then a trial with wider adapters. */
static void end_full_again(struct mode_switch *sw, struct switch_record *record)
{
    sw->windows_to_wait--;
    switch_tell(record, "windows_to_wait", sw->windows_to_wait);
    if (!pays_after_trial(sw, sw->least_width, record)) {
        sw->is_over = 1;
        stay(record, "a switch does not pay off any more");
    } else if (sw->windows_to_wait > 0) {
        stay(record, "full mode for a while after the way back");
    } else {
        start_trial(sw, record, SWITCH_START_TRIAL, sw->least_width,
                    sw->config.fixed_width ? "once more" : "once more, with wider adapters");
    }
}

static void end_trial_hpt(struct mode_switch *sw, struct switch_record *record)
{
    switch_test_arms_hpt(sw, record);
    if (switch_record_holds(record))
        enter_low(sw, record, "the arms do not differ");
    else
        start_trial(sw, record, SWITCH_RESTART_TRIAL, sw->width, "the arms differ");
}

static void end_trial_safe(struct mode_switch *sw, struct switch_record *record)
{
    switch_tell(record, "trial", sw->trial);
    switch_test_arms_safe(sw, record);
    int is_not_worse = switch_record_holds(record);
    switch_test_payoff(sw, record, sw->width, sw->config.total_steps - sw->step, 0);
    if (switch_record_holds(record)) {
        enter_low(sw, record, "the low arm is not worse");
    } else if (is_not_worse || !pays_after_trial(sw, sw->width, NULL)) {
        sw->is_over = pays_never(sw);
        return_to_full(sw, record,
                       sw->is_over ? "a switch does not pay off any more"
                                   : "a switch does not pay off with adapters of this width");
    } else if (sw->trial < sw->config.trials) {
        start_trial(sw, record, SWITCH_RESTART_TRIAL, sw->width, "the low arm may be worse");
    } else {
        return_to_full(sw, record, "the low arm may be worse, trial after trial");
    }
}

static void end_low(struct mode_switch *sw, struct switch_record *record, double validation)
{
    double above = isinf(sw->best_validation) ? 0 : validation / sw->best_validation - 1;
    int is_good = above <= sw->config.degradation && !isnan(validation);
    sw->degraded = is_good ? 0 : sw->degraded + 1;
    if (validation < sw->best_validation)
        sw->best_validation = validation;
    switch_tell(record, "validation_loss", validation);
    switch_tell(record, "validation_best", sw->best_validation);
    switch_tell(record, "above_best", above);
    switch_require(record, "windows_above", sw->degraded, SWITCH_BELOW, sw->config.degraded_windows);
    if (switch_record_holds(record)) {
        stay(record, is_good ? "the low mode holds" : "the low mode is worse than it was");
        return;
    }
    sw->least_width = sw->config.fixed_width ? sw->width : switch_width_within(sw, 2 * sw->width);
    sw->windows_to_wait = sw->config.full_windows;
    sw->is_over = sw->retry++ >= sw->config.retries;
    switch_tell(record, "way_back", sw->retry);
    return_to_full(sw, record,
                   sw->is_over ? "the low mode became worse again: full mode to the end" : "the low mode became worse");
}

/* A prediction without losses: every test of losses and weights is taken to hold. Whether a switch pays needs none. */
static void end_assumed(struct mode_switch *sw, struct switch_record *record)
{
    if (sw->state == SWITCH_TRIAL) {
        enter_low(sw, record, "assumed: no test was made");
        sw->is_over = 1;
    } else if (sw->config.policy == SWITCH_SAFE && !pays_after_trial(sw, sw->config.width, record)) {
        sw->is_over = 1;
        stay(record, "a switch does not pay off any more");
    } else if (sw->step == switch_earliest_step(&sw->config) - sw->config.window_steps) {
        start_trial(sw, record, SWITCH_START_TRIAL, sw->config.width, "assumed: no test was made");
    } else {
        stay(record, "too few windows to judge");
    }
}

static struct switch_decision observe_assumed(struct mode_switch *sw)
{
    sw->windows++;
    struct switch_record *record = new_record(sw);
    end_assumed(sw, record);
    sw->window_fill = 0;
    return decision_of(record);
}

struct switch_decision switch_observe_window(struct mode_switch *sw, const struct switch_window *numbers)
{
    if (!switch_window_is_full(sw))
        bug("the numbers of a window after step %" PRId64 ", which ends none", sw->step);
    if (sw->config.assumes_earliest)
        return observe_assumed(sw);
    int wants = switch_wants(sw);
    double loss = mean_loss(sw);
    sw->windows++;
    struct switch_record *record = new_record(sw);
    if (sw->state != SWITCH_TRIAL)
        switch_tell(record, "loss_mean", loss);
    if (sw->state == SWITCH_FULL)
        history_add(&sw->loss, loss);
    if (sw->state == SWITCH_LOW)
        end_low(sw, record, numbers->validation_loss);
    else if (sw->config.policy == SWITCH_HPT && sw->state == SWITCH_FULL)
        end_full_hpt(sw, record, numbers, wants);
    else if (sw->config.policy == SWITCH_HPT)
        end_trial_hpt(sw, record);
    else if (sw->state == SWITCH_TRIAL)
        end_trial_safe(sw, record);
    else if (sw->windows_to_wait > 0)
        end_full_again(sw, record);
    else
        end_full_safe(sw, record, numbers, wants);
    sw->window_fill = 0;
    return decision_of(record);
}

struct switch_decision switch_lose(struct mode_switch *sw, enum switch_loss loss, const char *reason)
{
    static const enum switch_state needed[] = {[SWITCH_LOSES_COPY] = SWITCH_TRIAL, [SWITCH_LOSES_STEPS] = SWITCH_LOW};
    if (switch_window_is_full(sw) || (loss != SWITCH_LOSES_LOW && sw->state != needed[loss]))
        bug("the loss of a device in the mode %s", switch_state_name(sw->state));
    struct switch_record *record = new_record(sw);
    int trial = sw->trial, is_over = sw->is_over;
    switch (loss) {
    case SWITCH_LOSES_COPY:
        start_trial(sw, record, SWITCH_RESTART_TRIAL, sw->width, reason);
        sw->trial = trial;
        break;
    case SWITCH_LOSES_STEPS:
        enter_low(sw, record, reason);
        sw->is_over = is_over;
        break;
    case SWITCH_LOSES_LOW:
        if (sw->state == SWITCH_FULL)
            stay(record, reason);
        else
            return_to_full(sw, record, reason);
        sw->is_over = 1;
        break;
    }
    sw->window_fill = 0;
    return decision_of(record);
}

void switch_set_costs(struct mode_switch *sw, int width, const struct switch_costs *costs)
{
    if (!costs->full_ps || !costs->low_ps || !costs->full_fj || !costs->low_fj)
        bug("the pay-off of a switch between steps that cost nothing");
    if (sw->n_prices == SWITCH_MOST_PRICES || switch_costs_of(sw, width))
        bug("the costs of adapters of width %d once more", width);
    sw->price[sw->n_prices++] = (struct switch_price){width, *costs};
}

void switch_forget_costs(struct mode_switch *sw)
{
    sw->n_prices = 0;
}

int64_t switch_known_steps(const struct mode_switch *sw)
{
    if (has_windows(sw))
        return sw->config.window_steps - sw->window_fill;
    int64_t at = sw->config.at_step, trial = at - sw->config.trial_steps;
    if (sw->config.policy != SWITCH_AT || sw->is_over || sw->step >= at)
        return INT64_MAX;
    return (sw->step < trial ? trial : at) - sw->step;
}

enum switch_state switch_state(const struct mode_switch *sw)
{
    return sw->state;
}

int64_t switch_steps(const struct mode_switch *sw)
{
    return sw->step;
}

int64_t switch_windows(const struct mode_switch *sw)
{
    return sw->windows;
}

int switch_width(const struct mode_switch *sw)
{
    return sw->width;
}
