/* What each device does when: two steps of each mode and what moves weights between them, from the trace; without a
 * trace the phases of the run. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/unit.h"
#include "plan/program.h"
#include "report/page_axes.h"
#include "report/page_modes.h"
#include "report/page_sections.h"
#include "report/trace_read.h"

enum { PIECES = 700, MOST_ROWS = 18 };

/* The stretch of virtual time that a figure shows. */
struct window {
    uint64_t start_ps, end_ps;
    uint32_t first_step, last_step;
};

static const struct view {
    uint16_t program;
    const char *id;
    const char *mode, *between; /* steps of a mode, or what is done between two steps */
    uint32_t skip, steps;       /* the first steps of a mode fill its pipelines */
} views[] = {
    {PROGRAM_TRAIN, "timeline-full", "all weights trained", NULL, 1, 2},
    {PROGRAM_LOW, "timeline-low", "low-parameter mode", NULL, 1, 2},
    {PROGRAM_HANDOVER, "timeline-handover", NULL, "Handover of the weights", 0, 1},
    {PROGRAM_REPAIR, "timeline-repair", NULL, "Repair: matrices of a lost device go to the others", 0, 1},
    {PROGRAM_RETURN, "timeline-return", NULL, "Return of the weights", 0, 1},
};

/* Steps of a program in the trace: the first of them, and how many. */
static int find_window(const struct trace_content *trace, const struct view *view, struct window *window)
{
    uint32_t first = UINT32_MAX, last = 0;
    for (size_t i = 0; i < trace->n; i++)
        if (trace->event[i].program == view->program) {
            first = trace->event[i].step < first ? trace->event[i].step : first;
            last = trace->event[i].step > last ? trace->event[i].step : last;
        }
    if (first == UINT32_MAX)
        return 0;
    *window = (struct window){UINT64_MAX, 0, first, last};
    window->first_step = first + view->skip <= last ? first + view->skip : first;
    window->last_step = window->first_step + view->steps - 1 < last ? window->first_step + view->steps - 1 : last;
    for (size_t i = 0; i < trace->n; i++) {
        const struct trace_event *event = &trace->event[i];
        if (event->program != view->program || event->step < window->first_step || event->step > window->last_step)
            continue;
        uint64_t end_ps = event->start_ps + event->time_ps;
        /* minibatches are fetched during the step before */
        if (!(view->mode && event->engine == ENGINE_COPY) && event->start_ps < window->start_ps)
            window->start_ps = event->start_ps;
        window->end_ps = end_ps > window->end_ps ? end_ps : window->end_ps;
    }
    return window->end_ps > window->start_ps;
}

static int by_track(const void *left, const void *right)
{
    const struct trace_event *a = left, *b = right;
    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    if (a->engine != b->engine)
        return a->engine < b->engine ? -1 : 1;
    return a->start_ps < b->start_ps ? -1 : a->start_ps > b->start_ps;
}

/* Events that a window shows, track by track; returns how many. */
static size_t events_within(const struct trace_content *trace, const struct window *window, struct trace_event *shown)
{
    size_t n = 0;
    for (size_t i = 0; i < trace->n; i++) {
        struct trace_event event = trace->event[i];
        uint64_t end_ps = event.start_ps + event.time_ps;
        if (end_ps <= window->start_ps || event.start_ps >= window->end_ps || event.time_ps == 0)
            continue;
        event.start_ps = event.start_ps > window->start_ps ? event.start_ps : window->start_ps;
        end_ps = end_ps < window->end_ps ? end_ps : window->end_ps;
        event.time_ps = end_ps - event.start_ps;
        shown[n++] = event;
    }
    qsort(shown, n, sizeof *shown, by_track);
    return n;
}

static int is_same_track(const struct trace_event *a, const struct trace_event *b)
{
    return a->device == b->device && a->engine == b->engine;
}

static size_t track_end(const struct trace_event *event, size_t first, size_t n)
{
    size_t end = first;
    while (end < n && is_same_track(&event[first], &event[end]))
        end++;
    return end;
}

static int count_tracks(const struct trace_event *event, size_t n)
{
    int tracks = 0;
    for (size_t first = 0; first < n; first = track_end(event, first, n))
        tracks++;
    return tracks;
}

/* A piece that is being put together of events that follow each other closely. */
struct piece {
    uint64_t from_ps, to_ps, busy_ps, share_ps[N_KERNEL_CLASSES];
};

static void add_piece(struct figure *figure, int row, const struct piece *piece, const struct window *window)
{
    int class = 0;
    for (int c = 1; c < N_KERNEL_CLASSES; c++)
        class = piece->share_ps[c] > piece->share_ps[class] ? c : class;
    figure_add_box(figure, &(struct figure_box){.row = row,
                                                .part = kernel_class_name(class),
                                                .colour = colour_of_class(class),
                                                .from = (double)(piece->from_ps - window->start_ps) * 1e-12,
                                                .to = (double)(piece->to_ps - window->start_ps) * 1e-12,
                                                .value = (double)piece->busy_ps * 1e-12});
}

/* Events closer than a piece of the axis become one box, of the class that most of it belongs to; long ones keep their
 * own. */
static void add_track(struct figure *figure, int row, const struct trace_event *event, size_t n,
                      const struct window *window)
{
    uint64_t grain_ps = (window->end_ps - window->start_ps) / PIECES + 1;
    struct piece piece = {.busy_ps = 0};
    int last_class = -1;
    for (size_t i = 0; i < n; i++) {
        uint64_t end_ps = event[i].start_ps + event[i].time_ps;
        int is_close = piece.busy_ps && event[i].start_ps - piece.to_ps < grain_ps;
        int is_small = event[i].time_ps < grain_ps && piece.to_ps - piece.from_ps < grain_ps;
        if (piece.busy_ps && !(is_close && (is_small || event[i].class == last_class))) {
            add_piece(figure, row, &piece, window);
            piece = (struct piece){.busy_ps = 0};
        }
        if (!piece.busy_ps)
            piece.from_ps = event[i].start_ps;
        piece.to_ps = end_ps;
        piece.busy_ps += event[i].time_ps;
        piece.share_ps[event[i].class] += event[i].time_ps;
        last_class = event[i].class;
    }
    if (piece.busy_ps)
        add_piece(figure, row, &piece, window);
}

static const char *track_name(struct arena *arena, const struct trace_content *trace, const struct trace_event *event)
{
    const char *device = event->device < trace->n_devices ? trace->device_name[event->device] : NULL;
    device = device ? device : arena_printf(arena, "device %u", event->device);
    if (event->engine == ENGINE_COMPUTE)
        return device;
    return arena_printf(arena, "%s: %s", device, engine_name(event->engine));
}

static const char *title_of(struct arena *arena, const struct view *view, const struct window *window)
{
    if (!view->mode)
        return arena_printf(arena, "%s, after step %" PRIu32, view->between, window->first_step);
    return arena_printf(arena, "Devices in steps %" PRIu32 " to %" PRIu32 ", %s", window->first_step, window->last_step,
                        view->mode);
}

static void add_view(struct document *document, const struct trace_content *trace, const struct view *view,
                     const struct window *window, struct trace_event *shown)
{
    struct arena *arena = document->arena;
    size_t n = events_within(trace, window, shown);
    int tracks = count_tracks(shown, n), rows = 0, left_out = 0;
    char start[64];
    struct figure *figure = figure_new(arena, view->id, title_of(arena, view, window), "");
    figure->x = axis_time("virtual time since its start", (double)(window->end_ps - window->start_ps) * 1e-12,
                          "virtual_time_s");
    figure->x.min = 0;
    figure->value_csv = "busy_s";
    for (size_t first = 0, end; first < n; first = end) {
        end = track_end(shown, first, n);
        /* With many devices their compute engines alone, and of these the first. */
        if ((tracks > MOST_ROWS && shown[first].engine != ENGINE_COMPUTE) || rows == MOST_ROWS) {
            left_out++;
            continue;
        }
        add_track(figure, figure_add_row(figure, track_name(arena, trace, &shown[first])), shown + first, end - first,
                  window);
        rows++;
    }
    figure->note = arena_printf(
        arena,
        "Engines at work by class of kernel%s; the stretch starts %s into the run. What is shorter than 1/%d of "
        "it is drawn with its neighbours.",
        left_out ? arena_printf(arena, " (%d further engines are in the trace)", left_out) : "",
        unit_show_ps(start, sizeof start, window->start_ps), PIECES);
    document_figure(document, figure);
}

static void add_trace(struct document *document, const struct trace_content *trace)
{
    struct window window;
    struct trace_event *shown = malloc((trace->n + 1) * sizeof *shown);
    if (!shown)
        bug("out of memory");
    for (size_t v = 0; v < sizeof views / sizeof *views; v++)
        if (find_window(trace, &views[v], &window))
            add_view(document, trace, &views[v], &window, shown);
    free(shown);
}

static const struct run_mode *find_mode(const struct run *run, const char *name)
{
    for (int m = 0; m < run->n_modes; m++)
        if (strcmp(run->mode[m].name, name) == 0)
            return &run->mode[m];
    return NULL;
}

/* A trial is both modes at once. */
static int takes_part(const struct run *run, const char *phase, int device)
{
    const struct run_mode *full = find_mode(run, "full"), *low = find_mode(run, "low");
    int in_full = full && full->busy_ps[device] > 0, in_low = low && low->busy_ps[device] > 0;
    if (!full || !low)
        return 1;
    return strcmp(phase, "low") == 0 ? in_low : strcmp(phase, "full") == 0 ? in_full : in_full || in_low;
}

static void add_phases(struct document *document, const struct run *run)
{
    struct figure *figure =
        figure_new(document->arena, "timeline-phases", "Devices by phase",
                   "Which devices take part in which phase of the run; it kept no trace of single instructions.");
    struct device_group *groups;
    const struct run_devices devices = run_devices(run);
    int n = device_groups(&devices, document->arena, &groups);
    figure->x = axis_time("virtual time", (double)run->end_ps * 1e-12, "virtual_time_s");
    figure->x.min = 0;
    figure->value_csv = "phase_s";
    for (int g = 0; g < n; g++) {
        int row = figure_add_row(figure, groups[g].name);
        wide_uint at_ps = 0;
        for (int p = 0; p < run->n_phases; p++) {
            const struct run_phase *phase = &run->phase[p];
            double from = joules(at_ps) * 1e3, to = joules(at_ps + phase->time_ps) * 1e3; /* 1e15 to 1e12 */
            at_ps += phase->time_ps;
            if (takes_part(run, phase->name, groups[g].device[0]))
                figure_add_box(figure, &(struct figure_box){.row = row,
                                                            .part = phase->name,
                                                            .label = phase->name,
                                                            .colour = colour_of_mode(phase->name),
                                                            .from = from,
                                                            .to = to,
                                                            .value = to - from});
        }
    }
    page_mark_faults_in_time(figure, run);
    document_figure(document, figure);
}

enum status page_add_timeline(struct document *document, const struct subject *subject, struct fault *fault)
{
    const char *plain = subject_path(subject, document->arena, "trace.json");
    const char *packed = subject_path(subject, document->arena, "trace.json.gz");
    const char *path = access(plain, F_OK) == 0 ? plain : access(packed, F_OK) == 0 ? packed : NULL;
    struct trace_content trace = {.n = 0};
    if (!path && subject->run.n_phases == 0)
        return STATUS_OK;
    if (path && trace_read(path, document->arena, &trace, fault) != STATUS_OK)
        return fault->status;
    document_heading(document, "timeline", "Devices over time");
    if (trace.n)
        add_trace(document, &trace);
    else
        add_phases(document, &subject->run);
    if (trace.n && trace.is_truncated)
        document_sentence(document, "The trace was cut at its size limit (output.trace_max_bytes).");
    trace_content_release(&trace);
    page_add_modes(document, &subject->run);
    return STATUS_OK;
}
