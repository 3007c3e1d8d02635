/* reproduce_attacc.h - AttAcc's public simulator: its tables against our equations, own configurations, the paper's
 * claims (docs/attacc.md). */
#ifndef COMMAND_REPRODUCE_ATTACC_H
#define COMMAND_REPRODUCE_ATTACC_H

#include <stdio.h>

#include "attacc/system.h"
#include "base/status.h"
#include "command/table.h"

/* What the command line says; NULL or 0: not said. */
struct attacc_request {
    const char *table;                            /* a table of the simulator's */
    const char *model, *machine, *gpu, *pim;      /* an own configuration */
    const char *gpus, *word, *lin, *lout, *batch; /* numbers; batch: a list with commas */
    int power_limit, pipeline, ff_split, headline;
};

/* Local. Any of an own configuration was said. */
int attacc_request_is_run(const struct attacc_request *request);

/* Local. Prices every row of a table of the layouts below and prints how far off each column is, ending with
 * "rows N, mean X %, max Y %, failed K". STATUS_INVALID when K > 0. Layouts, known by their header:
 *   configurations   rows without PIM: every computed column within 1e-6; with PIM on cycles of a fresh run
 *                    (ramulator_source `fresh`): time per stage and every energy within 1 %; on other cycles: stated
 *   one head, stacks DRAM cycles: mean within 0.5 %, each within 3 %, exact for banks with L >= 512 and one head;
 * counts of commands exact */
enum status attacc_table(const struct table *table, FILE *out, struct fault *fault);

/* Local. The configuration of a row of the first layout. *pim is storage for its profile. */
enum status attacc_row_config(const struct table *table, size_t row, struct attacc_config *config,
                              struct hbm_pim_profile *pim, struct fault *fault);

/* Local. The stack of a row of the other layouts. */
enum status attacc_row_stack(const struct table *table, size_t row, struct hbm_pim_profile *pim, struct fault *fault);

/* Local. 1 if the table has the layout of configurations; of one head; of whole stacks. */
int attacc_is_configurations(const struct table *table);
int attacc_is_one_head(const struct table *table);
int attacc_is_stacks(const struct table *table);

/* Local. "bank", "bg" or "bank-group", "buffer", and as in tables BA, BG, BUFFER: the profile, or NULL. */
const struct hbm_pim_profile *attacc_placement(const char *name);

/* Local. A cell as a number of any sign. */
enum status attacc_cell(const struct table *table, size_t row, const char *column, double *value, struct fault *fault);

/* Local. Own configurations, one row per batch: milliseconds per token, energy, break-down of both. */
enum status attacc_own(const struct attacc_request *request, FILE *out, struct fault *fault);

/* Local. The paper's claims beside the public simulator's figures and ours. */
void attacc_headline(FILE *out);

#endif
