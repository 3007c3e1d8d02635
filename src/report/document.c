#include "report/document.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { FACT_INDENT = 16 };

struct document *document_new(struct arena *arena, const char *title)
{
    struct document *document = arena_take(arena, sizeof *document);
    *document = (struct document){.arena = arena, .title = title, .level = 2, .prefix = ""};
    return document;
}

static struct item *add(struct document *document, enum item_kind kind)
{
    int n = document->n_items;
    document->item = arena_grown(document->arena, document->item, (size_t)n, sizeof *document->item);
    document->item[n] = (struct item){.kind = kind};
    document->n_items++;
    return &document->item[n];
}

static const char *print(struct document *document, const char *format, va_list args)
{
    char *text;
    if (vasprintf(&text, format, args) < 0)
        bug("out of memory");
    const char *kept = arena_string(document->arena, text);
    free(text);
    return kept;
}

static const char *with_prefix(struct document *document, const char *id)
{
    return arena_printf(document->arena, "%s%s", document->prefix, id);
}

void document_heading(struct document *document, const char *id, const char *text)
{
    struct item *item = add(document, ITEM_HEADING);
    item->id = with_prefix(document, id);
    item->text = text;
    item->level = document->level;
}

void document_sentence(struct document *document, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = print(document, format, args);
    va_end(args);
    add(document, ITEM_SENTENCE)->text = text;
}

void document_fact(struct document *document, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = print(document, format, args);
    va_end(args);
    struct item *item = add(document, ITEM_FACT);
    item->name = name;
    item->text = text;
}

void document_table(struct document *document, const char *title, const struct text_table *table)
{
    struct item *item = add(document, ITEM_TABLE);
    item->text = title;
    item->table = table;
}

void document_figure(struct document *document, struct figure *figure)
{
    if (figure_is_empty(figure)) {
        document_sentence(document, "%s: the run holds no values to draw.", figure->title);
        return;
    }
    figure->id = with_prefix(document, figure->id);
    add(document, ITEM_FIGURE)->figure = figure;
}

void document_verdict(struct document *document, int is_good, const char *text)
{
    struct item *item = add(document, ITEM_VERDICT);
    item->is_good = is_good;
    item->text = text;
}

void document_source(struct document *document, const char *name, const char *text)
{
    struct item *item = add(document, ITEM_SOURCE);
    item->name = name;
    item->text = text;
}

/* Words of a sentence on lines of the width of a report; the first line begins at `indent` already. */
static void print_wrapped(FILE *out, const char *text, int indent)
{
    int column = indent;
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column > indent && column + 1 + n > TABLE_WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        }
        column += fprintf(out, "%s%.*s", column > indent ? " " : "", n, text);
        text += n;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void print_fact(FILE *out, const struct item *item)
{
    fprintf(out, "%-*s", FACT_INDENT, item->name);
    print_wrapped(out, item->text, FACT_INDENT);
}

static void print_heading(FILE *out, const struct item *item)
{
    fprintf(out, "\n%s\n", item->text);
    for (const char *at = item->text; *at; at++)
        if (((unsigned char)*at & 0xc0) != 0x80)
            fputc(item->level == 2 ? '=' : '-', out);
    fputs("\n\n", out);
}

static int is_printed(const struct item *item)
{
    return item->kind != ITEM_FIGURE && item->kind != ITEM_SOURCE;
}

/* Is there anything but figures under the heading? */
static int has_text(const struct document *document, int heading)
{
    for (int i = heading + 1; i < document->n_items; i++) {
        const struct item *item = &document->item[i];
        if (item->kind == ITEM_HEADING && item->level <= document->item[heading].level)
            return 0;
        if (item->kind != ITEM_HEADING && is_printed(item))
            return 1;
    }
    return 0;
}

void document_print(const struct document *document, FILE *out)
{
    enum item_kind last = ITEM_HEADING;
    fprintf(out, "%s\n", document->title);
    for (int i = 0; i < document->n_items; i++) {
        const struct item *item = &document->item[i];
        if (!is_printed(item) || (item->kind == ITEM_HEADING && !has_text(document, i)))
            continue;
        if (item->kind != ITEM_HEADING && last != ITEM_HEADING && (item->kind != ITEM_FACT || last != ITEM_FACT))
            fputc('\n', out);
        last = item->kind;
        if (item->kind == ITEM_HEADING)
            print_heading(out, item);
        else if (item->kind == ITEM_SENTENCE)
            print_wrapped(out, item->text, 0);
        else if (item->kind == ITEM_FACT)
            print_fact(out, item);
        else if (item->kind == ITEM_VERDICT)
            fprintf(out, "%s: %s\n", item->is_good ? "PASSED" : "FAILED", item->text);
        else {
            fprintf(out, "%s\n", item->text);
            text_table_print(item->table, out, TABLE_WIDTH);
        }
    }
}
