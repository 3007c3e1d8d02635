/* Tables as HTML; the other writer of report/table.h. */
#include "report/html.h"
#include "report/table_private.h"

static const char *class_of(enum align align)
{
    return align == ALIGN_RIGHT ? " class=\"number\"" : "";
}

static void put_head(const struct text_table *table, FILE *out)
{
    fputs("<thead><tr>", out);
    for (int c = 0; c < table->n_columns; c++) {
        const struct column *column = &table->column[c];
        fprintf(out, "<th scope=\"col\"%s>", class_of(column->align));
        html_text(out, column->name);
        if (*column->unit) {
            fputs(" <span class=\"unit\">", out);
            html_text(out, column->unit);
            fputs("</span>", out);
        }
        fputs("</th>", out);
    }
    fputs("</tr></thead>\n", out);
}

static void put_row(const struct text_table *table, const struct row *row, FILE *out)
{
    fputs(row->rule_before ? "<tr class=\"rule\">" : "<tr>", out);
    for (int c = 0; c < table->n_columns; c++) {
        fprintf(out, c ? "<td%s>" : "<th scope=\"row\"%s>", class_of(table->column[c].align));
        html_text(out, row->cell[c]);
        fputs(c ? "</td>" : "</th>", out);
    }
    fputs("</tr>\n", out);
}

void text_table_html(const struct text_table *table, FILE *out, const char *caption)
{
    fputs("<table><caption>", out);
    html_text(out, caption);
    fputs("</caption>\n", out);
    put_head(table, out);
    fputs("<tbody>\n", out);
    for (const struct row *row = table->first; row; row = row->next)
        put_row(table, row, out);
    fputs("</tbody></table>\n", out);
}
