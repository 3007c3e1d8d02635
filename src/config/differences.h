/* differences.h - which keys of two resolved jobs differ. */
#ifndef CONFIG_DIFFERENCES_H
#define CONFIG_DIFFERENCES_H

#include <stddef.h>

/* Local. Compares two texts of job_print, key by key. Keys that change no result (output.directory; the path
 * data.file) may differ. Returns how many differ and describes the first of them: "train.minibatch was 32 and is 64,
 * ...". */
int differences_of_jobs(const char *was, const char *is, char *text, size_t size);

#endif
