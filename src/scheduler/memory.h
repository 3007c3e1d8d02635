/* memory.h - where each tensor lies in a device's memory.
 *
 * Tensors that live over steps come first, at fixed offsets that all programs of a device share; what lives within a
 * step is placed by its lifetime, so that memory is reused as soon as the last reader is through.
 */
#ifndef SCHEDULER_MEMORY_H
#define SCHEDULER_MEMORY_H

#include "base/arena.h"
#include "base/status.h"
#include "plan/program.h"

/* Local. Sets offset_bytes of all slots, kind_bytes and memory_bytes of the program. `shared` is a program of the same
 * device whose parameters, state and constants this one uses by name (NULL: it lays out its own). Loaded slots get room
 * for two minibatches (the next one is copied in while the step runs). */
void memory_plan(struct program *program, const struct program *shared, struct arena *arena);

/* Local. `holds_matrices`: parameters lie in crossbars (scheduler/matrices counts them) and not in this memory.
 * Fault STATUS_USAGE "gpu0 needs 91.2 GiB of 80.0 GiB (...)" with the parts and what to change. */
enum status memory_check(const struct program *program, int holds_matrices, const char *device_name,
                         uint64_t capacity_bytes, struct fault *fault);

#endif
