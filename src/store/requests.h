/* requests.h - request traces: when requests arrive, how long their prompts and answers are, and what they share.
 *
 * Three forms are read; the first byte tells JSON from CSV, the header of a CSV tells the form:
 *
 *     Azure CSV       TIMESTAMP,ContextTokens,GeneratedTokens         dates with fractions, the first is time 0
 *     CSV             arrival_{s,ms,us,ns,ps}, input_tokens, output_tokens (or input_toks, output_toks, prompt_tokens,
 *                     generated_tokens) in any order; other columns are not read
 *     Mooncake JSONL  one object a line: timestamp (ms), input_length, output_length, and hash_ids (optional), one for
 *                     each 512 tokens of the prompt begun; equal ids are equal prompts up to there
 *
 * Strict: what is odd is a fault STATUS_USAGE "file:line:column: expected ..., found ...". Requests without prompt or
 * answer are refused, and so are arrivals that go back in time.
 */
#ifndef STORE_REQUESTS_H
#define STORE_REQUESTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum {
    REQUESTS_HASH_TOKENS = 512,     /* tokens behind one id of hash_ids in Mooncake's traces */
    REQUESTS_MOST_TOKENS = 16777216 /* of a prompt, of an answer */
};
#define REQUESTS_LATEST_S 10000000.0 /* arrivals: 115 days; 64 bits of picoseconds end at 213 */

struct request {
    uint64_t arrival_ps;
    uint32_t prompt_tokens; /* 1.. */
    uint32_t output_tokens; /* 1..; the first comes out of the prefill */
    uint32_t n_hashes;      /* 0: nothing is known about shared prompts */
    uint32_t line;          /* of the file, for messages; 0: not from a file */
    const uint64_t *hash;   /* [n_hashes] names of the prompt's pieces of hash_tokens, in order; may be NULL */
    const uint32_t *prompt; /* [prompt_tokens] token ids of a functional run; NULL when only the length is known */
};

struct requests {
    const char *path; /* for messages: the file, or what made them */
    size_t n;
    struct request *request; /* [n] by arrival */
    uint32_t hash_tokens;    /* tokens of a piece that has a hash; 0: none has */
    size_t n_left_out;       /* longer than options.longest */
};

struct requests_options {
    size_t limit;           /* only the first so many (before any is left out); 0: all */
    double rate_scale;      /* arrivals come so many times as fast; 0 or 1: as in the file */
    uint32_t longest_total; /* requests with more tokens (prompt and answer) are left out and counted; 0: none is */
};

/* Local. Reads a trace into the arena; options NULL: all of it, as it is. Faults: STATUS_IO, STATUS_USAGE. */
enum status requests_read(const char *path, const struct requests_options *options, struct arena *arena,
                          struct requests *requests, struct fault *fault);

/* Local. The same from memory; `path` is for messages. text[size + 1] must be writable, is changed, and must live as
 * long as the arena. */
enum status requests_parse(const char *path, char *text, size_t size, const struct requests_options *options,
                           struct arena *arena, struct requests *requests, struct fault *fault);

/* Local. Requests per second between the first and the last arrival, (n - 1) / (last - first); 0 when all come at once.
 */
double requests_rate(const struct requests *requests);

/* Local. A copy in the arena whose arrivals come `scale` times as fast (scale > 0), rounded to the picosecond. Fault
 * STATUS_USAGE when an arrival would lie beyond REQUESTS_LATEST_S. */
enum status requests_scaled(const struct requests *requests, double scale, struct arena *arena, struct requests *scaled,
                            struct fault *fault);

/* Local. Sums over all requests. */
uint64_t requests_prompt_tokens(const struct requests *requests);
uint64_t requests_output_tokens(const struct requests *requests);

#endif
