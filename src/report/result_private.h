/* result_private.h - the names in a result file, for its writer and its reader. */
#ifndef REPORT_RESULT_PRIVATE_H
#define REPORT_RESULT_PRIVATE_H

#include "report/result.h"

#define RESULT_SCHEMA "polyrank-result"

/* Femtojoules of a joule: energies are stored as whole joules and the rest. */
#define RESULT_FJ_PER_J FJ_PER_J

struct result_field {
    const char *name, *units, *long_name; /* units NULL: those of the target */
};

/* Real numbers of struct run_metrics. */
enum { RESULT_METRICS = 4 };
const struct result_field *result_metric_field(int field);
double *result_metric(struct run_metrics *metrics, int field);

/* Integers of a ledger by kernel class. */
enum { RESULT_CLASS_FIELDS = 7 };
const struct result_field *result_class_field(int field);
uint64_t *result_class_value(struct ledger *ledger, int field, int class);

/* Integers of a device. */
enum { RESULT_DEVICE_FIELDS = 5, RESULT_DEVICE_FIELDS_FIRST = 4 }; /* older files have the first ones only */
const struct result_field *result_device_field(int field);
uint64_t *result_device_value(struct run_device *device, int field);

/* Integers of a run, attributes of the file. */
enum { RESULT_RUN_FIELDS = 5 };
const char *result_run_field(int field);
int64_t *result_run_value(struct run *run, int field);

/* Texts of a run, attributes of the file; absent when NULL. */
enum { RESULT_RUN_TEXTS = 5 };
const char *result_run_text_name(int text);
const char **result_run_text(struct run *run, int text);

/* Local. The group /device: what each device is and has done; also of serving.h5. Absent without devices: 0 of them. */
struct h5;
void result_write_devices(struct h5 *file, struct arena *arena, const struct run_device *device, int n,
                          struct fault *fault);
void result_read_devices(struct h5 *file, struct arena *arena, int *n, struct run_device **device, struct fault *fault);

/* Local. The groups /switch, /arms and /phase: absent when the run has no such content. Do nothing after a fault. */
void result_write_switch(struct h5 *file, struct arena *arena, const struct run *run, struct fault *fault);
void result_read_switch(struct h5 *file, struct arena *arena, struct run *run, struct fault *fault);

/* Local. The group /faults, in the same way. */
void result_write_faults(struct h5 *file, struct arena *arena, const struct run *run, struct fault *fault);
void result_read_faults(struct h5 *file, struct arena *arena, struct run *run, struct fault *fault);

/* Local. The groups /mode, /cells, /handover, /way_back and /choice, in the same way; after the devices. */
void result_write_modes(struct h5 *file, struct arena *arena, const struct run *run, struct fault *fault);
void result_read_modes(struct h5 *file, struct arena *arena, struct run *run, struct fault *fault);

/* Local. The group /matrix, in the same way; after the devices. */
void result_write_matrices(struct h5 *file, struct arena *arena, const struct run *run, struct fault *fault);
void result_read_matrices(struct h5 *file, struct arena *arena, struct run *run, struct fault *fault);

#endif
