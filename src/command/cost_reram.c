#include "command/cost_reram.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "base/unit.h"
#include "base/wide.h"
#include "command/cost_print.h"

static wide_uint dynamic_fj(const struct cost *cost)
{
    wide_uint sum = 0;
    for (int i = 0; i < N_ENERGY_PARTS; i++)
        if (i != ENERGY_STATIC)
            sum += cost->energy_fj[i];
    return sum;
}

static void print_crossbars(const struct reram_profile *profile, uint64_t needed)
{
    char line[96];
    uint64_t total = reram_capacity(profile);
    snprintf(line, sizeof line, "%" PRIu64 " of %" PRIu64 ", room for %" PRIu64 " copies", needed, total,
             total / needed);
    cost_print_line("crossbars", line);
}

static enum status check_fit(const struct reram_profile *profile, const struct reram_request *request, uint64_t needed,
                             struct fault *fault)
{
    if (needed > reram_capacity(profile))
        return fault_set(fault, STATUS_USAGE, "%s %s: needs %" PRIu64 " crossbars, %s has %" PRIu64, request->op,
                         request->dims, needed, request->name, reram_capacity(profile));
    return STATUS_OK;
}

static enum status cost_reads(const struct reram_profile *profile, const struct reram_request *request, int backward,
                              struct fault *fault)
{
    uint64_t d[5] = {0};
    char text[64], line[128];
    if (cost_read_dims(request->dims, d) != 3)
        return fault_set(fault, STATUS_USAGE, "%s: expected MxNxK (rows, outputs, inputs), as 570x512x512, found '%s'",
                         request->op, request->dims);
    struct reram_read read = {.out = d[1], .in = d[2], .rows = d[0], .replicas = 1, .backward = backward};
    uint64_t needed = reram_crossbars(profile, read.out, read.in);
    enum status status = check_fit(profile, request, needed, fault);
    if (status != STATUS_OK)
        return status;
    struct cost cost;
    reram_read_cost(profile, &read, &cost);
    if (cost_check(request->op, &cost, fault) != STATUS_OK)
        return fault->status;
    cost_print(&cost);
    print_crossbars(profile, needed);
    double macs = (double)d[0] * (double)d[1] * (double)d[2];
    cost_print_line("each read", unit_show_ps(text, sizeof text, reram_initiation_ps(profile, backward)));
    snprintf(line, sizeof line, "%.3f pJ, with static power %.3f pJ", joules(dynamic_fj(&cost)) * 1e12 / macs,
             joules(dynamic_fj(&cost) + cost.energy_fj[ENERGY_STATIC]) * 1e12 / macs);
    cost_print_line("per MAC", line);
    unit_show(text, sizeof text, UNIT_FLOP_PER_S, (double)cost.flops / ((double)cost.time_ps * 1e-12));
    cost_print_line("arithmetic", text);
    return STATUS_OK;
}

static enum status cost_programming(const struct reram_profile *profile, const struct reram_request *request,
                                    int verify, struct fault *fault)
{
    uint64_t d[5] = {0};
    char line[128];
    if (cost_read_dims(request->dims, d) != 2)
        return fault_set(fault, STATUS_USAGE, "%s: expected OxC (outputs, inputs), as 512x512, found '%s'", request->op,
                         request->dims);
    uint64_t needed = reram_crossbars(profile, d[0], d[1]);
    enum status status = check_fit(profile, request, needed, fault);
    if (status != STATUS_OK)
        return status;
    struct cost cost;
    reram_program_cost(profile, d[0], d[1], 1, verify, &cost);
    if (cost_check(request->op, &cost, fault) != STATUS_OK)
        return fault->status;
    cost_print(&cost);
    print_crossbars(profile, needed);
    snprintf(line, sizeof line, "%" PRIu64 " cells, each good for %g writes", cost.cell_writes,
             reram_lifetime_runs(profile, 1));
    cost_print_line("written", line);
    return STATUS_OK;
}

enum status cost_on_reram(const struct reram_profile *profile, const struct reram_request *request, struct fault *fault)
{
    static const char *const names[] = {"gemm", "gemm-backward", "program", "program-verify"};
    for (int i = 0; i < 2; i++) {
        if (strcmp(request->op, names[i]) == 0)
            return cost_reads(profile, request, i, fault);
        if (strcmp(request->op, names[2 + i]) == 0)
            return cost_programming(profile, request, i, fault);
    }
    const char *near = nearest_word(request->op, names, sizeof names / sizeof names[0]);
    if (near)
        return fault_set(fault, STATUS_USAGE, "no op '%s' on this device: did you mean %s?", request->op, near);
    return fault_set(fault, STATUS_USAGE,
                     "no op '%s' on this device: expected gemm, gemm-backward, program or program-verify", request->op);
}
