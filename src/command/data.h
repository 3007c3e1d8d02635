/* data.h - the verbs under `polyrank data`, one file each. argv[0] is the verb ("data import"). */
#ifndef COMMAND_DATA_H
#define COMMAND_DATA_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum status data_import(struct arena *arena, int argc, char **argv, struct fault *fault);
enum status data_synth(struct arena *arena, int argc, char **argv, struct fault *fault);
enum status data_info(struct arena *arena, int argc, char **argv, struct fault *fault);
enum status data_baseline(struct arena *arena, int argc, char **argv, struct fault *fault);

/* Local. Fault when the file exists and `force` is 0. */
enum status data_may_write(const char *path, int force, struct fault *fault);

/* Local. The command line as it goes into a data set's history: without the file that is written (`out`, that very
 * pointer),
 * --force and the folders of files, so that the same command gives the same bytes anywhere. */
const char *data_history(struct arena *arena, int argc, char **argv, const char *out);

/* Local. Parts of "a,b,c" into the arena: at most `most`. Fault names the option. */
enum status data_words(struct arena *arena, const char *option, const char *text, int most, const char **words, int *n,
                       struct fault *fault);

/* Local. A whole number of at least `least`; a duration in seconds ("1h", "5 min"); "A..B" with 0 <= A <= B. */
enum status data_whole(const char *option, const char *text, int64_t least, int64_t *value, struct fault *fault);
enum status data_seconds(const char *option, const char *text, double *seconds, struct fault *fault);
enum status data_range(const char *option, const char *text, int64_t *first, int64_t *last, struct fault *fault);

#endif
