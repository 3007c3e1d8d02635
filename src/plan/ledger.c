#include "plan/ledger.h"

#include <inttypes.h>

#include "base/status.h"

static void add_product(uint64_t *sum, uint64_t value, uint64_t count)
{
    uint64_t product;
    if (__builtin_mul_overflow(value, count, &product) || __builtin_add_overflow(*sum, product, sum))
        bug("a ledger's sum does not fit 64 bits: %" PRIu64 " times %" PRIu64, count, value);
}

void ledger_add(struct ledger *ledger, enum kernel_class class, const struct cost *cost, uint64_t count)
{
    struct ledger_entry *entry = &ledger->entry[class];
    add_product(&entry->count, 1, count);
    add_product(&entry->busy_ps, cost->time_ps, count);
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        entry->energy_fj[p] += (wide_uint)cost->energy_fj[p] * count;
    add_product(&entry->flops, cost->flops, count);
    add_product(&entry->bytes, cost->bytes, count);
    add_product(&entry->cell_writes, cost->cell_writes, count);
}

static void merge_entry(struct ledger_entry *entry, const struct ledger_entry *from)
{
    add_product(&entry->count, from->count, 1);
    add_product(&entry->busy_ps, from->busy_ps, 1);
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        entry->energy_fj[p] += from->energy_fj[p];
    add_product(&entry->flops, from->flops, 1);
    add_product(&entry->bytes, from->bytes, 1);
    add_product(&entry->cell_writes, from->cell_writes, 1);
}

void ledger_merge(struct ledger *ledger, const struct ledger *from)
{
    for (int c = 0; c < N_KERNEL_CLASSES; c++) {
        merge_entry(&ledger->entry[c], &from->entry[c]);
        add_product(&ledger->compute_ps[c], from->compute_ps[c], 1);
        add_product(&ledger->wait_ps[c], from->wait_ps[c], 1);
    }
    add_product(&ledger->idle_ps, from->idle_ps, 1);
    add_product(&ledger->off_ps, from->off_ps, 1);
    ledger->wait_energy_fj += from->wait_energy_fj;
    ledger->idle_energy_fj += from->idle_energy_fj;
    add_product(&ledger->end_ps, from->end_ps, 1);
}

wide_uint ledger_class_energy_fj(const struct ledger *ledger, enum kernel_class class)
{
    wide_uint sum_fj = 0;
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        sum_fj += ledger->entry[class].energy_fj[p];
    return sum_fj;
}

wide_uint ledger_energy_fj(const struct ledger *ledger)
{
    wide_uint sum_fj = ledger->wait_energy_fj + ledger->idle_energy_fj;
    for (int c = 0; c < N_KERNEL_CLASSES; c++)
        sum_fj += ledger_class_energy_fj(ledger, c);
    return sum_fj;
}

void ledger_validate(const struct ledger *ledger)
{
    wide_uint sum_ps = (wide_uint)ledger->idle_ps + ledger->off_ps;
    for (int c = 0; c < N_KERNEL_CLASSES; c++) {
        if (ledger->compute_ps[c] > ledger->entry[c].busy_ps)
            bug("class %s: the compute engine was busy for %" PRIu64 " ps, all engines together for %" PRIu64 " ps",
                kernel_class_name(c), ledger->compute_ps[c], ledger->entry[c].busy_ps);
        sum_ps += ledger->compute_ps[c];
        sum_ps += ledger->wait_ps[c];
    }
    if (sum_ps != ledger->end_ps)
        bug("a device's busy, waiting, idle and off time sum to %" PRIu64 " ps, the run took %" PRIu64 " ps",
            (uint64_t)sum_ps, ledger->end_ps);
}

void ledger_archive(struct ledger *ledger, struct archive *archive)
{
    static const char *const part_name[] = {
#define X(part, name, text) name,
        ENERGY_PARTS(X)
#undef X
    };
    struct ledger_entry *entry = ledger->entry;
    size_t n = N_KERNEL_CLASSES, stride = sizeof *entry;
    archive_column(archive, "count", &entry->count, n, stride);
    archive_column(archive, "busy_ps", &entry->busy_ps, n, stride);
    archive_column(archive, "flops", &entry->flops, n, stride);
    archive_column(archive, "bytes", &entry->bytes, n, stride);
    archive_column(archive, "cell_writes", &entry->cell_writes, n, stride);
    for (int part = 0; part < N_ENERGY_PARTS; part++) {
        archive_enter(archive, "energy_fj");
        archive_wide(archive, part_name[part], &entry->energy_fj[part], n, stride);
        archive_leave(archive);
    }
}
