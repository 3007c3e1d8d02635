/* commands.c - the table of verbs. */
#include "command/command.h"

const struct command *commands(void)
{
    static const struct command table[] = {
        {"train", "train a model on an emulated machine", ON_ALL_STOPPABLE, command_train},
        {"serve", "serve prompts or a request trace with a decoder", ON_ALL, command_serve},
        {"plan", "placement, memory, predicted time and energy of a job; runs nothing", ON_ONE, command_plan},
        {"check", "validate a job, cluster, study, data set, model, result or checkpoint file", ON_ONE, command_check},
        {"data", "import, synth, info, baseline: data sets", ON_ONE, command_data},
        {"model", "import, synth, info, list: decoder models", ON_ONE, command_model},
        {"devices", "the device catalogue, with sources", ON_ONE, command_devices},
        {"cost", "price one op on a device, or a table of them", ON_ONE, command_cost},
        {"reproduce", "models against what they have to meet: formulas, published tables", ON_ALL, command_reproduce},
        {"compare", "two or more results side by side: time, energy, quality", ON_ONE, command_compare},
        {"report", "an HTML page with plots of finished runs, and its tables", ON_ONE, command_report},
        {"contrast", "full against low-parameter training: predicted time and energy of pairs of jobs", ON_ONE,
         command_contrast},
        {"sweep", "studies: many runs of a job, one table, Pareto front, scaling", ON_ONE, command_sweep},
        {"slurm", "a batch script for SLURM that runs a job, or a study as an array", ON_ONE, command_slurm},
        {0},
    };
    return table;
}
