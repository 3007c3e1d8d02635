/* cost_reram.h - polyrank cost on ReRAM chips: reads of a matrix, and programming it. */
#ifndef COMMAND_COST_RERAM_H
#define COMMAND_COST_RERAM_H

#include "base/status.h"
#include "device/reram.h"

/* What the command line asks for: "gemm" of MxNxK (M rows, N outputs, K inputs), "gemm-backward" (the same matrix read
 * the other way), "program" of OxC, "program-verify". */
struct reram_request {
    const char *name, *op, *dims;
};

/* Local. Prints the cost of one op to stdout. Fault STATUS_USAGE: no such op, wrong sizes, a matrix that does not fit.
 */
enum status cost_on_reram(const struct reram_profile *profile, const struct reram_request *request,
                          struct fault *fault);

#endif
