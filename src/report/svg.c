#include "report/svg.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"

enum { LEAST_STAND_IN = 6, CODE_RED = 1, CODE_PLAIN = 2, CODE_ON = 3 };

static int count_characters(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

const char *svg_stand_in(struct svg_texts *texts, const char *text)
{
    texts->text = arena_grown(texts->arena, texts->text, (size_t)texts->n, sizeof *texts->text);
    const char *start = arena_printf(texts->arena, "{{%d", texts->n);
    texts->text[texts->n++] = arena_string(texts->arena, text);
    int width = count_characters(text), fill = width - (int)strlen(start) - 2;
    char *filling = arena_take(texts->arena, (size_t)(fill > 0 ? fill : 0) + 1);
    memset(filling, '_', (size_t)(fill > 0 ? fill : 0));
    return arena_printf(texts->arena, "%s%s}}", start, filling);
}

const char *svg_stand_in_colour(struct arena *arena, enum colour colour, int is_on)
{
    return arena_printf(arena, "#%02x%02x%02x", CODE_RED, is_on ? CODE_ON : CODE_PLAIN, (int)colour);
}

static int starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* "<g ...>" that holds nothing but blanks: its length with the blanks behind it, else 0. */
static size_t empty_group(const char *at)
{
    if (!starts(at, "<g "))
        return 0;
    const char *end = strchr(at, '>');
    if (!end)
        return 0;
    end += 1 + strspn(end + 1, " \t\r\n");
    if (!starts(end, "</g>"))
        return 0;
    end += 4;
    return (size_t)(end - at) + strspn(end, " \t\r\n");
}

/* An attribute that the page must not have. `at` stands on the blank before it. */
static size_t unwanted_attribute(const char *at)
{
    static const char *const unwanted[] = {" id=\"",           " font-family=\"sans-serif\"",
                                           " color=\"black\"", " color=\"gray\"",
                                           " color=\"white\"", " class=\"gridline\""};
    for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++)
        if (starts(at, unwanted[i])) {
            const char *quote = strchr(at, '"'), *end = quote ? strchr(quote + 1, '"') : NULL;
            return end ? (size_t)(end - at) + 1 : 0;
        }
    return 0;
}

/* "rgb(r, g, b)" with a code of ours: writes the variable and returns the length, else 0. */
static size_t put_colour(FILE *out, const char *at)
{
    int code[3];
    const char *next = at + 4;
    if (!starts(at, "rgb("))
        return 0;
    for (int i = 0; i < 3; i++) {
        char *end;
        code[i] = (int)strtol(next, &end, 10);
        next = end + strspn(end, " ");
        if (*next != (i < 2 ? ',' : ')'))
            return 0;
        next++;
    }
    if (code[0] != CODE_RED || code[2] < 0 || code[2] >= N_COLOURS)
        return 0;
    fprintf(out, "var(--%s%s)", code[1] == CODE_ON ? "on-" : "", colour_name((enum colour)code[2]));
    return (size_t)(next - at);
}

/* Names of colours that the terminal uses by itself, with the quote before and behind them. */
static size_t put_named_colour(FILE *out, const char *at)
{
    char quote = *at;
    if (quote != '"' && quote != '\'')
        return 0;
    const char *name = at + 1;
    const char *variable = starts(name, "black") ? "currentColor" : starts(name, "gray") ? "var(--grid)" : NULL;
    size_t length = starts(name, "black") ? 5 : 4;
    if (!variable || name[length] != quote)
        return 0;
    fprintf(out, "%c%s%c", quote, variable, quote);
    return length + 2;
}

static size_t put_text(FILE *out, const char *at, const struct svg_texts *texts)
{
    if (!starts(at, "{{") || !isdigit((unsigned char)at[2]))
        return 0;
    char *end;
    long number = strtol(at + 2, &end, 10);
    const char *close = end + strspn(end, "_");
    if (!starts(close, "}}") || number >= texts->n)
        return 0;
    html_text(out, texts->text[number]);
    return (size_t)(close - at) + 2;
}

static size_t put_changed(FILE *out, const char *at, const struct svg_texts *texts)
{
    size_t n = 0;
    if (*at == '\t')
        return 1;
    if (*at == '\n')
        return strspn(at, " \t\n") > 1 ? (fputc('\n', out), strspn(at, " \t\n")) : 0;
    if (*at == '<')
        return empty_group(at);
    if (*at == ' ')
        n = unwanted_attribute(at);
    if (!n && *at == 'r')
        n = put_colour(out, at);
    if (!n && (*at == '"' || *at == '\''))
        n = put_named_colour(out, at);
    return n ? n : put_text(out, at, texts);
}

int svg_write(FILE *out, const char *drawing, const struct svg_texts *texts)
{
    const char *at = strstr(drawing, "</defs>"), *end = NULL;
    for (const char *next = at; next && (next = strstr(next, "</g>")); next++)
        end = next; /* that of the outermost group */
    if (!strstr(drawing, "<g id=\"gnuplot_canvas\">") || !at || !end || !strstr(end, "</svg>"))
        return 0;
    at += strlen("</defs>");
    while (at < end) {
        size_t n = put_changed(out, at, texts);
        if (n == 0)
            fputc(*at++, out);
        else
            at += n;
    }
    return 1;
}
