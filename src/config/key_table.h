/* key_table.h - for the files of the room that hold parts of the key table: how a line of it is written, and the parts.
 *
 * One line per key: path, kind, where it lies in the job (IN) or in an element of a list (OF, FAULT), whether it is
 * needed, range or words, meaning.
 */
#ifndef CONFIG_KEY_TABLE_H
#define CONFIG_KEY_TABLE_H

#include <math.h>

#include "config/job.h"
#include "config/keys.h"

#define IN(member) offsetof(struct job, member)
#define OF(member) offsetof(struct cluster_device, member)
#define FAULT(member) offsetof(struct job_fault, member)
#define DEFAULT(text) KEY_DEFAULT, text, 0
#define OPEN(who) KEY_OPEN, who, JOB_UNSET /* JOB_UNSET, NULL or n = 0 when not given */
#define OPEN_0(who) KEY_OPEN, who, 0       /* 0 when not given */
#define REQUIRED KEY_REQUIRED, NULL, JOB_UNSET
#define FROM(low, high) .min = (low), .max = (high)
#define ABOVE(low) .min = (low), .min_excluded = 1, .max = INFINITY
#define FROM_BELOW(low, high) .min = (low), .max = (high), .max_excluded = 1
#define FROM_BELOW(low, high) .min = (low), .max = (high), .max_excluded = 1
#define ABOVE_BELOW(low, high) .min = (low), .min_excluded = 1, .max = (high), .max_excluded = 1
#define ABOVE_TO(low, high) .min = (low), .min_excluded = 1, .max = (high)
#define ANY .min = 0, .max = 0
#define WORDS(text) .words = (text)
#define MEANS(text) .meaning = (text)

#define MILLION 1e6
#define BILLION 1e9
#define ROWS 1e15

struct key_part {
    const struct job_key *keys;
    int n;
};

/* Local. Keys of one section stand together in one part. */
struct key_part keys_of_training(void); /* model, data, train */
struct key_part keys_of_serving(void);  /* decoder, serve */
struct key_part keys_of_runs(void);     /* placement, output, faults */
struct key_part keys_of_clusters(void); /* cluster */

#endif
