#include "device/catalogue.h"

#include <string.h>

#include "device/catalogue_list.h"

const struct gpu_profile *catalogue_gpu(const char *name)
{
    const struct gpu_entry *gpu;
    for (size_t i = 0; (gpu = gpu_entry(i)); i++)
        if (strcmp(gpu->entry.name, name) == 0)
            return &gpu->profile;
    return NULL;
}

const struct reram_profile *catalogue_reram(const char *name)
{
    const struct reram_entry *reram;
    for (size_t i = 0; (reram = reram_entry(i)); i++)
        if (strcmp(reram->entry.name, name) == 0)
            return &reram->profile;
    return NULL;
}

const struct hbm_pim_profile *catalogue_hbm_pim(const char *name)
{
    const struct hbm_pim_entry *pim;
    for (size_t i = 0; (pim = hbm_pim_entry(i)); i++)
        if (strcmp(pim->entry.name, name) == 0)
            return &pim->profile;
    return NULL;
}

const struct cpu_profile *catalogue_cpu(const char *name)
{
    const struct cpu_entry *cpu;
    for (size_t i = 0; (cpu = cpu_entry(i)); i++)
        if (strcmp(cpu->entry.name, name) == 0)
            return &cpu->profile;
    return NULL;
}

const struct link_profile *catalogue_link(const char *name)
{
    const struct link_entry *link;
    for (size_t i = 0; (link = link_entry(i)); i++)
        if (strcmp(link->entry.name, name) == 0)
            return &link->profile;
    return NULL;
}

const struct systolic_profile *catalogue_systolic(const char *name)
{
    const struct systolic_entry *array;
    for (size_t i = 0; (array = systolic_entry(i)); i++)
        if (strcmp(array->entry.name, name) == 0)
            return &array->profile;
    return NULL;
}

const char *catalogue_gpu_name(size_t i)
{
    const struct gpu_entry *gpu = gpu_entry(i);
    return gpu ? gpu->entry.name : NULL;
}

const char *catalogue_reram_name(size_t i)
{
    const struct reram_entry *reram = reram_entry(i);
    return reram ? reram->entry.name : NULL;
}

const char *catalogue_hbm_pim_name(size_t i)
{
    const struct hbm_pim_entry *pim = hbm_pim_entry(i);
    return pim ? pim->entry.name : NULL;
}

const char *catalogue_cpu_name(size_t i)
{
    const struct cpu_entry *cpu = cpu_entry(i);
    return cpu ? cpu->entry.name : NULL;
}

const char *catalogue_link_name(size_t i)
{
    const struct link_entry *link = link_entry(i);
    return link ? link->entry.name : NULL;
}

const char *catalogue_systolic_name(size_t i)
{
    const struct systolic_entry *array = systolic_entry(i);
    return array ? array->entry.name : NULL;
}

const struct catalogue_entry *catalogue_entry(size_t i)
{
    size_t n_gpus = 0, n_rerams = 0, n_pims = 0, n_cpus = 0, n_links = 0;
    while (gpu_entry(n_gpus))
        n_gpus++;
    if (i < n_gpus)
        return &gpu_entry(i)->entry;
    if (i == n_gpus)
        return gpu_kernels_entry();
    i -= n_gpus + 1;
    while (reram_entry(n_rerams))
        n_rerams++;
    if (i < n_rerams)
        return &reram_entry(i)->entry;
    if (i == n_rerams)
        return reram_parts_entry();
    i -= n_rerams + 1;
    while (hbm_pim_entry(n_pims))
        n_pims++;
    if (i < n_pims)
        return &hbm_pim_entry(i)->entry;
    i -= n_pims;
    while (cpu_entry(n_cpus))
        n_cpus++;
    if (i < n_cpus)
        return &cpu_entry(i)->entry;
    i -= n_cpus;
    while (link_entry(n_links))
        n_links++;
    if (i < n_links)
        return &link_entry(i)->entry;
    const struct systolic_entry *array = systolic_entry(i - n_links);
    return array ? &array->entry : NULL;
}

const char *evidence_name(enum evidence evidence)
{
    static const char *const names[] = {"source", "recalled", "fitted", "derived"};
    return names[evidence];
}
