/* serving_groups.h - the groups of serving.h5 that tell of the hardware, both directions: /device, /host (ledgers),
 * /recovery, /fault (with faults only). After the first fault nothing more is written or read.
 */
#ifndef REPORT_SERVING_GROUPS_H
#define REPORT_SERVING_GROUPS_H

#include "base/status.h"
#include "report/serving_devices.h"
#include "store/h5.h"

/* Local. After /instance. Reading sets names and busy times of the summary's instances too. */
void serving_write_devices(struct h5 *file, struct arena *arena, const struct serving_summary *summary,
                           const struct serving_devices *devices, struct fault *fault);
void serving_read_devices(struct h5 *file, struct arena *arena, struct serving_summary *summary,
                          struct serving_devices *devices, struct fault *fault);

/* Local. Reading sets the recovery of the summary and of its instances. */
void serving_write_faults(struct h5 *file, struct arena *arena, const struct serving_summary *summary,
                          const struct serving_faults *faults, struct fault *fault);
void serving_read_faults(struct h5 *file, struct arena *arena, struct serving_summary *summary,
                         struct serving_faults *faults, struct fault *fault);

#endif
