/* html.h - text and bytes as parts of an HTML page. Whatever comes from outside goes through these. */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include <stddef.h>
#include <stdio.h>

/* Local. Text as content or as a quoted value of an attribute: & < > " ' are escaped, control characters but newline
 * and tab become blanks, bytes that are no UTF-8 become U+FFFD. NULL is empty. */
void html_text(FILE *out, const char *text);

/* Local. "data:TYPE;base64,..." of n bytes. */
void html_data_uri(FILE *out, const char *type, const void *bytes, size_t n);

/* Local. Text as a name within a page or of a file: letters and digits in small letters, everything else one '-'; never
 * empty and never with '-' at an end ("loss-against-steps"). `size` above 1. Returns name. */
char *html_name(char *name, size_t size, const char *text);

#endif
