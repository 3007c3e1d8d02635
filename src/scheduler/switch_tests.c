#include <math.h>

#include "base/statistics.h"
#include "scheduler/switch_private.h"

__extension__ typedef __int128 wide_int;

const int switch_widths[SWITCH_WIDTHS] = {2, 4, 8, 16, 32};

void history_add(struct history *history, double value)
{
    history->value[0] = history->value[1];
    history->value[1] = history->value[2];
    history->value[2] = value;
    history->n += history->n < 3;
}

static struct switch_number *add(struct switch_record *record, const char *name, double value)
{
    if (record->n_numbers == SWITCH_MAX_NUMBERS)
        bug("a record of the switch has no room for '%s'", name);
    struct switch_number *number = &record->number[record->n_numbers++];
    *number = (struct switch_number){.name = name, .value = value, .threshold = NAN, .holds = 1};
    return number;
}

void switch_tell(struct switch_record *record, const char *name, double value)
{
    add(record, name, value);
}

void switch_require(struct switch_record *record, const char *name, double value, enum switch_relation relation,
                    double threshold)
{
    struct switch_number *number = add(record, name, value);
    number->threshold = threshold;
    number->relation = relation;
    number->holds = relation == SWITCH_BELOW   ? value < threshold
                    : relation == SWITCH_ABOVE ? value > threshold
                                               : value >= threshold;
}

int switch_record_holds(const struct switch_record *record)
{
    for (int i = 0; i < record->n_numbers; i++)
        if (!record->number[i].holds)
            return 0;
    return 1;
}

/* (before - now) / before; nothing to lower is lowered by nothing. */
static double decrease(double before, double now)
{
    return before == 0 && now == 0 ? 0 : (before - now) / before;
}

void switch_test_plateau(struct switch_record *record, const struct history *history, double threshold,
                         const char *const names[3])
{
    const double *x = history->value;
    switch_require(record, names[0], decrease(x[0], x[1]), SWITCH_BELOW, threshold);
    switch_require(record, names[1], decrease(x[1], x[2]), SWITCH_BELOW, threshold);
    switch_require(record, names[2], x[1] - x[2], SWITCH_BELOW, x[0] - x[1]);
}

void switch_test_loss(const struct mode_switch *sw, struct switch_record *record)
{
    static const char *const names[3] = {"loss_decrease_before", "loss_decrease", "loss_step"};
    const double *x = sw->loss.value;
    switch_test_plateau(record, &sw->loss, sw->config.loss_threshold, names);
    if (sw->config.policy != SWITCH_SAFE)
        return;
    switch_require(record, "loss_no_rise_before", decrease(x[0], x[1]), SWITCH_AT_LEAST, 0 - sw->config.rise_tolerance);
    switch_require(record, "loss_no_rise", decrease(x[1], x[2]), SWITCH_AT_LEAST, 0 - sw->config.rise_tolerance);
}

int switch_loss_holds(const struct mode_switch *sw, const struct history *history)
{
    struct mode_switch probe = {.config = sw->config, .loss = *history};
    struct switch_record record = {.n_numbers = 0};
    switch_test_loss(&probe, &record);
    return history->n == 3 && switch_record_holds(&record);
}

void switch_test_displacement(const struct mode_switch *sw, struct switch_record *record)
{
    static const char *const names[3] = {"displacement_decrease_before", "displacement_decrease", "displacement_step"};
    switch_test_plateau(record, &sw->movement, sw->config.weight_threshold, names);
}

void switch_test_drift(const struct mode_switch *sw, struct switch_record *record)
{
    const double *x = sw->movement.value, threshold = sw->config.weight_threshold;
    switch_require(record, "drift_decrease_before", decrease(x[0], x[1]), SWITCH_BELOW, threshold);
    switch_require(record, "drift_decrease", decrease(x[1], x[2]), SWITCH_BELOW, threshold);
    switch_require(record, "drift", x[2], SWITCH_BELOW, sw->config.drift_limit);
}

int switch_width_within(const struct mode_switch *sw, int width)
{
    int most = sw->config.most_width;
    return most > 0 && width > most ? most : width;
}

int switch_test_captured(const struct mode_switch *sw, struct switch_record *record,
                         const struct switch_window *numbers)
{
    const double *captured = numbers->captured, least = sw->config.captured_share;
    int i = 0;
    while (i < SWITCH_WIDTHS - 1 && !(captured[i] >= least))
        i++;
    double asked = sw->config.fixed_width ? numbers->captured_own : captured[i];
    switch_require(record, "captured_share", asked, SWITCH_AT_LEAST, least);
    switch_tell(record, "captured_width", switch_widths[i]);
    return !(asked >= least)        ? 0
           : sw->config.fixed_width ? sw->config.width
                                    : switch_width_within(sw, switch_widths[i]);
}

static double saving(int64_t steps, uint64_t full, uint64_t low)
{
    return (double)((wide_int)steps * ((wide_int)full - (wide_int)low));
}

const struct switch_costs *switch_costs_of(const struct mode_switch *sw, int width)
{
    for (int i = 0; i < sw->n_prices; i++)
        if (sw->price[i].width == width)
            return &sw->price[i].costs;
    return NULL;
}

void switch_test_payoff(const struct mode_switch *sw, struct switch_record *record, int width, int64_t steps,
                        int with_trial)
{
    const struct switch_costs *costs = switch_costs_of(sw, width);
    if (!costs)
        bug("the pay-off of adapters of width %d, whose costs are not known", width);
    wide_int price_ps = costs->program_ps, price_fj = costs->program_fj;
    if (with_trial)
        price_ps += costs->trial_ps, price_fj += costs->trial_fj;
    steps = steps > 0 ? steps : 0;
    switch_tell(record, "priced_width", width);
    switch_tell(record, "steps_in_low", (double)steps);
    switch_require(record, "saved_ps", saving(steps, costs->full_ps, costs->low_ps), SWITCH_ABOVE, (double)price_ps);
    switch_require(record, "saved_fj", saving(steps, costs->full_fj, costs->low_fj), SWITCH_ABOVE, (double)price_fj);
}

void switch_test_arms_hpt(const struct mode_switch *sw, struct switch_record *record)
{
    size_t n = (size_t)sw->config.window_steps;
    struct moments full = statistics_moments(sw->full, n), low = statistics_moments(sw->low, n);
    struct t_test test = statistics_t_test(&full, &low);
    switch_tell(record, "loss_full", full.mean);
    switch_tell(record, "loss_low", low.mean);
    switch_tell(record, "t", test.t);
    switch_tell(record, "degrees_of_freedom", test.df);
    switch_require(record, "p", test.p, SWITCH_AT_LEAST, sw->config.alpha);
}

void switch_test_arms_safe(const struct mode_switch *sw, struct switch_record *record)
{
    size_t n = (size_t)sw->config.window_steps;
    double loss_full = statistics_moments(sw->full, n).mean;
    struct paired paired = statistics_paired(sw->low, sw->full, n, sw->config.confidence);
    switch_tell(record, "loss_full", loss_full);
    switch_tell(record, "loss_low", statistics_moments(sw->low, n).mean);
    switch_tell(record, "difference", paired.mean);
    switch_tell(record, "deviation", paired.deviation);
    switch_tell(record, "autocorrelation", paired.autocorrelation);
    switch_tell(record, "n_effective", paired.n_effective);
    switch_require(record, "difference_upper", paired.upper, SWITCH_BELOW, sw->config.margin * loss_full);
}
