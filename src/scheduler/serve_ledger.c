#include "scheduler/serve_ledger.h"

#include <inttypes.h>

#include "base/status.h"

void serve_ledger_init(struct serve_ledger *ledger, int n_devices, uint64_t start_ps, struct arena *arena)
{
    *ledger = (struct serve_ledger){.n_devices = n_devices, .start_ps = start_ps};
    ledger->device = arena_array(arena, (size_t)n_devices + 1, sizeof *ledger->device);
}

void serve_ledger_host(struct serve_ledger *ledger, const struct cost *link, uint64_t stop_ps)
{
    struct ledger_entry *host = &ledger->host;
    host->count++;
    host->busy_ps += link->time_ps;
    host->flops += link->flops;
    host->bytes += link->bytes;
    for (int part = 0; part < N_ENERGY_PARTS; part++)
        host->energy_fj[part] += link->energy_fj[part];
    ledger->work_ps += stop_ps;
    ledger->host_ps += stop_ps;
}

/* The instance was at work for work_ps of the stretch. */
static void add_device(struct ledger *ledger, const struct serve_ledger *of, const struct serve_stretch *stretch, int d)
{
    uint64_t span_ps = stretch->end_ps - of->start_ps, busy_ps = 0, waited_ps = 0;
    struct ledger added = stretch->instructions[d];
    for (int c = 0; c < N_KERNEL_CLASSES; c++) {
        busy_ps += added.compute_ps[c];
        waited_ps += added.wait_ps[c];
    }
    int is_lost = stretch->lost && stretch->lost[d];
    uint64_t known_ps = busy_ps + waited_ps + (is_lost ? 0 : of->host_ps), work_ps = is_lost ? known_ps : of->work_ps;
    if (known_ps > work_ps || work_ps > span_ps)
        bug("device %d worked and waited for %" PRIu64 " ps, its instance worked for %" PRIu64 " of %" PRIu64 " ps", d,
            known_ps, work_ps, span_ps);
    added.wait_ps[CLASS_HOST_COPY] += is_lost ? 0 : of->host_ps;
    added.wait_ps[CLASS_TRANSFER] += work_ps - known_ps;
    added.idle_ps = span_ps - work_ps;
    added.wait_energy_fj = (wide_uint)stretch->wait_power_mw[d] * (work_ps - busy_ps);
    added.idle_energy_fj = (wide_uint)stretch->idle_power_mw[d] * added.idle_ps;
    added.end_ps = span_ps;
    ledger_merge(ledger, &added);
}

void serve_ledger_close(struct serve_ledger *ledger, const struct serve_stretch *stretch)
{
    for (int d = 0; d < ledger->n_devices; d++)
        add_device(&ledger->device[d], ledger, stretch, d);
    ledger->start_ps = stretch->end_ps;
    ledger->work_ps = ledger->host_ps = 0;
}

static void archive_entry(struct ledger_entry *entry, struct archive *archive)
{
    archive_field(archive, "count", &entry->count);
    archive_field(archive, "busy_ps", &entry->busy_ps);
    archive_field(archive, "flops", &entry->flops);
    archive_field(archive, "bytes", &entry->bytes);
    archive_wide(archive, "energy_fj", entry->energy_fj, N_ENERGY_PARTS, sizeof *entry->energy_fj);
}

static void archive_device(struct ledger *ledger, struct archive *archive)
{
    archive_array(archive, "compute_ps", ledger->compute_ps, N_KERNEL_CLASSES);
    archive_array(archive, "wait_ps", ledger->wait_ps, N_KERNEL_CLASSES);
    archive_field(archive, "idle_ps", &ledger->idle_ps);
    archive_field(archive, "end_ps", &ledger->end_ps);
    archive_wide(archive, "wait_energy_fj", &ledger->wait_energy_fj, 1, sizeof ledger->wait_energy_fj);
    archive_wide(archive, "idle_energy_fj", &ledger->idle_energy_fj, 1, sizeof ledger->idle_energy_fj);
    ledger_archive(ledger, archive);
}

/* Devices have something here only once a stretch has ended. */
void serve_ledger_archive(struct serve_ledger *ledger, struct archive *archive)
{
    int n_closed = (int)archive_count(archive, "n_closed",
                                      ledger->n_devices && ledger->device[0].end_ps ? (size_t)ledger->n_devices : 0);
    archive_field(archive, "start_ps", &ledger->start_ps);
    archive_field(archive, "work_ps", &ledger->work_ps);
    archive_field(archive, "host_ps", &ledger->host_ps);
    archive_enter(archive, "host");
    archive_entry(&ledger->host, archive);
    archive_leave(archive);
    if (n_closed != 0 && n_closed != ledger->n_devices) {
        archive_refuse(archive, "ledgers of %d devices", n_closed);
        return;
    }
    for (int d = 0; d < n_closed; d++) {
        archive_enter(archive, "device/%04d", d);
        archive_device(&ledger->device[d], archive);
        archive_leave(archive);
    }
}
