#include "report/compare.h"

#include <math.h>

#include "report/breakdown.h"
#include "report/compare_private.h"
#include "report/ledgers.h"

void compare_open(struct comparison *comparison, const char *const *paths, int n, size_t n_quantities,
                  struct arena *arena)
{
    size_t room = n_quantities + TIME_PARTS + CLASS_PARTS + SOURCE_PARTS;
    if (n < 1 || n > COMPARE_MAX_RUNS)
        bug("a comparison of %d runs", n);
    *comparison = (struct comparison){.n_runs = n, .path = paths};
    comparison->devices = arena_array(arena, (size_t)n, sizeof *comparison->devices);
    comparison->quantity = arena_array(arena, room, sizeof *comparison->quantity);
}

struct quantity *compare_add(struct comparison *comparison, const char *name, const char *unit, enum better better,
                             int is_detail)
{
    struct quantity *quantity = &comparison->quantity[comparison->n_quantities++];
    *quantity = (struct quantity){.name = name, .unit = unit, .better = better, .is_detail = is_detail};
    for (int r = 0; r < comparison->n_runs; r++)
        quantity->value[r] = NAN;
    return quantity;
}

/* A part that no run has says nothing. */
static void drop_if_zero(struct comparison *comparison)
{
    const struct quantity *last = &comparison->quantity[comparison->n_quantities - 1];
    for (int r = 0; r < comparison->n_runs; r++)
        if (last->value[r] != 0)
            return;
    comparison->n_quantities--;
}

/* Time as a mean over devices (so that the parts sum to the virtual time), energy of all of them. */
static void add_breakdown(struct comparison *comparison, struct arena *arena, const char *what,
                          void (*break_down)(const struct ledger *ledger, struct breakdown *breakdown))
{
    const struct ledger nothing = {.end_ps = 0};
    struct breakdown names, device, *parts = arena_array(arena, (size_t)comparison->n_runs, sizeof *parts);
    int is_time = break_down == breakdown_time;
    break_down(&nothing, &names);
    for (int r = 0; r < comparison->n_runs; r++) {
        const struct ledger host = ledgers_host(&comparison->devices[r]);
        for (int d = 0; d < comparison->devices[r].n; d++) {
            break_down(&comparison->devices[r].device[d].ledger, &device);
            breakdown_add(&parts[r], &device);
        }
        break_down(&host, &device);
        breakdown_add(&parts[r], &device);
    }
    for (int i = 0; i < names.n; i++) {
        const char *name = arena_printf(arena, "%s: %s", what, names.name[i]);
        struct quantity *quantity = compare_add(comparison, name, is_time ? "s" : "J", BETTER_LESS, 0);
        for (int r = 0; r < comparison->n_runs; r++) {
            int n_devices = comparison->devices[r].n;
            if (is_time)
                quantity->value[r] = n_devices ? (double)parts[r].value[i] * 1e-12 / n_devices : 0;
            else
                quantity->value[r] = joules(parts[r].value[i]);
        }
        drop_if_zero(comparison);
    }
}

void compare_add_breakdowns(struct comparison *comparison, struct arena *arena)
{
    add_breakdown(comparison, arena, "time", breakdown_time);
    add_breakdown(comparison, arena, "energy", breakdown_energy_by_class);
    add_breakdown(comparison, arena, "energy part", breakdown_energy_by_part);
}

double compare_ratio(const struct quantity *quantity, int run)
{
    double base = quantity->value[0], value = quantity->value[run];
    if (quantity->better == BETTER_NEITHER || isnan(base) || isnan(value))
        return NAN;
    if (base == value)
        return 1;
    double over = quantity->better == BETTER_LESS ? base : value,
           under = quantity->better == BETTER_LESS ? value : base;
    return under == 0 ? NAN : over / under;
}
