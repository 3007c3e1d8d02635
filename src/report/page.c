#include "report/page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "report/html.h"
#include "report/output.h"
#include "report/page_private.h"
#include "report/plot.h"

static void put_contents(FILE *out, const struct document *document)
{
    fputs("<nav aria-label=\"Contents\"><ul>\n", out);
    for (int i = 0; i < document->n_items; i++) {
        const struct item *item = &document->item[i];
        if (item->kind != ITEM_HEADING || item->level != 2)
            continue;
        fprintf(out, "<li><a href=\"#%s\">", item->id);
        html_text(out, item->text);
        fputs("</a></li>\n", out);
    }
    fputs("</ul></nav>\n", out);
}

static void put_head(FILE *out, const struct document *document)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<meta name=\"generator\" content=\"polyrank " POLYRANK_VERSION "\">\n"
          "<link rel=\"icon\" href=\"data:,\">\n<title>",
          out);
    html_text(out, document->title);
    fputs("</title>\n", out);
    page_write_style(out);
    fputs("</head>\n<body>\n", out);
    figure_write_sprite(out);
    fputs("<header>\n<h1>", out);
    html_text(out, document->title);
    fputs("</h1>\n", out);
}

static void put_table(FILE *out, const struct item *item)
{
    fputs("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"", out);
    html_text(out, item->text);
    fputs("\">\n", out);
    text_table_html(item->table, out, item->text);
    fputs("</div>\n", out);
}

static void put_fact(FILE *out, const struct item *item)
{
    fputs("<dt>", out);
    html_text(out, item->name);
    fputs("</dt><dd>", out);
    html_text(out, item->text);
    fputs("</dd>\n", out);
}

static void put_source(FILE *out, const struct item *item)
{
    fputs("<details><summary>", out);
    html_text(out, item->name);
    fputs("</summary>\n<pre tabindex=\"0\">", out);
    html_text(out, item->text);
    fputs("</pre></details>\n", out);
}

static void put_item(FILE *out, const struct item *item, const struct plot *plot)
{
    switch (item->kind) {
    case ITEM_HEADING:
        fprintf(out, "<h%d id=\"%s\">", item->level, item->id);
        html_text(out, item->text);
        fprintf(out, "</h%d>\n", item->level);
        return;
    case ITEM_SENTENCE:
        fputs("<p>", out);
        html_text(out, item->text);
        fputs("</p>\n", out);
        return;
    case ITEM_VERDICT:
        fprintf(out, "<div class=\"verdict %s\" role=\"status\"><b>%s</b><span>", item->is_good ? "passed" : "failed",
                item->is_good ? "PASSED" : "FAILED");
        html_text(out, item->text);
        fputs("</span></div>\n", out);
        return;
    case ITEM_FACT:
        put_fact(out, item);
        return;
    case ITEM_TABLE:
        put_table(out, item);
        return;
    case ITEM_FIGURE:
        figure_write_html(out, item->figure, plot);
        return;
    case ITEM_SOURCE:
        put_source(out, item);
    }
}

/* Three small plots stand side by side; time lines need more room. */
enum { MOST_BOXES_OF_SMALL = 120 };

static int are_three_small(const struct document *document, int i)
{
    int n = 0, are_small = 1;
    for (; i < document->n_items && document->item[i].kind == ITEM_FIGURE; i++, n++)
        are_small &= document->item[i].figure->n_boxes <= MOST_BOXES_OF_SMALL;
    return n % 3 == 0 && are_small;
}

/* What stands around items of a kind that follow each other. */
static const char *opening(const struct document *document, int i)
{
    switch (document->item[i].kind) {
    case ITEM_FACT:
        return "<dl>\n";
    case ITEM_TABLE:
        return "<div class=\"tables\">\n";
    case ITEM_FIGURE:
        return are_three_small(document, i) ? "<div class=\"plots three\">\n" : "<div class=\"plots\">\n";
    default:
        return "";
    }
}

static const char *closing(enum item_kind kind)
{
    return kind == ITEM_FACT ? "</dl>\n" : kind == ITEM_FIGURE || kind == ITEM_TABLE ? "</div>\n" : "";
}

/* The header holds what comes before the first heading. */
static void put_items(FILE *out, const struct document *document, const struct plot *plot)
{
    int in_header = 1;
    enum item_kind last = ITEM_HEADING;
    for (int i = 0; i < document->n_items; i++) {
        const struct item *item = &document->item[i];
        int is_same = i > 0 && item->kind == last;
        if (!is_same)
            fputs(i > 0 ? closing(last) : "", out);
        if (in_header && item->kind == ITEM_HEADING) {
            put_contents(out, document);
            fputs("</header>\n<main>\n", out);
            in_header = 0;
        }
        if (!is_same)
            fputs(opening(document, i), out);
        put_item(out, item, plot);
        plot += item->kind == ITEM_FIGURE;
        last = item->kind;
    }
    fputs(closing(last), out);
    fputs(in_header ? "</header>\n<main>\n" : "", out);
}

static const struct figure **collect_figures(const struct document *document, struct arena *arena, int *n)
{
    const struct figure **figures = arena_array(arena, (size_t)document->n_items + 1, sizeof *figures);
    for (int i = 0; i < document->n_items; i++)
        if (document->item[i].kind == ITEM_FIGURE)
            figures[(*n)++] = document->item[i].figure;
    return figures;
}

enum status page_write(const char *path, const struct document *document, struct fault *fault)
{
    struct output output;
    struct arena *arena = arena_new();
    int n = 0;
    const struct figure **figures = collect_figures(document, arena, &n);
    struct plot *plot = arena_array(arena, (size_t)n + 1, sizeof *plot);
    enum status status = plot_draw(figures, n, arena, plot, fault);
    if (status == STATUS_OK && (status = output_open(&output, path, fault)) == STATUS_OK) {
        put_head(output.file, document);
        put_items(output.file, document, plot);
        fputs("</main>\n<footer>Times and energies are virtual: of the emulated machine. Made by "
              "polyrank " POLYRANK_VERSION " report.</footer>\n</body>\n</html>\n",
              output.file);
        status = output_finish(&output, fault);
        output_close(&output);
    }
    arena_free(arena);
    return status;
}

static enum status write_data(const char *folder, const struct figure *figure, struct fault *fault)
{
    struct output output;
    enum status status = output_open(&output, arena_printf(figure->arena, "%s/%s.csv", folder, figure->id), fault);
    if (status != STATUS_OK)
        return status;
    figure_write_csv(output.file, figure, SIZE_MAX);
    status = output_finish(&output, fault);
    output_close(&output);
    return status;
}

enum status page_write_data(const char *folder, const struct document *document, struct fault *fault)
{
    struct stat found;
    enum status status = STATUS_OK;
    if (mkdir(folder, 0777) != 0 && (errno != EEXIST || stat(folder, &found) != 0 || !S_ISDIR(found.st_mode)))
        return fault_set(fault, STATUS_IO, "%s: the folder cannot be made: %s", folder, strerror(errno));
    for (int i = 0; i < document->n_items && status == STATUS_OK; i++)
        if (document->item[i].kind == ITEM_FIGURE)
            status = write_data(folder, document->item[i].figure, fault);
    return status;
}
