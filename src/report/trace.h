/* trace.h - executed instructions as a Chrome JSON trace, for ui.perfetto.dev.
 *
 * One process per emulated device (pid = number + 1, named like the device), one thread per engine (tid = number + 1),
 * one complete event ("ph": "X") per instruction. Times are virtual: microseconds with six decimals, so exact to the
 * picosecond. On a track events follow each other and never overlap. An all-reduce holds the send and the receive
 * engine; it stands on the send engine. A message is an arrow ("ph": "s" and "f", id program.channel.number) from the
 * send to the receive. A fault of the emulated hardware is an instant event ("ph": "i") of the device that it struck;
 * the programs of the plan that it leads to have instructions of their own.
 *
 * The file has a cap: events that would pass it are left out, in time order over all devices, and the file says so (a
 * last instant event, and otherData.truncated with step and reason). Larger traces are compressed: path becomes
 * path.gz.
 */
#ifndef REPORT_TRACE_H
#define REPORT_TRACE_H

#include "base/status.h"
#include "plan/mark.h"
#include "plan/program.h"
#include "report/run.h"

enum { TRACE_GZIP_BYTES = 1 << 20 }; /* from this size on a trace is compressed */

struct trace;

/* Local. Starts a trace: names of devices and engines. The plans [n_plans], of equally many devices, and the run
 * (devices' names, kinds, profiles, steps, faults) must outlive it. `max_bytes` caps the JSON text before compression
 * (at least that of the names is written). Faults STATUS_IO. */
enum status trace_open(const char *path, const struct plan *plans, int n_plans, const struct run *run,
                       uint64_t max_bytes, struct trace **trace, struct fault *fault);

/* Local. Adds marks, in time order among themselves whatever order they come in; later calls must bring later marks for
 * each engine (a breach is a bug). Faults STATUS_IO. */
enum status trace_marks(struct trace *trace, const struct mark *marks, size_t n, struct fault *fault);

/* Local. Number of events written and left out so far. */
size_t trace_written(const struct trace *trace);
size_t trace_left_out(const struct trace *trace);

/* Local. Adds the faults that came after the last mark, completes the file under its name (with .gz when large) and
 * removes an older trace of the other form. Frees the trace in any case; with a fault already set it only drops what
 * was written. */
enum status trace_close(struct trace *trace, struct fault *fault);

/* Local. All of it at once. */
enum status trace_write(const char *path, const struct plan *plans, int n_plans, const struct run *run,
                        const struct mark *marks, size_t n_marks, uint64_t max_bytes, struct fault *fault);

#endif
