/* catalogue_list.h - how the lists of catalogue_gpu.c, catalogue_reram.c, catalogue_hbm_pim.c, catalogue_cpu.c,
 * catalogue_link.c and catalogue_systolic.c reach catalogue.c; not for other rooms. */
#ifndef DEVICE_CATALOGUE_LIST_H
#define DEVICE_CATALOGUE_LIST_H

#include "device/catalogue.h"

struct gpu_entry {
    struct catalogue_entry entry;
    struct gpu_profile profile;
};

struct reram_entry {
    struct catalogue_entry entry;
    struct reram_profile profile;
};

struct hbm_pim_entry {
    struct catalogue_entry entry;
    struct hbm_pim_profile profile;
};

struct cpu_entry {
    struct catalogue_entry entry;
    struct cpu_profile profile;
};

struct link_entry {
    struct catalogue_entry entry;
    struct link_profile profile;
};

struct systolic_entry {
    struct catalogue_entry entry;
    struct systolic_profile profile;
};

/* Local. The i-th, or NULL. */
const struct gpu_entry *gpu_entry(size_t i);
const struct reram_entry *reram_entry(size_t i);
const struct hbm_pim_entry *hbm_pim_entry(size_t i);
const struct cpu_entry *cpu_entry(size_t i);
const struct link_entry *link_entry(size_t i);
const struct systolic_entry *systolic_entry(size_t i);

/* Local. The constants of the streaming kernels. */
const struct catalogue_entry *gpu_kernels_entry(void);

/* Local. The power of ISAAC's parts. */
const struct catalogue_entry *reram_parts_entry(void);

#endif
