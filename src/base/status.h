/* status.h - how a function says that it failed.
 *
 * Every fallible function returns `enum status` and fills the `struct fault` it was given. The values are the exit
 * codes of the program. The function that first knows what is wrong writes the text; callers pass it on unchanged.
 * Outputs of a function are set only when it returns STATUS_OK.
 *
 * Bugs are not faults: `bug()` is for broken invariants of the program itself, never for user input.
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

enum status {
    STATUS_OK = 0,
    STATUS_FAILED = 1,  /* the run failed */
    STATUS_USAGE = 2,   /* command line, job, cluster or data file is wrong */
    STATUS_INVALID = 3, /* a validation failed */
    STATUS_IO = 4,      /* the file system or HDF5 failed */
    STATUS_DEVICE = 5,  /* an emulated device failed and the run could not recover */
    STATUS_REQUEUE = 75 /* stopped early with a checkpoint written */
};

#define FAULT_TEXT_MAX 1024

struct fault {
    enum status status;
    char text[FAULT_TEXT_MAX];
};

/* Local. No fault. */
#define FAULT_NONE ((struct fault){.status = STATUS_OK, .text = ""})

/* Local. Records a fault and returns its status, so that `return fault_set(...)` reads well. The first fault stays:
 * a second call on the same struct changes nothing and returns the first status. */
enum status fault_set(struct fault *fault, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#ifdef __clang_analyzer__ /* it does not see that what is returned is no STATUS_OK */
#define fault_set(fault, status, ...) ((void)fault_set(fault, status, __VA_ARGS__), (status))
#endif

/* Local. Puts "prefix: " before the text of a fault that is set (once per level of context that helps the user). */
void fault_prefix(struct fault *fault, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Local. Prints "polyrank: bug: ..." with file and line to stderr and aborts the process (under MPI the launcher ends
 * the others). For broken invariants only. */
#define bug(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void bug_at(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
