/* page.h - a document as one HTML page that needs nothing else: style, drawings and data are within it.
 *
 * Follows the reader's choice of light or dark, from the width of a phone to that of a desk, and prints. No scripts.
 * The same document gives the same bytes.
 */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include "base/status.h"
#include "report/document.h"

/* Rows of a data file within the page; the files beside it (page_write_data) have all of them. */
enum { PAGE_DATA_ROWS = 4000 };

/* Local. Draws the figures and writes the page under a temporary name, then renames it. Faults of plot_draw, and
 * STATUS_IO. */
enum status page_write(const char *path, const struct document *document, struct fault *fault);

/* Local. One CSV file for each figure into a folder that is made when it is not there: FOLDER/ID.csv. Fault STATUS_IO.
 */
enum status page_write_data(const char *folder, const struct document *document, struct fault *fault);

/* Local. The style sheet, with the colours of both themes. */
void page_write_style(FILE *out);

#endif
