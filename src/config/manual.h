/* manual.h - the key table as a page of the manual. */
#ifndef CONFIG_MANUAL_H
#define CONFIG_MANUAL_H

#include "base/arena.h"

/* Local. One table in Markdown per section: key, what to write, default, meaning. A unit test holds docs/jobs.md
 * against it. */
char *manual_keys(struct arena *arena);

/* Local. The same of the keys of a study: docs/studies.md. */
char *manual_study_keys(struct arena *arena);

#endif
