/* measured_run.h - what a real inference engine did with a request trace, as records like those of a served run.
 *
 * A CSV with one row a request, by arrival; columns in any order, others are not read:
 *
 *     arrival_s (or _ms, ...), input_toks, output_toks      as in a request trace (store/requests.h)
 *     queue_ms               from when the engine took the request into its queue until it was first scheduled
 *     ttft_from_queue_ms     from the same instant to the first token
 *     e2e_from_queue_ms      from the same instant to the last token
 *
 * Engines take requests between iterations; how long a request waited for that is not in the file. Records have
 * seen_ps = arrival_ps, and only differences to that mean something. Times are kept to the picosecond as records keep
 * them; the mean time per later token follows from the others.
 */
#ifndef STORE_MEASURED_RUN_H
#define STORE_MEASURED_RUN_H

#include "store/requests.h"
#include "store/served.h"

struct measured_run {
    struct requests requests;
    struct served *record; /* [requests.n] what is not measured is 0 */
};

/* Local. Reads a run into the arena. Faults: STATUS_IO; STATUS_USAGE "file:line:column: ..." for a missing column, what
 * is no number, and times that contradict each other (queue <= first token <= last token, first token after arrival).
 */
enum status measured_run_read(const char *path, struct arena *arena, struct measured_run *run, struct fault *fault);

#endif
