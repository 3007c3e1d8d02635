#include "report/breakdown.h"

#include "base/status.h"

static const char *const waiting_names[N_KERNEL_CLASSES] = {
#define X(id, name) [id] = "waiting for " name,
    KERNEL_CLASSES(X)
#undef X
};

const char *energy_part_name(enum energy_part part)
{
    static const char *const names[N_ENERGY_PARTS] = {
#define X(id, name, text) [id] = name,
        ENERGY_PARTS(X)
#undef X
    };
    return names[part];
}

const char *energy_part_long_name(enum energy_part part)
{
    static const char *const names[N_ENERGY_PARTS] = {
#define X(id, name, text) [id] = text,
        ENERGY_PARTS(X)
#undef X
    };
    return names[part];
}

static void add(struct breakdown *breakdown, const char *name, wide_uint value)
{
    breakdown->name[breakdown->n] = name;
    breakdown->value[breakdown->n++] = value;
}

static void expect_sum(const struct breakdown *breakdown, wide_uint whole)
{
    if (breakdown_sum(breakdown) != whole)
        bug("the breakdown of %s does not sum to the whole", breakdown->title);
}

void breakdown_time(const struct ledger *ledger, struct breakdown *breakdown)
{
    *breakdown = (struct breakdown){.title = "time"};
    for (int c = 0; c < N_KERNEL_CLASSES; c++)
        add(breakdown, kernel_class_name(c), ledger->compute_ps[c]);
    for (int c = 0; c < N_KERNEL_CLASSES; c++)
        add(breakdown, waiting_names[c], ledger->wait_ps[c]);
    add(breakdown, "idle", ledger->idle_ps);
    add(breakdown, "failed", ledger->off_ps);
    expect_sum(breakdown, ledger->end_ps);
}

void breakdown_energy_by_class(const struct ledger *ledger, struct breakdown *breakdown)
{
    *breakdown = (struct breakdown){.title = "energy by class"};
    for (int c = 0; c < N_KERNEL_CLASSES; c++)
        add(breakdown, kernel_class_name(c), ledger_class_energy_fj(ledger, c));
    add(breakdown, "waiting", ledger->wait_energy_fj);
    add(breakdown, "idle", ledger->idle_energy_fj);
    expect_sum(breakdown, ledger_energy_fj(ledger));
}

void breakdown_energy_by_part(const struct ledger *ledger, struct breakdown *breakdown)
{
    *breakdown = (struct breakdown){.title = "energy by part"};
    for (int p = 0; p < N_ENERGY_PARTS; p++) {
        wide_uint sum_fj = 0;
        for (int c = 0; c < N_KERNEL_CLASSES; c++)
            sum_fj += ledger->entry[c].energy_fj[p];
        add(breakdown, energy_part_name(p), sum_fj);
    }
    add(breakdown, "waiting", ledger->wait_energy_fj);
    add(breakdown, "idle", ledger->idle_energy_fj);
    expect_sum(breakdown, ledger_energy_fj(ledger));
}

void breakdown_add(struct breakdown *sum, const struct breakdown *breakdown)
{
    sum->title = breakdown->title;
    sum->n = breakdown->n;
    for (int i = 0; i < breakdown->n; i++) {
        sum->name[i] = breakdown->name[i];
        sum->value[i] += breakdown->value[i];
    }
}

wide_uint breakdown_sum(const struct breakdown *breakdown)
{
    wide_uint sum = 0;
    for (int i = 0; i < breakdown->n; i++)
        sum += breakdown->value[i];
    return sum;
}
