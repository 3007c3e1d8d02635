/* report.c - polyrank report: finished runs as one HTML page with plots, and as tables on the terminal. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command/command.h"
#include "report/page.h"
#include "report/page_sections.h"

enum { MAX_REPORT_RUNS = 9 }; /* as many as compare takes */

enum { KEY_TITLE = 1000, KEY_DATA, KEY_NO_PAGE };

struct report_input {
    struct fault *fault;
    const char *output, *title, *data;
    int force, no_page, quiet, n;
    const char *run[MAX_REPORT_RUNS];
};

static const struct argp_option options_table[] = {
    {"output", 'o', "FILE", 0, "the page (default: report.html in the folder of the first run)", 1},
    {"force", 'f', NULL, 0, "replace a page that is there", 1},
    {"title", KEY_TITLE, "TEXT", 0,
     "title of the page (default: names of the jobs, with folders where they are the same)", 1},
    {"data", KEY_DATA, "DIR", 0, "write the data of every plot there as well, as CSV", 1},
    {"no-page", KEY_NO_PAGE, NULL, 0, "tables alone: no page, no gnuplot", 1},
    {"quiet", 'q', NULL, 0, "no tables on stdout", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct report_input *input = state->input;
    switch (key) {
    case 'o':
        input->output = arg;
        return 0;
    case 'f':
        input->force = 1;
        return 0;
    case 'q':
        input->quiet = 1;
        return 0;
    case KEY_TITLE:
        input->title = arg;
        return 0;
    case KEY_DATA:
        input->data = arg;
        return 0;
    case KEY_NO_PAGE:
        input->no_page = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (input->n == MAX_REPORT_RUNS) {
            fault_set(input->fault, STATUS_USAGE, "report takes at most %d runs, found one more: %s", MAX_REPORT_RUNS,
                      arg);
            return EINVAL;
        }
        input->run[input->n++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (input->n == 0)
            fault_set(input->fault, STATUS_USAGE, "report needs a finished run: polyrank report RUN...");
        else if (input->no_page && (input->output || input->quiet))
            fault_set(input->fault, STATUS_USAGE, "--no-page leaves nothing to do for --%s",
                      input->output ? "output" : "quiet");
        return input->fault->status == STATUS_OK ? 0 : EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options_table,
    parse,
    "RUN...",
    "Makes one HTML page of finished runs (the folders that train and serve wrote, or the result.h5 or serving.h5 in "
    "them), and prints its tables. The page needs nothing else and no network: plots, their data and the style are in "
    "it. With several runs the first is the base of ratios.\v"
    "Exit status 3 when the sums in the files do not hold; the page then says so. Plots are drawn by gnuplot.\n\n"
    "examples:\n"
    "  polyrank report wind-hpt-out\n"
    "  polyrank report gpu-out pim-out -o both.html --title \"GPU and PIM\" --data plots",
    NULL,
    NULL,
    NULL};

/* Runs of one job are told apart by where they lie. */
static const char *titled(struct arena *arena, const struct subject *subject, int n, int run)
{
    for (int i = 0; i < n; i++)
        if (i != run && strcmp(subject[i].name, subject[run].name) == 0)
            return arena_printf(arena, "%s (%s)", subject[run].name,
                                strcmp(subject[run].given, subject[run].file) == 0 ? subject[run].file
                                                                                   : subject[run].folder);
    return subject[run].name;
}

static const char *default_title(struct arena *arena, const struct subject *subject, int n)
{
    const char *title = titled(arena, subject, n, 0);
    for (int i = 1; i < n; i++)
        title = arena_printf(arena, "%s%s%s", title, i + 1 < n ? ", " : " and ", titled(arena, subject, n, i));
    return title;
}

/* Before any work: the page must not be there, its folder must. */
static enum status check_output(const struct report_input *input, const char *path, struct fault *fault)
{
    if (!input->no_page && !input->force && access(path, F_OK) == 0)
        return fault_set(fault, STATUS_USAGE, "%s: is there already: --force replaces it, --output names another",
                         path);
    return STATUS_OK;
}

static enum status write_page(const struct report_input *input, const char *path, const struct document *document,
                              struct fault *fault)
{
    enum status status = input->no_page ? STATUS_OK : page_write(path, document, fault);
    if (status == STATUS_OK && input->data)
        status = page_write_data(input->data, document, fault);
    if (status != STATUS_OK)
        return status;
    if (!input->quiet)
        document_print(document, stdout);
    if (!input->no_page)
        printf("%spage: %s\n", input->quiet ? "" : "\n", path);
    return STATUS_OK;
}

static enum status report(const struct report_input *input, struct arena *arena, struct fault *fault)
{
    struct subject *subject = arena_array(arena, (size_t)input->n, sizeof *subject);
    int is_valid = 0;
    for (int i = 0; i < input->n; i++)
        if (subject_open(input->run[i], arena, &subject[i], fault) != STATUS_OK)
            return fault->status;
    const char *path = input->output ? input->output : subject_path(&subject[0], arena, "report.html");
    if (check_output(input, path, fault) != STATUS_OK)
        return fault->status;
    const char *title = input->title ? input->title : default_title(arena, subject, input->n);
    struct document *document = document_new(arena, title);
    if (page_compose(document, subject, input->n, &is_valid, fault) != STATUS_OK)
        return fault->status;
    enum status status = write_page(input, path, document, fault);
    if (status == STATUS_OK && !is_valid)
        status = fault_set(fault, STATUS_INVALID, "the sums in these files do not hold: see Validity in the report");
    return status;
}

enum status command_report(struct comm *comm, int argc, char **argv, struct fault *fault)
{
    struct report_input input = {.fault = fault};
    int done = 0;
    (void)comm;
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    struct arena *arena = arena_new();
    report(&input, arena, fault);
    arena_free(arena);
    return fault->status;
}
