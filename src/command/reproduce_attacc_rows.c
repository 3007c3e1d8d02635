/* reproduce_attacc_rows.c - rows of the published simulator's tables as configurations of ours. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command/reproduce_attacc.h"
#include "device/catalogue.h"

/* What the layout of configurations says before its output columns. */
static const char *const inputs[] = {"command", "ramulator_source", "system",      "ngpu",  "pim", "word",
                                     "model",   "pipe_level",       "is parallel", "dtype", "Lin", "Lout",
                                     "bs",      "power constraint"};

static int has_column(const struct table *table, const char *name)
{
    for (size_t i = 0; i < table->n_columns; i++)
        if (strcmp(table->header[i], name) == 0)
            return 1;
    return 0;
}

int attacc_is_configurations(const struct table *table)
{
    size_t n;
    const struct attacc_column *columns = attacc_columns(&n);
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        if (!has_column(table, inputs[i]))
            return 0;
    for (size_t i = 0; i < n; i++)
        if (!has_column(table, columns[i].name))
            return 0;
    return 1;
}

int attacc_is_one_head(const struct table *table)
{
    static const char *const header[] = {"pim",
                                         "L",
                                         "dhead",
                                         "dbyte",
                                         "power_constraint",
                                         "cycles_attention",
                                         "cycles_score_only",
                                         "cycles_context_only",
                                         "ns_attention",
                                         "mac",
                                         "wrgb",
                                         "mvsb",
                                         "mvgb",
                                         "sfm",
                                         "KV_bytes",
                                         "eff_GBps_per_channel",
                                         NULL};
    return table_has_header(table, header);
}

int attacc_is_stacks(const struct table *table)
{
    static const char *const header[] = {"L",     "nhead", "dhead",   "dbyte", "pim_type", "power_constraint",
                                         "cycle", "mac",   "softmax", "mvgb",  "mvsb",     "wrgb",
                                         NULL};
    return table_has_header(table, header);
}

const struct hbm_pim_profile *attacc_placement(const char *name)
{
    static const char *const names[][4] = {{"attacc-bank", "bank", "BA", ""},
                                           {"attacc-bank-group", "bg", "BG", "bank-group"},
                                           {"attacc-buffer", "buffer", "BUFFER", ""}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (int k = 1; k < 4; k++)
            if (*name && strcmp(names[i][k], name) == 0)
                return catalogue_hbm_pim(names[i][0]);
    return NULL;
}

enum status attacc_cell(const struct table *table, size_t row, const char *column, double *value, struct fault *fault)
{
    const char *text = table_cell(table, row, column);
    char *end;
    *value = strtod(text, &end);
    if (*text && !*end && isfinite(*value))
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE, "%s:%zu: %s: expected a number, found '%s'", table->path, table->lines[row],
                     column, text);
}

static enum status whole(const struct table *table, size_t row, const char *column, int *value, struct fault *fault)
{
    double number;
    enum status status = attacc_cell(table, row, column, &number, fault);
    if (status != STATUS_OK)
        return status;
    if (number < 0 || number > 1 << 24 || number != floor(number))
        return fault_set(fault, STATUS_USAGE, "%s:%zu: %s: expected a whole number, found '%s'", table->path,
                         table->lines[row], column, table_cell(table, row, column));
    *value = (int)number;
    return STATUS_OK;
}

static enum status unknown(const struct table *table, size_t row, const char *column, const char *expected,
                           struct fault *fault)
{
    return fault_set(fault, STATUS_USAGE, "%s:%zu: %s: expected %s, found '%s'", table->path, table->lines[row], column,
                     expected, table_cell(table, row, column));
}

static enum status truth(const struct table *table, size_t row, const char *column, int *value, struct fault *fault)
{
    const char *text = table_cell(table, row, column);
    *value = strcmp(text, "True") == 0;
    if (!*value && strcmp(text, "False") != 0)
        return unknown(table, row, column, "True or False", fault);
    return STATUS_OK;
}

/* The word after "--gpu" in the simulator's command line; it has no column of its own. */
static const struct attacc_gpu *gpu_of(const char *command)
{
    const char *option = strstr(command, "--gpu ");
    char name[32] = "A100a";
    if (option) {
        option += strlen("--gpu ");
        size_t length = strcspn(option, " ");
        length = length < sizeof name - 1 ? length : sizeof name - 1;
        memcpy(name, option, length);
        name[length] = '\0';
    }
    return attacc_gpu(name);
}

static enum status machine_of(const struct table *table, size_t row, struct attacc_config *config,
                              struct hbm_pim_profile *pim, struct fault *fault)
{
    const char *system = table_cell(table, row, "system");
    int machine = 0;
    while (machine < N_ATTACC_MACHINES && strcmp(system, attacc_machine_name((enum attacc_machine)machine)) != 0)
        machine++;
    if (machine == N_ATTACC_MACHINES)
        return unknown(table, row, "system", "dgx, dgx-cpu or dgx-attacc", fault);
    config->machine = (enum attacc_machine)machine;
    if (config->machine != ATTACC_DGX_PIM)
        return STATUS_OK;
    const struct hbm_pim_profile *profile = attacc_placement(table_cell(table, row, "pim"));
    if (!profile)
        return unknown(table, row, "pim", "bank, bg or buffer", fault);
    *pim = *profile;
    config->pim = pim;
    return truth(table, row, "power constraint", &pim->power_limited, fault);
}

enum status attacc_row_config(const struct table *table, size_t row, struct attacc_config *config,
                              struct hbm_pim_profile *pim, struct fault *fault)
{
    *config = (struct attacc_config){0};
    config->model = attacc_model(table_cell(table, row, "model"));
    if (!config->model)
        return unknown(table, row, "model", "a model such as GPT-175B", fault);
    config->gpu = gpu_of(table_cell(table, row, "command"));
    if (!config->gpu)
        return unknown(table, row, "command", "--gpu A100a or H100", fault);
    const struct {
        const char *column;
        int *value;
    } numbers[] = {{"ngpu", &config->gpus},
                   {"word", &config->word_bytes},
                   {"Lin", &config->lin},
                   {"Lout", &config->lout},
                   {"bs", &config->batch}};
    enum status status = machine_of(table, row, config, pim, fault);
    for (size_t i = 0; status == STATUS_OK && i < sizeof numbers / sizeof numbers[0]; i++)
        status = whole(table, row, numbers[i].column, numbers[i].value, fault);
    if (status == STATUS_OK)
        status = truth(table, row, "pipe_level", &config->pipeline, fault);
    if (status == STATUS_OK)
        status = truth(table, row, "is parallel", &config->ff_split, fault);
    char text[256];
    if (status == STATUS_OK && attacc_problem(config, text, sizeof text))
        return fault_set(fault, STATUS_USAGE, "%s:%zu: %s", table->path, table->lines[row], text);
    return status;
}

enum status attacc_row_stack(const struct table *table, size_t row, struct hbm_pim_profile *pim, struct fault *fault)
{
    const char *column = has_column(table, "pim") ? "pim" : "pim_type";
    const struct hbm_pim_profile *profile = attacc_placement(table_cell(table, row, column));
    if (!profile)
        return unknown(table, row, column, "BA, BG or BUFFER", fault);
    *pim = *profile;
    return truth(table, row, "power_constraint", &pim->power_limited, fault);
}
