/* serving_json.h - the summary of a serving run as JSON. */
#ifndef REPORT_SERVING_JSON_H
#define REPORT_SERVING_JSON_H

#include "base/status.h"
#include "report/serving_devices.h"

/* Local. Names carry units; percentiles of nothing are null. Fault STATUS_IO. */
enum status serving_json_write(const char *path, const struct serving_summary *summary,
                               const struct serving_devices *devices, const struct serving_faults *faults,
                               struct fault *fault);

#endif
