/* summary_device.h - a device in summary.json, of training and of serving alike. */
#ifndef REPORT_SUMMARY_DEVICE_H
#define REPORT_SUMMARY_DEVICE_H

#include <jansson.h>

#include "report/run.h"

/* Local. What it is, its time by kernel class (at work, waiting, idle), counts, energy by class and part. */
json_t *summary_device_json(const struct run_device *device);

#endif
