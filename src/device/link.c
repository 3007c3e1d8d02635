#include "device/link.h"

#include <math.h>
#include <string.h>

#include "base/status.h"
#include "device/link_protocol.h"

struct protocol link_protocol(const struct link_profile *link, enum protocol_kind kind)
{
    double latency_ps = (double)link->latency_ps, rate = link->bandwidth_bytes_per_s * link->efficiency;
    switch (kind) {
    case PROTOCOL_SMALL:
        return (struct protocol){0.0, latency_ps + (double)link->small_step_ps, rate * link->small_share};
    case PROTOCOL_MEDIUM:
        return (struct protocol){(double)link->medium_start_ps, latency_ps + (double)link->medium_step_ps,
                                 rate * link->medium_share};
    case PROTOCOL_BULK:
        return (struct protocol){(double)link->bulk_start_ps, latency_ps + (double)link->bulk_step_ps, rate};
    case N_PROTOCOLS:
        break;
    }
    bug("link protocol %d is not in the list", (int)kind);
}

void link_charge(double time_ps, double bytes, double energy_fj, struct cost *cost)
{
    memset(cost, 0, sizeof *cost);
    cost->time_ps = cost_whole(ceil(time_ps));
    cost->bytes = cost_whole(bytes);
    cost->energy_fj[ENERGY_LINK] = cost_whole(energy_fj);
}

void link_transfer_cost(const struct link_profile *link, uint64_t bytes, struct cost *cost)
{
    if (bytes == 0)
        bug("a message of 0 bytes");
    double rate = link->bandwidth_bytes_per_s * link->message_efficiency;
    double time_ps = (double)(link->overhead_ps + link->latency_ps + link->small_step_ps) + 1e12 * (double)bytes / rate;
    link_charge(time_ps, (double)bytes, 8.0 * (double)bytes * link->fj_per_bit, cost);
}
