/* requests_private.h - what the readers of request traces share. */
#ifndef STORE_REQUESTS_PRIVATE_H
#define STORE_REQUESTS_PRIVATE_H

#include "store/requests.h"

#define PS_PER_S UINT64_C(1000000000000)

/* Local. Readers of the two forms; text[size] is followed by a NUL. Only options->limit is looked at. */
enum status requests_parse_csv(const char *path, char *text, size_t size, size_t limit, struct arena *arena,
                               struct requests *requests, struct fault *fault);
enum status requests_parse_jsonl(const char *path, char *text, size_t size, size_t limit, struct arena *arena,
                                 struct requests *requests, struct fault *fault);

/* Local. Reads a decimal number of units of 10^exponent seconds (-12..0) as picoseconds; plain digits exactly (what
 * lies below a picosecond is dropped), an exponent ("1e-05") as the nearest. 0 when it is none, negative, or later than
 * REQUESTS_LATEST_S. */
int requests_time(const char *text, int exponent, uint64_t *time_ps);

#endif
