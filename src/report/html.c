#include "report/html.h"

#include <ctype.h>
#include <stdint.h>

/* Bytes of the UTF-8 character at text, 0 when it is none. Source: RFC 3629. */
static int utf8_length(const unsigned char *text)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } kinds[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (int n = 1; n <= 4; n++) {
        if ((text[0] & kinds[n - 1].mask) != kinds[n - 1].lead)
            continue;
        uint32_t code = text[0] & (unsigned)~kinds[n - 1].mask;
        for (int i = 1; i < n; i++) {
            if ((text[i] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (text[i] & 0x3f);
        }
        return code < kinds[n - 1].least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? 0 : n;
    }
    return 0;
}

static const char *escape_of(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? " " : NULL;
    }
}

void html_text(FILE *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)(text ? text : "");
    while (*at) {
        const char *escape = escape_of(*at);
        int n = utf8_length(at);
        if (escape)
            fputs(escape, out);
        else if (n)
            fwrite(at, 1, (size_t)n, out);
        else
            fputs("\xef\xbf\xbd", out);
        at += n ? n : 1;
    }
}

void html_data_uri(FILE *out, const char *type, const void *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *byte = bytes;
    fprintf(out, "data:%s;base64,", type);
    for (size_t i = 0; i < n; i += 3) {
        uint32_t word = (uint32_t)byte[i] << 16;
        word |= i + 1 < n ? (uint32_t)byte[i + 1] << 8 : 0;
        word |= i + 2 < n ? (uint32_t)byte[i + 2] : 0;
        fputc(digits[word >> 18], out);
        fputc(digits[word >> 12 & 63], out);
        fputc(i + 1 < n ? digits[word >> 6 & 63] : '=', out);
        fputc(i + 2 < n ? digits[word & 63] : '=', out);
    }
}

char *html_name(char *name, size_t size, const char *text)
{
    size_t n = 0;
    for (; *text && n + 1 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x80 && isalnum(c))
            name[n++] = (char)tolower(c);
        else if (n && name[n - 1] != '-')
            name[n++] = '-';
    }
    while (n && name[n - 1] == '-')
        n--;
    if (n == 0)
        name[n++] = 'x';
    name[n] = '\0';
    return name;
}
