/* mark.h - executed instructions on the virtual time line: what the trace is made of. */
#ifndef PLAN_MARK_H
#define PLAN_MARK_H

#include <stddef.h>
#include <stdint.h>

struct mark {
    uint64_t start_ps;
    uint32_t step; /* training step, from 1; 0 outside of training */
    uint32_t device;
    uint32_t instr;   /* index into the device's program; name, engine, class and duration are there */
    uint16_t program; /* enum program_id */
    uint16_t plan;    /* of the plans of the run, from 0: which plan's program it is */
};

/* A growing list; zeroed is empty. */
struct mark_list {
    struct mark *mark;
    size_t n, max;
};

/* Local. */
void mark_list_add(struct mark_list *list, const struct mark *mark);
void mark_list_release(struct mark_list *list);

/* Local. By device, then start, then instruction. */
void mark_sort(struct mark *marks, size_t n);

#endif
