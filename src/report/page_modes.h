/* page_modes.h - tables of a run with several modes, beside its time line. */
#ifndef REPORT_PAGE_MODES_H
#define REPORT_PAGE_MODES_H

#include "report/document.h"
#include "report/run.h"

/* Local. Time and energy of a step of each mode, and the busy share of each device in it; nothing for a run in one
 * mode. */
void page_add_modes(struct document *document, const struct run *run);

#endif
