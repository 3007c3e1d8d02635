#include "store/requests.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/csv.h"
#include "store/requests_private.h"

static uint64_t power_of_ten(int exponent)
{
    uint64_t power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

/* Digits of a whole part and of a fraction, both in units of 10^exponent s. */
static int plain_time(const char *text, int exponent, uint64_t *time_ps)
{
    uint64_t unit_ps = power_of_ten(12 + exponent), whole = 0, place_ps = unit_ps, fraction_ps = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, (uint64_t)(*at - '0'), &whole))
            return 0;
    int digits = at > text;
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++, digits = 1) {
            place_ps /= 10;
            fraction_ps += (uint64_t)(*at - '0') * place_ps;
        }
    if (*at || !digits || __builtin_mul_overflow(whole, unit_ps, &whole))
        return 0;
    return !__builtin_add_overflow(whole, fraction_ps, time_ps) && (double)*time_ps <= REQUESTS_LATEST_S * 1e12;
}

int requests_time(const char *text, int exponent, uint64_t *time_ps)
{
    double number;
    if (!strpbrk(text, "eE"))
        return plain_time(text + (*text == '+'), exponent, time_ps);
    if (!csv_number(text, &number) || number < 0 || !(number * pow(10, exponent) <= REQUESTS_LATEST_S))
        return 0;
    *time_ps = (uint64_t)llround(number * (double)power_of_ten(12 + exponent));
    return 1;
}

static enum status check_options(const struct requests_options *options, struct fault *fault)
{
    if (!(options->rate_scale >= 0) || !isfinite(options->rate_scale))
        return fault_set(fault, STATUS_USAGE, "scale of the rate of arrivals: expected a number above 0, found %g",
                         options->rate_scale);
    return STATUS_OK;
}

static void leave_out_longer(struct requests *requests, uint32_t longest_total)
{
    size_t kept = 0;
    for (size_t i = 0; i < requests->n; i++) {
        const struct request *request = &requests->request[i];
        if ((uint64_t)request->prompt_tokens + request->output_tokens <= longest_total)
            requests->request[kept++] = *request;
    }
    requests->n_left_out = requests->n - kept;
    requests->n = kept;
}

enum status requests_parse(const char *path, char *text, size_t size, const struct requests_options *options,
                           struct arena *arena, struct requests *requests, struct fault *fault)
{
    static const struct requests_options none;
    struct requests found = {.path = arena_string(arena, path)};
    options = options ? options : &none;
    if (check_options(options, fault) != STATUS_OK)
        return fault->status;
    const char *nul = memchr(text, '\0', size);
    if (nul)
        return fault_set(fault, STATUS_USAGE, "%s: not a text file: byte %lld is NUL", path, (long long)(nul - text));
    text[size] = '\0';
    int is_json = text[strspn(text, " \t\r\n")] == '{';
    enum status status = is_json ? requests_parse_jsonl(path, text, size, options->limit, arena, &found, fault)
                                 : requests_parse_csv(path, text, size, options->limit, arena, &found, fault);
    if (status != STATUS_OK)
        return status;
    if (options->longest_total)
        leave_out_longer(&found, options->longest_total);
    if (found.n == 0)
        return fault_set(fault, STATUS_USAGE, "%s: no request is left: all %zu have more than %u tokens", path,
                         found.n_left_out, options->longest_total);
    if (options->rate_scale > 0 && options->rate_scale != 1)
        return requests_scaled(&found, options->rate_scale, arena, requests, fault);
    *requests = found;
    return STATUS_OK;
}

enum status requests_read(const char *path, const struct requests_options *options, struct arena *arena,
                          struct requests *requests, struct fault *fault)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    if (!file)
        return fault_set(fault, STATUS_IO, "%s: cannot be opened: %s", path, strerror(errno));
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) {
        fclose(file);
        return fault_set(fault, STATUS_IO, "%s: expected a file", path);
    }
    size_t size = (size_t)info.st_size;
    char *text = arena_take(arena, size + 1);
    size_t got = fread(text, 1, size, file);
    int failed = ferror(file) || got != size;
    fclose(file);
    if (failed)
        return fault_set(fault, STATUS_IO, "%s: cannot be read", path);
    return requests_parse(path, text, size, options, arena, requests, fault);
}

double requests_rate(const struct requests *requests)
{
    if (requests->n < 2)
        return 0;
    uint64_t span_ps = requests->request[requests->n - 1].arrival_ps - requests->request[0].arrival_ps;
    return span_ps ? (double)(requests->n - 1) / ((double)span_ps * 1e-12) : 0;
}

enum status requests_scaled(const struct requests *requests, double scale, struct arena *arena, struct requests *scaled,
                            struct fault *fault)
{
    if (!(scale > 0) || !isfinite(scale))
        return fault_set(fault, STATUS_USAGE, "scale of the rate of arrivals: expected a number above 0, found %g",
                         scale);
    struct requests copy = *requests;
    copy.request = arena_array(arena, requests->n, sizeof *copy.request);
    for (size_t i = 0; i < requests->n; i++) {
        copy.request[i] = requests->request[i];
        double arrival_ps = (double)copy.request[i].arrival_ps / scale;
        if (!(arrival_ps <= REQUESTS_LATEST_S * 1e12))
            return fault_set(fault, STATUS_USAGE,
                             "%s: request %zu: %g times as fast it would arrive after %.0f s, the latest is %.0f s",
                             requests->path, i, scale, arrival_ps * 1e-12, REQUESTS_LATEST_S);
        copy.request[i].arrival_ps = scale == 1 ? copy.request[i].arrival_ps : (uint64_t)llround(arrival_ps);
    }
    *scaled = copy;
    return STATUS_OK;
}

uint64_t requests_prompt_tokens(const struct requests *requests)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < requests->n; i++)
        sum += requests->request[i].prompt_tokens;
    return sum;
}

uint64_t requests_output_tokens(const struct requests *requests)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < requests->n; i++)
        sum += requests->request[i].output_tokens;
    return sum;
}
