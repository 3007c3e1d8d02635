/* serving_json.h - the summary of a serving run as JSON. */
#ifndef REPORT_SERVING_JSON_H
#define REPORT_SERVING_JSON_H

#include "base/status.h"
#include "store/served.h"

/* Local. Names carry units; percentiles of nothing are null. Fault STATUS_IO. */
enum status serving_json_write(const char *path, const struct serving_summary *summary, struct fault *fault);

#endif
