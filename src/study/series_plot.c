/* series_plot.c - speed-up and efficiency as a drawing, by gnuplot in a process of its own. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report/output.h"
#include "study/series.h"

/* A text inside double quotes of gnuplot, which knows escapes and, in titles, markup. */
static void put_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        if (strchr("\"\\`", *text))
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void put_curves(const struct study_results *results, int column, FILE *out, struct arena *arena)
{
    const char *stem = series_stem(results->study);
    for (int64_t i = 0; i < results->points->n_series; i++) {
        struct study_series series = series_of(results, i, arena);
        const char *title = series_title(results, &series, arena);
        fprintf(out, "%s'%s.csv' every ::1 using 2:($1 == %lld ? $%d%s : NaN) with linespoints pointtype 7 title ",
                i ? ", " : "", stem, (long long)i + 1, column, column == 5 ? " * 100" : "");
        put_quoted(out, *title ? title : "measured");
    }
}

static void put_commands(const struct study_results *results, FILE *out, struct arena *arena)
{
    const struct study *study = results->study;
    struct study_series first = series_of(results, 0, arena);
    const char *what = study_is_over_ranks(study) ? "ranks" : study->over, *stem = series_stem(study);
    int is_weak = strcmp(study->kind, "weak-scaling") == 0;
    fprintf(out, "# gnuplot %s.gnuplot: draws %s.svg of %s.csv\n", stem, stem, stem);
    fprintf(out, "set terminal svg size 960,400 dynamic background rgb 'white' noenhanced\nset output '%s.svg'\n",
            stem);
    fputs("set datafile separator ','\nset grid\nset key left top Left reverse\nset multiplot layout 1,2 title ", out);
    put_quoted(out, arena_printf(arena, "%s: %s", study->name,
                                 study_is_over_ranks(study) ? "wall time of the emulator (not reproducible)"
                                                            : "virtual time of the emulated machine"));
    fputs("\nset xlabel ", out);
    put_quoted(out, what);
    fprintf(out, "\nset logscale x 2\nset logscale y 2\nset ylabel '%s'\nplot ",
            is_weak ? "scaled speed-up" : "speed-up");
    put_curves(results, 4, out, arena);
    fprintf(out, ", [%g:%g] x / %g with lines dashtype 2 linecolor rgb 'gray' title 'linear'\n", first.count[0],
            first.count[first.n - 1], first.count[0]);
    fputs("unset logscale y\nset yrange [0:*]\nset ylabel 'efficiency [%]'\nunset key\nplot ", out);
    put_curves(results, 5, out, arena);
    fputs("\nunset multiplot\n", out);
}

/* Runs gnuplot in the folder; its complaints go to our stderr. 1 when it worked. */
static int run_gnuplot(const char *folder, const char *commands)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        if (chdir(folder) == 0)
            execlp("gnuplot", "gnuplot", commands, (char *)NULL);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int has_times(const struct study_results *results, struct arena *arena)
{
    struct study_series first = series_of(results, 0, arena);
    return !isnan(first.time_s[0]);
}

enum status series_plot(const struct study_results *results, const char *folder, struct arena *arena, int *drawn,
                        struct fault *fault)
{
    const char *name = arena_printf(arena, "%s.gnuplot", series_stem(results->study));
    struct output output;
    *drawn = 0;
    if (!has_times(results, arena))
        return STATUS_OK;
    if (output_open(&output, arena_printf(arena, "%s/%s", folder, name), fault) == STATUS_OK) {
        put_commands(results, output.file, arena);
        output_finish(&output, fault);
    }
    output_close(&output);
    if (fault->status == STATUS_OK) {
        *drawn = run_gnuplot(folder, name);
        if (!*drawn)
            fprintf(stderr, "polyrank: no plot: gnuplot is not there or failed; `gnuplot %s` in %s draws it\n", name,
                    folder);
    }
    return fault->status;
}
