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

static int same_section(const char *a, const char *b)
{
    int length = section_length(a);
    return length == section_length(b) && strncmp(a, b, (size_t)length) == 0;
}

/* A key's line, below the head of a table where a section begins. `before`: the key before it, NULL: none. */
static void print_line(FILE *out, const struct job_key *key, const struct job_key *before)
{
    int length = section_length(key->path);
    if (!before || !same_section(key->path, before->path)) {
        if (length > 0)
            fprintf(out, "\n### %.*s\n", length, key->path);
        fputs("\n| key | what to write | default | meaning |\n|---|---|---|---|\n", out);
    }
    print_key(out, key);
}

static FILE *text_open(char **text, size_t *size)
{
    FILE *out = open_memstream(text, size);
    if (!out)
        bug("no memory for the manual");
    return out;
}

static char *text_close(FILE *out, struct arena *arena, char **text)
{
    fclose(out);
    char *copy = arena_string(arena, *text);
    free(*text);
    return copy;
}

char *manual_keys(struct arena *arena)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = text_open(&text, &size);
    for (int i = 0; job_key(i); i++)
        print_line(out, job_key(i), i > 0 ? job_key(i - 1) : NULL);
    return text_close(out, arena, &text);
}

char *manual_study_keys(struct arena *arena)
{
    int n;
    const struct job_key *keys = study_keys(&n);
    char *text = NULL;
    size_t size = 0;
    FILE *out = text_open(&text, &size);
    for (int i = 0; i < n; i++)
        print_line(out, &keys[i], i > 0 ? &keys[i - 1] : NULL);
    return text_close(out, arena, &text);
}
