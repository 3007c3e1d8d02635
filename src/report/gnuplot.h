/* gnuplot.h - gnuplot as a child process: a script in, files out, within a time limit.
 *
 * It runs in a private folder that is removed afterwards, reads no start-up files of the user's and gets neither our
 * standard input nor output.
 */
#ifndef REPORT_GNUPLOT_H
#define REPORT_GNUPLOT_H

#include "base/arena.h"
#include "base/status.h"

/* Local. Runs a script that writes the files "0", "1", ... n-1 of its working folder, and reads them into the arena:
 * content[n]. Faults STATUS_FAILED: gnuplot is not installed, takes longer than limit_s, fails (its first line of
 * complaint is told) or does not write a file. */
enum status gnuplot_run(const char *script, int n, double limit_s, struct arena *arena, const char **content,
                        struct fault *fault);

#endif
