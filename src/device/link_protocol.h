/* link_protocol.h - the three ways in which a communication library moves bytes over a link.
 *
 * Shared by link.c and collective.c; not for other rooms.
 */
#ifndef DEVICE_LINK_PROTOCOL_H
#define DEVICE_LINK_PROTOCOL_H

#include "device/link.h"

enum protocol_kind { PROTOCOL_SMALL, PROTOCOL_MEDIUM, PROTOCOL_BULK, N_PROTOCOLS };

struct protocol {
    double start_ps, step_ps, bytes_per_s;
};

/* Local. The protocol's times on this link. */
struct protocol link_protocol(const struct link_profile *link, enum protocol_kind kind);

/* Local. Fills *cost. */
void link_charge(double time_ps, double bytes, double energy_fj, struct cost *cost);

#endif
