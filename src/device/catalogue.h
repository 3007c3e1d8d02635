/* catalogue.h - the known devices and links: every constant once, with unit, evidence and source.
 *
 * The profiles that the cost functions use and the tables that `polyrank devices` prints are made from the same list,
 * so that what is shown is what is used.
 */
#ifndef DEVICE_CATALOGUE_H
#define DEVICE_CATALOGUE_H

#include <stddef.h>

#include "device/cpu.h"
#include "device/gpu.h"
#include "device/hbm_pim.h"
#include "device/link.h"
#include "device/reram.h"
#include "device/systolic.h"

enum evidence {
    EVIDENCE_SOURCE,   /* read in the source named */
    EVIDENCE_RECALLED, /* from memory, not checked */
    EVIDENCE_FITTED,   /* fitted to the measurements named */
    EVIDENCE_DERIVED   /* computed from other constants or taken from a near device, as the text says */
};

/* What a constant is, whatever its value. */
struct constant_field {
    const char *name, *unit, *meaning;
};

/* One constant of one profile. `field` is an index into the profile's fields. */
struct constant {
    size_t field;
    double value;
    enum evidence evidence;
    const char *source;
};

struct catalogue_entry {
    const char *name; /* as in cluster files and on the command line */
    const char *kind; /* "gpu", "reram", "hbm-pim", "cpu", "link", "gpu kernels", "reram parts", "systolic" */
    const char *title;
    const struct constant_field *fields;
    const struct constant *constants;
    size_t n_constants;
};

/* Local. The profile of this name, or NULL. */
const struct gpu_profile *catalogue_gpu(const char *name);
const struct reram_profile *catalogue_reram(const char *name);
const struct hbm_pim_profile *catalogue_hbm_pim(const char *name);
const struct cpu_profile *catalogue_cpu(const char *name);
const struct link_profile *catalogue_link(const char *name);
const struct systolic_profile *catalogue_systolic(const char *name);

/* Local. Names of the GPUs, ReRAM chips, HBM-PIM devices, CPUs, links and systolic arrays, i = 0, 1, ...; NULL at the
 * end. */
const char *catalogue_gpu_name(size_t i);
const char *catalogue_reram_name(size_t i);
const char *catalogue_hbm_pim_name(size_t i);
const char *catalogue_cpu_name(size_t i);
const char *catalogue_link_name(size_t i);
const char *catalogue_systolic_name(size_t i);

/* Local. What ISAAC's parts draw at full work, [*n]. */
const struct reram_part *reram_parts(size_t *n);

/* Local. All entries, i = 0, 1, ...; NULL at the end. GPUs, then the streaming kernels they share, then ReRAM chips and
 * ISAAC's parts, then HBM-PIM devices, then CPUs, then links, then systolic arrays. */
const struct catalogue_entry *catalogue_entry(size_t i);

/* Local. "source", "recalled", "fitted", "derived". */
const char *evidence_name(enum evidence evidence);

#endif
