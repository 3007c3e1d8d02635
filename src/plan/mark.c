#include "plan/mark.h"

#include <stdlib.h>

#include "base/status.h"

void mark_list_add(struct mark_list *list, const struct mark *mark)
{
    if (list->n == list->max) {
        list->max = list->max ? 2 * list->max : 1024;
        list->mark = realloc(list->mark, list->max * sizeof *list->mark);
        if (!list->mark)
            bug("out of memory");
    }
    list->mark[list->n++] = *mark;
}

void mark_list_release(struct mark_list *list)
{
    free(list->mark);
    *list = (struct mark_list){0};
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_device_and_start(const void *left, const void *right)
{
    const struct mark *a = left, *b = right;
    int order = compare(a->device, b->device);
    if (order == 0)
        order = compare(a->start_ps, b->start_ps);
    if (order == 0)
        order = compare(a->plan, b->plan);
    if (order == 0)
        order = compare(a->program, b->program);
    return order ? order : compare(a->instr, b->instr);
}

void mark_sort(struct mark *marks, size_t n)
{
    if (n)
        qsort(marks, n, sizeof *marks, by_device_and_start);
}
