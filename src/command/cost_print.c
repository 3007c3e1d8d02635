/* cost_print.c - sizes in, costs out. */
#include "command/cost_print.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/unit.h"
#include "base/wide.h"

int cost_read_dims(const char *text, uint64_t dims[5])
{
    int n = 0;
    while (n < 5) {
        char *end;
        if (*text < '0' || *text > '9')
            return 0;
        dims[n] = strtoull(text, &end, 10);
        if (dims[n] < 1 || dims[n] > 1000000000)
            return 0;
        n++;
        if (!*end)
            return n;
        if (*end != 'x')
            return 0;
        text = end + 1;
    }
    return 0;
}

void cost_print_line(const char *name, const char *text)
{
    printf("%-12s  %s\n", name, text);
}

enum status cost_check(const char *op, const struct cost *cost, struct fault *fault)
{
    if (cost_is_countable(cost))
        return STATUS_OK;
    return fault_set(
        fault, STATUS_USAGE,
        "%s: expected a size that takes less than 213 days, 18 kJ and 1.8e19 operations, found a larger one", op);
}

void cost_print(const struct cost *cost)
{
    char text[64];
    wide_uint total = 0;
    for (int i = 0; i < N_ENERGY_PARTS; i++)
        total += cost->energy_fj[i];
    cost_print_line("time", unit_show_ps(text, sizeof text, cost->time_ps));
    cost_print_line("energy", unit_show(text, sizeof text, UNIT_JOULES, joules(total)));
    static const char *const names[N_ENERGY_PARTS] = {
#define X(part, name, meaning) "  " name,
        ENERGY_PARTS(X)
#undef X
    };
    for (int i = 0; i < N_ENERGY_PARTS; i++)
        if (cost->energy_fj[i])
            cost_print_line(names[i], unit_show(text, sizeof text, UNIT_JOULES, joules(cost->energy_fj[i])));
    cost_print_line("power", unit_show(text, sizeof text, UNIT_WATTS, joules(total) / ((double)cost->time_ps * 1e-12)));
}
