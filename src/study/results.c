#include "study/results.h"

#include <math.h>
#include <string.h>

#include "base/statistics.h"

const char *row_state_name(enum row_state state)
{
    static const char *const names[] = {
        [ROW_MISSING] = "missing", [ROW_STOPPED] = "stopped", [ROW_FAILED] = "failed", [ROW_OK] = "ok"};
    return names[state];
}

int results_axis_is_number(const struct study_axis *axis)
{
    return axis->kind == VALUE_WHOLE || axis->kind == VALUE_REAL;
}

/* ---- columns ---- */

static void add_column(struct study_results *results, int metric)
{
    for (int c = 0; c < results->n_metrics; c++)
        if (results->metric[c] == metric)
            return;
    results->metric[results->n_metrics++] = metric;
}

static enum status find(const struct study *study, const struct study_points *points, const char *path,
                        const char *name, struct arena *arena, int *index, struct fault *fault)
{
    if (metric_find(name, points->serves ? METRIC_SERVE : METRIC_TRAIN, arena, index, fault))
        fault_prefix(fault, "%s: %s", study_place(arena, study, path), path);
    return fault->status;
}

static enum status add_objectives(struct study_results *results, const char *path, const struct word_list *list,
                                  int sign, struct arena *arena, struct fault *fault)
{
    for (int i = 0; i < list->n; i++) {
        struct study_objective *objective = &results->objective[results->n_objectives++];
        objective->sign = sign;
        if (find(results->study, results->points, path, list->value[i], arena, &objective->metric, fault))
            return fault->status;
    }
    return STATUS_OK;
}

enum status results_columns(const struct study *study, const struct study_points *points, struct arena *arena,
                            struct study_results *results, struct fault *fault)
{
    int n, index;
    const struct metric *table = metrics(&n);
    *results = (struct study_results){.study = study, .points = points, .n = points->n, .n_groups = points->n_groups};
    for (int i = 0; i < study->metrics.n; i++) {
        if (find(study, points, "metrics", study->metrics.value[i], arena, &index, fault))
            return fault->status;
        add_column(results, index);
    }
    for (int m = 0; m < n && study->metrics.n == 0; m++)
        if (table[m].is_default && table[m].of & (points->serves ? METRIC_SERVE : METRIC_TRAIN))
            add_column(results, m);
    if (add_objectives(results, "objectives.minimise", &study->minimise, 1, arena, fault) ||
        add_objectives(results, "objectives.maximise", &study->maximise, -1, arena, fault))
        return fault->status;
    for (int o = 0; o < results->n_objectives; o++)
        add_column(results, results->objective[o].metric);
    return STATUS_OK;
}

/* ---- rows ---- */

static void collect_row(const struct execution *execution, const struct study_point *point, struct study_row *row,
                        struct arena *arena)
{
    const char *folder = execution_folder(execution, point->number, arena);
    double *value = arena_array(arena, MAX_METRICS, sizeof *value);
    struct arena *scratch = arena_new();
    struct fault damaged = FAULT_NONE;
    struct stamp stamp;
    stamp_read(folder, scratch, &stamp);
    *row = (struct study_row){.point = point, .metric = value, .wall_s = NAN, .message = ""};
    for (int m = 0; m < MAX_METRICS; m++)
        value[m] = NAN;
    if (stamp.state != STAMP_NONE && stamp.hash == point->hash) {
        row->exit_status = stamp.exit_status;
        row->message = arena_string(arena, stamp.message);
        row->state = stamp.state == STAMP_DONE      ? ROW_OK
                     : stamp.state == STAMP_FAILED  ? ROW_FAILED
                     : stamp.state == STAMP_STOPPED ? ROW_STOPPED
                                                    : ROW_MISSING;
    }
    if (row->state == ROW_OK && metric_read(folder, execution->points->serves, scratch, value, &damaged)) {
        row->state = ROW_MISSING;
        row->message = arena_string(arena, damaged.text);
        for (int m = 0; m < MAX_METRICS; m++)
            value[m] = NAN;
    }
    for (int i = 0; i < stamp.n_wall && row->state == ROW_OK; i++)
        row->wall_s = fmin(row->wall_s, stamp.wall_s[i]); /* the number where one is NaN */
    arena_free(scratch);
}

static void collect_group(struct study_group *group, const struct study_row *row, int64_t n, struct arena *arena)
{
    double *statistic[4], *values = arena_array(arena, (size_t)n, sizeof *values);
    for (int s = 0; s < 4; s++)
        statistic[s] = arena_array(arena, MAX_METRICS, sizeof *statistic[s]);
    *group = (struct study_group){row, 0, statistic[0], statistic[1], statistic[2], statistic[3], 0};
    for (int m = 0; m < MAX_METRICS; m++) {
        int64_t n_ok = 0;
        statistic[2][m] = statistic[3][m] = NAN;
        for (int64_t i = 0; i < n; i++)
            if (row[i].state == ROW_OK) {
                double value = row[i].metric[m];
                values[n_ok++] = value;
                statistic[2][m] = fmin(statistic[2][m], value);
                statistic[3][m] = fmax(statistic[3][m], value);
            }
        struct moments moments = statistics_moments(values, (size_t)n_ok);
        statistic[0][m] = moments.mean;
        statistic[1][m] = sqrt(moments.variance);
        group->n_ok = n_ok;
    }
}

static void mark_front(struct study_results *results, struct arena *arena)
{
    int k = results->n_objectives, sign[PARETO_MAX_OBJECTIVES];
    double *value = arena_array(arena, (size_t)(results->n_groups * k) + 1, sizeof *value);
    uint8_t *on_front = arena_array(arena, (size_t)results->n_groups, sizeof *on_front);
    if (k == 0)
        return;
    for (int j = 0; j < k; j++)
        sign[j] = results->objective[j].sign;
    for (int64_t g = 0; g < results->n_groups; g++)
        for (int j = 0; j < k; j++)
            value[g * k + j] = results->group[g].mean[results->objective[j].metric];
    pareto_front(results->n_groups, k, value, sign, on_front);
    for (int64_t g = 0; g < results->n_groups; g++)
        results->group[g].on_front = on_front[g];
}

void results_collect(const struct execution *execution, struct arena *arena, struct study_results *results)
{
    int64_t replicas = results->study->replicas;
    results->row = arena_array(arena, (size_t)results->n, sizeof *results->row);
    results->group = arena_array(arena, (size_t)results->n_groups, sizeof *results->group);
    for (int64_t i = 0; i < results->n; i++) {
        collect_row(execution, &results->points->point[i], &results->row[i], arena);
        results->n_state[results->row[i].state]++;
    }
    for (int64_t g = 0; g < results->n_groups; g++)
        collect_group(&results->group[g], &results->row[g * replicas], replicas, arena);
    mark_front(results, arena);
}
