#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef fault_set /* the header gives the name another meaning for an analyzer */
enum status fault_set(struct fault *fault, enum status status, const char *format, ...)
{
    if (fault->status != STATUS_OK)
        return fault->status;
    va_list args;
    va_start(args, format);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    fault->status = status;
    return status;
}

void fault_prefix(struct fault *fault, const char *format, ...)
{
    if (fault->status == STATUS_OK)
        return;
    char text[FAULT_TEXT_MAX];
    memcpy(text, fault->text, sizeof text);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof fault->text)
        return;
    int room = (int)sizeof fault->text - n - 3;
    if (room > 0)
        snprintf(fault->text + n, sizeof fault->text - (size_t)n, ": %.*s", room, text);
}

void bug_at(const char *file, int line, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "polyrank: bug: %s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}
