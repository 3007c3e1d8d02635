/* devices.c - polyrank devices: the device catalogue. */
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "command/command.h"
#include "device/catalogue.h"

struct devices_input {
    const char *name;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct devices_input *input = state->input;
    if (key != ARGP_KEY_ARG || input->name)
        return ARGP_ERR_UNKNOWN;
    input->name = arg;
    return 0;
}

static const struct argp argp = {
    NULL,
    parse,
    "[NAME]",
    "Lists the devices and links that are known, or the constants of one of them: value, unit, "
    "kind of evidence and source.\v"
    "evidence:\n"
    "  source    read in the source named\n"
    "  recalled  from memory, not checked\n"
    "  fitted    fitted to the measurements named\n"
    "  derived   computed from other constants, or taken from a near device\n\n"
    "examples:\n"
    "  polyrank devices\n"
    "  polyrank devices h100-sxm",
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
    struct devices_input input = {NULL};
    int done;
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
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
