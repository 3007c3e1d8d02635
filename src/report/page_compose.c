/* The order of a report. */
#include "report/page_sections.h"

static enum status add_run(struct document *document, const struct subject *subject, struct fault *fault)
{
    if (subject->kind == SUBJECT_SERVING) {
        page_add_latency(document, subject);
        page_add_load(document, subject);
        page_add_faults(document, subject);
        page_add_breakdown(document, subject);
        page_add_roofline(document, subject);
        return STATUS_OK;
    }
    page_add_loss(document, subject);
    page_add_switch(document, subject);
    page_add_faults(document, subject);
    page_add_errors(document, subject);
    enum status status = page_add_timeline(document, subject, fault);
    page_add_breakdown(document, subject);
    page_add_roofline(document, subject);
    page_add_wear(document, subject);
    return status;
}

enum status page_compose(struct document *document, const struct subject *subject, int n, int *is_valid,
                         struct fault *fault)
{
    enum status status = STATUS_OK;
    *is_valid = page_add_verdict(document, subject, n);
    page_add_head(document, subject, n);
    if (n > 1)
        page_add_comparison(document, subject, n);
    for (int i = 0; i < n && status == STATUS_OK; i++) {
        if (n > 1) {
            document->level = 2;
            document->prefix = "";
            document_heading(document, arena_printf(document->arena, "run-%d", i + 1),
                             arena_printf(document->arena, "Run %d: %s", i + 1, subject[i].name));
            document->level = 3;
            document->prefix = arena_printf(document->arena, "run-%d-", i + 1);
            page_add_head(document, &subject[i], 1);
        }
        status = add_run(document, &subject[i], fault);
    }
    document->level = 2;
    document->prefix = "";
    page_add_validity(document, subject, n);
    document_heading(document, "configuration", "Configuration");
    for (int i = 0; i < n; i++)
        document_source(document,
                        n > 1 ? arena_printf(document->arena, "Run %d: %s", i + 1, subject[i].name) : subject[i].name,
                        subject[i].config);
    return status;
}
