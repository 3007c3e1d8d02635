#include "base/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void progress_start(struct progress *progress, const char *what, const char *unit, uint64_t total,
                    double units_per_step, int quiet)
{
    double start_s = now_s();
    *progress =
        (struct progress){what, unit, total, units_per_step, start_s, start_s, 0, isatty(STDERR_FILENO), quiet, 0};
}

void progress_skip(struct progress *progress, uint64_t done)
{
    progress->first = done;
    progress->start_s = progress->last_s = now_s();
}

static void show_left(char *text, size_t size, double left_s)
{
    int s = (int)(left_s + 0.5);
    if (s < 3600)
        snprintf(text, size, "%d:%02d", s / 60, s % 60);
    else
        snprintf(text, size, "%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
}

void progress_show(struct progress *progress, uint64_t done, const char *note)
{
    static const double TERMINAL_PERIOD_S = 0.2, LOG_PERIOD_S = 10;
    if (progress->quiet || done <= progress->first)
        return;
    uint64_t own = done - progress->first;
    double time_s = now_s(), passed_s = time_s - progress->start_s;
    if (time_s - progress->last_s < (progress->to_terminal ? TERMINAL_PERIOD_S : LOG_PERIOD_S))
        return;
    progress->last_s = time_s;
    progress->shown = 1;
    char left[32];
    double rate = progress->units_per_step * (double)own / passed_s;
    show_left(left, sizeof left, passed_s / (double)own * (double)(progress->total - done));
    fprintf(stderr, "%s%s: step %llu of %llu (%.0f %%)  %s  %.*f %s/s  %s left%s", progress->to_terminal ? "\r" : "",
            progress->what, (unsigned long long)done, (unsigned long long)progress->total,
            100.0 * (double)done / (double)progress->total, note, rate < 10 ? 2 : 0, rate, progress->unit, left,
            progress->to_terminal ? "\033[K" : "\n");
    fflush(stderr);
}

void progress_end(struct progress *progress)
{
    if (progress->shown && progress->to_terminal)
        fputc('\n', stderr);
}
