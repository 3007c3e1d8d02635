/* The verdict on a report's runs, and the checks behind it. */
#include "report/page_sections.h"
#include "report/validity.h"

int page_add_verdict(struct document *document, const struct subject *subject, int n)
{
    int checks = 0, failed = 0;
    for (int i = 0; i < n; i++) {
        struct validity validity = {.n = 0};
        validity_check(&subject[i], document->arena, &validity);
        for (int k = 0; k < validity.n; k++)
            failed += !validity.check[k].holds;
        checks += validity.n;
    }
    document_verdict(document, failed == 0,
                     failed
                         ? arena_printf(document->arena, "%d of %d checks of these files fail: do not use the numbers",
                                        failed, checks)
                         : arena_printf(document->arena, "all %d checks of sums, orders and costs hold", checks));
    return failed == 0;
}

void page_add_validity(struct document *document, const struct subject *subject, int n)
{
    struct text_table *table = text_table_new(document->arena);
    document_heading(document, "validity", "Validity");
    if (n > 1)
        text_table_column(table, ALIGN_RIGHT, "run", NULL);
    text_table_column(table, ALIGN_LEFT, "check", NULL);
    text_table_column(table, ALIGN_LEFT, "verdict", NULL);
    text_table_column(table, ALIGN_LEFT, "found", NULL);
    for (int i = 0; i < n; i++) {
        struct validity validity = {.n = 0};
        validity_check(&subject[i], document->arena, &validity);
        for (int k = 0; k < validity.n; k++) {
            text_table_row(table);
            if (n > 1)
                text_table_cell(table, "%d", i + 1);
            text_table_cell(table, "%s", validity.check[k].what);
            text_table_cell(table, "%s", validity.check[k].holds ? "PASSED" : "FAILED");
            text_table_cell(table, "%s", validity.check[k].found);
        }
    }
    document_table(document, "What must hold in the files", table);
}
