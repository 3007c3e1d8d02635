#include "config/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { QUOTED = 60 };

enum status refuse(struct fault *fault, struct place place, const char *path, const char *expected, const char *found)
{
    char line[16] = "";
    if (place.line > 0)
        snprintf(line, sizeof line, ":%d", place.line);
    int with_path = path && *path;
    return fault_set(fault, STATUS_USAGE, "%s%s: %s%sexpected %s, found %s", place.file, line, with_path ? path : "",
                     with_path ? ": " : "", expected, found);
}

/* Bytes of the UTF-8 character at p and its code; 0 when it is none. */
static int decode(const unsigned char *p, uint32_t *code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    int n = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : *p >= 0xe0 && *p < 0xf0 ? 3 : *p >= 0xf0 && *p < 0xf5 ? 4 : 0;
    if (n <= 1) {
        *code = *p;
        return n;
    }
    *code = *p & (0xffu >> (n + 1));
    for (int i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (p[i] & 0x3f);
    }
    return *code < smallest[n] || *code > 0x10ffff ? 0 : n;
}

static int is_surrogate(uint32_t code)
{
    return code >= 0xd800 && code < 0xe000;
}

/* What libyaml reads back from double quotes unchanged: no controls, line breaks, byte order marks, surrogates. */
static int is_printable(uint32_t code)
{
    return code >= 0x20 && !(code >= 0x7f && code < 0xa0) && code != 0x2028 && code != 0x2029 && code != 0xfeff &&
           !is_surrogate(code) && (code & 0xfffe) != 0xfffe;
}

static int printable_length(const unsigned char *p)
{
    uint32_t code;
    int n = decode(p, &code);
    return n > 0 && is_printable(code) ? n : 0;
}

int text_is_printable(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    while (*p) {
        int n = printable_length(p);
        if (n == 0)
            return 0;
        p += n;
    }
    return 1;
}

char *text_mended(struct arena *arena, const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    const unsigned char *p = (const unsigned char *)text;
    char *mended = arena_take(arena, 3 * strlen(text) + 1), *to = mended;
    while (*p) {
        uint32_t code;
        int n = decode(p, &code), good = n > 0 && !is_surrogate(code);
        memcpy(to, good ? (const char *)p : replacement, good ? (size_t)n : 3);
        to += good ? n : 3;
        p += good ? n : 1;
    }
    return mended;
}

char *quote(char *text, size_t size, const char *user)
{
    const unsigned char *p = (const unsigned char *)user;
    size_t at = 0;
    if (size < QUOTED + 16)
        bug("quote needs room for %d characters", QUOTED + 16);
    text[at++] = '\'';
    while (*p && at < QUOTED) {
        int n = printable_length(p);
        if (n == 0) {
            at += (size_t)snprintf(text + at, size - at, "\\x%02x", *p);
            p++;
            continue;
        }
        memcpy(text + at, p, (size_t)n);
        at += (size_t)n;
        p += n;
    }
    snprintf(text + at, size - at, "%s'", *p ? "..." : "");
    return text;
}

static enum status check_kind(FILE *file, const char *path, struct fault *fault)
{
    struct stat info;
    if (fstat(fileno(file), &info))
        return fault_set(fault, STATUS_IO, "%s: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return fault_set(fault, STATUS_IO, "%s: expected a file, found a folder", path);
    if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode))
        return fault_set(fault, STATUS_IO, "%s: expected a file, found a device", path);
    if (S_ISREG(info.st_mode) && info.st_size > CONFIG_MAX_BYTES)
        return fault_set(fault, STATUS_USAGE, "%s: expected at most %d KiB of YAML, found %lld KiB", path,
                         CONFIG_MAX_BYTES / 1024, (long long)info.st_size / 1024);
    return STATUS_OK;
}

static enum status check_content(const char *text, size_t size, const char *path, struct fault *fault)
{
    const char *nul = memchr(text, 0, size);
    if (size > CONFIG_MAX_BYTES)
        return fault_set(fault, STATUS_USAGE, "%s: expected at most %d KiB of YAML, found more", path,
                         CONFIG_MAX_BYTES / 1024);
    if (!nul)
        return STATUS_OK;
    int line = 1;
    for (const char *p = text; p < nul; p++)
        line += *p == '\n';
    return refuse(fault, (struct place){path, line}, NULL, "YAML text", "a NUL byte");
}

enum status text_read(struct arena *arena, const char *path, char **text, struct fault *fault)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return fault_set(fault, STATUS_IO, "%s: %s", path, strerror(errno));
    enum status status = check_kind(file, path, fault);
    if (!status) {
        char *read = malloc(CONFIG_MAX_BYTES + 1); /* untouched pages cost nothing, and files are small */
        if (!read)
            bug("out of memory");
        size_t size = fread(read, 1, CONFIG_MAX_BYTES + 1, file);
        if (ferror(file))
            status = fault_set(fault, STATUS_IO, "%s: %s", path, strerror(errno));
        else
            status = check_content(read, size, path, fault);
        if (!status) {
            *text = memcpy(arena_take(arena, size + 1), read, size);
            (*text)[size] = '\0';
        }
        free(read);
    }
    fclose(file);
    return status;
}

char *path_folder(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    return arena_printf(arena, "%.*s", slash ? (int)(slash + 1 - path) : 0, path);
}

char *path_stem(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *stem = arena_string(arena, slash ? slash + 1 : path);
    char *dot = strrchr(stem, '.');
    if (dot && dot > stem)
        *dot = 0;
    for (char *p = stem; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
            *p = '_';
    return *stem ? stem : arena_string(arena, "unnamed");
}
