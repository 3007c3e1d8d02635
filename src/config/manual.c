#include "config/manual.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/keys.h"
#include "config/study.h"

/* "model" of "model.preset"; "cluster.devices[]" of "cluster.devices[].kind". */
static int section_length(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? (int)(dot - path) : 0;
}

static void print_default(FILE *out, const struct job_key *key)
{
    if (key->need == KEY_REQUIRED)
        fputs("**needed**", out);
    else if (key->need == KEY_OPEN)
        fprintf(out, "%s", key->fallback);
    else
        fprintf(out, "`%s`", key->fallback);
}

static void print_key(FILE *out, const struct job_key *key)
{
    char expected[512];
    const char *name = key->path + section_length(key->path);
    fprintf(out, "| `%s` | %s", name + (*name == '.'), key_expected(expected, sizeof expected, key, 0));
    if (key->kind == KEY_INTS || key->kind == KEY_WORDS)
        fprintf(out, ": each %s", key_expected(expected, sizeof expected, key, 1));
    fputs(" | ", out);
    print_default(out, key);
    fprintf(out, " | %s |\n", key->meaning);
}

static char *tables_of(struct arena *arena, const struct job_key *keys, int n)
{
    int before = -1;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        bug("no memory for the manual");
    for (int i = 0; i < n; i++) {
        int length = section_length(keys[i].path);
        if (i == 0 || length != before || strncmp(keys[i].path, keys[i - 1].path, (size_t)length)) {
            if (length > 0)
                fprintf(out, "\n### %.*s\n", length, keys[i].path);
            fputs("\n| key | what to write | default | meaning |\n|---|---|---|---|\n", out);
        }
        before = length;
        print_key(out, &keys[i]);
    }
    fclose(out);
    char *copy = arena_string(arena, text);
    free(text);
    return copy;
}

char *manual_keys(struct arena *arena)
{
    int n;
    const struct job_key *keys = job_keys(&n);
    return tables_of(arena, keys, n);
}

char *manual_study_keys(struct arena *arena)
{
    int n;
    const struct job_key *keys = study_keys(&n);
    return tables_of(arena, keys, n);
}
