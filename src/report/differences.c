#include <inttypes.h>
#include <string.h>

#include "report/compare.h"

enum { MAX_DEPTH = 16 };

/* A line of a resolved job, "data.window" and "12". */
struct setting {
    const char *path, *value;
};

struct settings {
    struct setting *setting;
    int n;
};

/* The keys that enclose the line being read, with their indentation. */
struct level {
    const char *path;
    int indent, n_items;
};

static int count_lines(const char *text)
{
    int n = 1;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void trim_end(char *text)
{
    size_t n = strlen(text);
    while (n && (text[n - 1] == ' ' || text[n - 1] == '\r'))
        text[--n] = '\0';
}

/* Indentation at which the line's key stands: "- " counts. Enclosing levels that end here are left. */
static int enter_line(struct level *stack, int *depth, char **line, struct arena *arena)
{
    int indent = (int)strspn(*line, " "), is_item = strncmp(*line + indent, "- ", 2) == 0;
    while (*depth > 1 && stack[*depth - 1].indent >= indent + is_item)
        --*depth;
    if (is_item && *depth + 1 < MAX_DEPTH) {
        struct level *list = &stack[*depth - 1];
        const char *path = arena_printf(arena, "%s[%d]", list->path, list->n_items++);
        stack[(*depth)++] = (struct level){path, indent + 1, 0};
    }
    *line += indent + 2 * is_item;
    return indent + 2 * is_item;
}

static void read_line(struct settings *settings, struct level *stack, int *depth, char *line, struct arena *arena)
{
    trim_end(line);
    if (line[strspn(line, " ")] == '\0' || line[strspn(line, " ")] == '#')
        return;
    int indent = enter_line(stack, depth, &line, arena);
    const char *within = stack[*depth - 1].path, *value = line, *path = within;
    char *colon = strchr(line, ':');
    if (colon && (colon[1] == '\0' || colon[1] == ' ')) {
        *colon = '\0';
        value = colon + 1 + strspn(colon + 1, " ");
        path = arena_printf(arena, "%s%s%s", within, *within ? "." : "", line);
    }
    if (*value)
        settings->setting[settings->n++] = (struct setting){path, value};
    else if (*depth < MAX_DEPTH)
        stack[(*depth)++] = (struct level){path, indent, 0};
}

/* A resolved job is block YAML as config/print writes it: one key per line, two blanks per level. */
static struct settings read_settings(const char *config, struct arena *arena)
{
    struct level stack[MAX_DEPTH] = {{"", -1, 0}};
    struct settings settings = {.n = 0};
    int depth = 1;
    if (!config)
        config = "";
    settings.setting = arena_array(arena, (size_t)count_lines(config), sizeof *settings.setting);
    char *rest = arena_string(arena, config);
    while (rest && *rest)
        read_line(&settings, stack, &depth, strsep(&rest, "\n"), arena);
    return settings;
}

static const char *find_value(const struct settings *settings, const char *path)
{
    for (int i = 0; i < settings->n; i++)
        if (strcmp(settings->setting[i].path, path) == 0)
            return settings->setting[i].value;
    return NULL;
}

/* What serving was asked for shows in its sizes: traces, prompts and generators can say the same. */
static int must_equal(const struct comparison *comparison, const char *path)
{
    return comparison->run && strncmp(path, "data.", 5) == 0;
}

/* The name of a job and where its results go say nothing about the run. */
static int is_label(const char *path)
{
    return strcmp(path, "name") == 0 || strncmp(path, "output.", 7) == 0;
}

static int is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static int add_sizes(const struct run *a, const struct run *b, const char **keys)
{
    int n = 0;
    if (!is_same(a->target, b->target))
        keys[n++] = "target";
    if (!is_same(a->units, b->units))
        keys[n++] = "units";
    if (a->n_train != b->n_train)
        keys[n++] = "training samples";
    if (a->n_test != b->n_test)
        keys[n++] = "test samples";
    return n;
}

static int add_serving_sizes(const struct serving_summary *a, const struct serving_summary *b, const char **keys)
{
    int n = 0;
    if (a->n_requests != b->n_requests)
        keys[n++] = "requests";
    if (a->prompt_tokens != b->prompt_tokens)
        keys[n++] = "prompt tokens";
    if (a->output_tokens != b->output_tokens)
        keys[n++] = "generated tokens";
    return n;
}

static const char *config_of(const struct comparison *comparison, int r)
{
    return comparison->run ? comparison->run[r].config : comparison->serving[r].config;
}

int compare_differences(const struct comparison *comparison, int run, int must_be_equal, struct arena *arena,
                        const char ***keys)
{
    struct settings left = read_settings(config_of(comparison, 0), arena),
                    right = read_settings(config_of(comparison, run), arena);
    *keys = arena_array(arena, (size_t)left.n + (size_t)right.n + 4, sizeof **keys);
    int n = 0;
    for (int i = 0; i < left.n + right.n; i++) {
        const char *path = i < left.n ? left.setting[i].path : right.setting[i - left.n].path;
        int is_new = i < left.n || !find_value(&left, path);
        if (is_new && !is_label(path) && must_equal(comparison, path) == must_be_equal &&
            !is_same(find_value(&left, path), find_value(&right, path)))
            (*keys)[n++] = path;
    }
    if (!must_be_equal)
        return n;
    if (comparison->run)
        return n + add_sizes(&comparison->run[0], &comparison->run[run], *keys + n);
    return n + add_serving_sizes(&comparison->serving[0].summary, &comparison->serving[run].summary, *keys + n);
}
