/* document.h - what a report says, in order: headings, sentences, facts, tables, figures. Two writers read it: page
 * (HTML) and document_print (terminal). Everything lives in the arena given and is borrowed.
 */
#ifndef REPORT_DOCUMENT_H
#define REPORT_DOCUMENT_H

#include <stdio.h>

#include "base/arena.h"
#include "report/figure.h"
#include "report/table.h"

enum item_kind {
    ITEM_HEADING,  /* text, level 2 or 3, id */
    ITEM_SENTENCE, /* text */
    ITEM_FACT,     /* name, text; facts in a row are one list */
    ITEM_TABLE,    /* table, text: its title */
    ITEM_FIGURE,   /* figure */
    ITEM_VERDICT,  /* text, is_good */
    ITEM_SOURCE    /* name, text: a long text, folded away; not for the terminal */
};

struct item {
    enum item_kind kind;
    const char *id, *name, *text;
    int level, is_good;
    const struct text_table *table;
    struct figure *figure;
};

struct document {
    struct arena *arena;
    const char *title;
    int level;          /* of headings to come: 2, or 3 below a run's own */
    const char *prefix; /* of the ids to come */
    int n_items;
    struct item *item;
};

/* Local. */
struct document *document_new(struct arena *arena, const char *title);

/* Local. Adds an item behind the last one. Figures without points are left out, and said to be. A figure's id gets the
 * prefix. */
void document_heading(struct document *document, const char *id, const char *text);
void document_sentence(struct document *document, const char *format, ...) __attribute__((format(printf, 2, 3)));
void document_fact(struct document *document, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void document_table(struct document *document, const char *title, const struct text_table *table);
void document_figure(struct document *document, struct figure *figure);
void document_verdict(struct document *document, int is_good, const char *text);
void document_source(struct document *document, const char *name, const char *text);

/* Local. All but figures and sources, as text of TABLE_WIDTH characters. */
void document_print(const struct document *document, FILE *out);

#endif
