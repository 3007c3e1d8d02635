/* devices.c - polyrank devices: the device catalogue, and profiles calibrated from measured runs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "command/command.h"
#include "command/devices_calibrate.h"
#include "device/catalogue.h"

struct devices_input {
    struct fault *fault;
    const char *name;
    int for_calibration; /* an option of it was given */
    struct calibrate_request calibrate;
};

enum {
    KEY_CALIBRATE = 256,
    KEY_PROFILE,
    KEY_MODEL,
    KEY_OUT,
    KEY_MAX_BATCH,
    KEY_TOKEN_BUDGET,
    KEY_SYNCHRONOUS,
    KEY_TRAIN_SHARE
};

static const struct argp_option options_table[] = {
    {"calibrate", KEY_CALIBRATE, "FILE", 0, "fit a GPU to a measured run of an inference engine", 1},
    {"profile", KEY_PROFILE, "NAME", 0, "calibrate: the GPU to start from (default rtx-pro-6000)", 1},
    {"model", KEY_MODEL, "NAME", 0, "calibrate: the decoder that was served (default llama-3.1-8b)", 1},
    {"max-batch", KEY_MAX_BATCH, "N", 0, "calibrate: sequences the engine ran at a time (default 128)", 1},
    {"token-budget", KEY_TOKEN_BUDGET, "N", 0, "calibrate: tokens of an iteration (default 2048)", 1},
    {"synchronous", KEY_SYNCHRONOUS, NULL, 0,
     "calibrate: the engine put an iteration together after the one before it had ended (default: when it started)", 1},
    {"train-share", KEY_TRAIN_SHARE, "SHARE", 0,
     "calibrate: the first so much of the requests is fitted, the rest tells the error (default 0.5)", 1},
    {"out", KEY_OUT, "FILE", 0, "calibrate: the cluster file to write (default: to stdout)", 1},
    {"force", 'f', NULL, 0, "calibrate: replace an existing file", 1},
    {0},
};

static error_t number(struct devices_input *input, const char *option, const char *text, double least, double most,
                      double *value)
{
    char *end;
    *value = strtod(text, &end);
    if (end != text && !*end && *value >= least && *value <= most && (least < 1 || *value == floor(*value)))
        return 0;
    fault_set(input->fault, STATUS_USAGE, "--%s: expected a %snumber from %g to %g, found '%s'", option,
              least < 1 ? "" : "whole ", least, most, text);
    return EINVAL;
}

static error_t parse_calibrate(int key, char *arg, struct devices_input *input)
{
    struct calibrate_request *request = &input->calibrate;
    double value = 0;
    error_t error = 0;
    int before = input->for_calibration;
    input->for_calibration = 1;
    switch (key) {
    case KEY_CALIBRATE:
        request->run = arg;
        return 0;
    case KEY_PROFILE:
        request->profile = arg;
        return 0;
    case KEY_MODEL:
        request->model = arg;
        return 0;
    case KEY_OUT:
        request->out = arg;
        return 0;
    case 'f':
        request->force = 1;
        return 0;
    case KEY_SYNCHRONOUS:
        request->synchronous = 1;
        return 0;
    case KEY_MAX_BATCH:
        error = number(input, "max-batch", arg, 1, 65536, &value);
        request->max_batch = (int64_t)value;
        return error;
    case KEY_TOKEN_BUDGET:
        error = number(input, "token-budget", arg, 1, 1000000, &value);
        request->token_budget = (int64_t)value;
        return error;
    case KEY_TRAIN_SHARE:
        return number(input, "train-share", arg, 0.01, 1, &request->train_share);
    default:
        input->for_calibration = before;
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct devices_input *input = state->input;
    if (key != ARGP_KEY_ARG)
        return parse_calibrate(key, arg, input);
    if (input->name)
        return ARGP_ERR_UNKNOWN;
    input->name = arg;
    return 0;
}

static const struct argp argp = {
    options_table,
    parse,
    "[NAME]",
    "Lists the devices and links that are known, or the constants of one of them: value, unit, "
    "kind of evidence and source. With --calibrate: fits memory bandwidth, peak rate and the host's time for each "
    "iteration to a measured run of an inference engine, by replaying its requests, and writes a cluster file.\v"
    "evidence:\n"
    "  source    read in the source named\n"
    "  recalled  from memory, not checked\n"
    "  fitted    fitted to the measurements named\n"
    "  derived   computed from other constants, or taken from a near device\n\n"
    "A measured run is a CSV, a row for each request: arrival_s, input_toks, output_toks, queue_ms, "
    "ttft_from_queue_ms, "
    "e2e_from_queue_ms; times count from the arrival.\n\n"
    "examples:\n"
    "  polyrank devices\n"
    "  polyrank devices h100-sxm\n"
    "  polyrank devices --calibrate run.csv --profile rtx-pro-6000 --out clusters/mine.yaml",
    NULL,
    NULL,
    NULL};

static void list(void)
{
    const struct catalogue_entry *entry;
    printf("%-18s  %-12s  %s\n", "name", "kind", "device");
    for (size_t i = 0; (entry = catalogue_entry(i)); i++)
        printf("%-18s  %-12s  %s\n", entry->name, entry->kind, entry->title);
}

static int longest(int width, const char *text)
{
    return (int)strlen(text) > width ? (int)strlen(text) : width;
}

static void show(const struct catalogue_entry *entry)
{
    int name_width = 8, value_width = 5, unit_width = 4;
    for (size_t i = 0; i < entry->n_constants; i++) {
        const struct constant_field *field = &entry->fields[entry->constants[i].field];
        char value[32];
        snprintf(value, sizeof value, "%.12g", entry->constants[i].value);
        name_width = longest(name_width, field->name);
        value_width = longest(value_width, value);
        unit_width = longest(unit_width, field->unit);
    }
    printf("%s: %s\n\n", entry->name, entry->title);
    printf("%-*s  %*s  %-*s  %-8s  %s\n", name_width, "constant", value_width, "value", unit_width, "unit", "evidence",
           "source");
    for (size_t i = 0; i < entry->n_constants; i++) {
        const struct constant *constant = &entry->constants[i];
        const struct constant_field *field = &entry->fields[constant->field];
        printf("%-*s  %*.12g  %-*s  %-8s  %s\n", name_width, field->name, value_width, constant->value, unit_width,
               field->unit, evidence_name(constant->evidence), constant->source);
    }
    printf("\n");
    for (size_t i = 0; i < entry->n_constants; i++) {
        const struct constant_field *field = &entry->fields[entry->constants[i].field];
        printf("%-*s  %s\n", name_width, field->name, field->meaning);
    }
}

/* "h100" should lead to h100-sxm: the start of a name helps before a likeness does. */
static const char *likely_name(const char *name)
{
    const char *names[64];
    size_t n = 0;
    for (const struct catalogue_entry *entry; n < 64 && (entry = catalogue_entry(n)); n++) {
        names[n] = entry->name;
        if (*name && strncmp(entry->name, name, strlen(name)) == 0)
            return entry->name;
    }
    return nearest_word(name, names, n);
}

static enum status unknown(const char *name, struct fault *fault)
{
    const char *near = likely_name(name);
    if (near)
        return fault_set(fault, STATUS_USAGE, "no device '%s' in the catalogue: did you mean %s?", name, near);
    return fault_set(fault, STATUS_USAGE, "no device '%s' in the catalogue: polyrank devices lists them", name);
}

enum status command_devices(struct comm *comm, int argc, char **argv, struct fault *fault)
{
    (void)comm;
    struct devices_input input = {.fault = fault,
                                  .calibrate = {.profile = "rtx-pro-6000",
                                                .model = "llama-3.1-8b",
                                                .max_batch = 128,
                                                .token_budget = 2048,
                                                .train_share = 0.5}};
    int done;
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    if (input.for_calibration && (input.name || !input.calibrate.run))
        return fault_set(fault, STATUS_USAGE, "%s: polyrank devices --help shows what goes together",
                         input.name ? "a NAME does not go with --calibrate" : "expected --calibrate FILE");
    if (input.for_calibration)
        return devices_calibrate(&input.calibrate, fault);
    if (!input.name) {
        list();
        return STATUS_OK;
    }
    const struct catalogue_entry *entry;
    for (size_t i = 0; (entry = catalogue_entry(i)); i++) {
        if (strcmp(entry->name, input.name) == 0) {
            show(entry);
            return STATUS_OK;
        }
    }
    return unknown(input.name, fault);
}
