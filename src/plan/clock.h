/* clock.h - virtual time of one device that runs programs.
 *
 * An engine does one instruction after the other; an instruction starts when its engine is free and the instructions
 * that it waits for (program_link_waits) have ended. Overlap of transfers and compute falls out of that. The clock also
 * cuts the compute engine's time line into busy and waiting, by kernel class. Pure: no messages, no wall clock.
 */
#ifndef PLAN_CLOCK_H
#define PLAN_CLOCK_H

#include "base/archive.h"
#include "base/arena.h"
#include "plan/ledger.h"
#include "plan/program.h"

struct clock {
    uint64_t engine_free_ps[N_ENGINES];
    uint64_t *end_ps[N_PROGRAMS];          /* of each instruction, in its last run */
    uint64_t compute_ps[N_KERNEL_CLASSES]; /* compute engine busy */
    uint64_t wait_ps[N_KERNEL_CLASSES];    /* compute engine waiting for an instruction of this class */
    uint64_t idle_ps;                      /* compute engine without a program to run */
    uint64_t runs[N_PROGRAMS];
    int last_program;  /* -1 before the first run; N_PROGRAMS: one of an earlier plan */
    int changed;       /* the program has changed and the compute engine has not begun yet */
    int has_begun;     /* an instruction of the program, on any engine, has begun ... */
    uint64_t begun_ps; /* ... the first of them here */
    int has_failed;
    uint64_t failed_ps;    /* it has been off since then */
    struct ledger varying; /* costs of what programs that vary, and those of earlier plans, have done */
};

/* Local. A clock at zero for a device with these programs. */
void clock_init(struct clock *clock, const struct program *const programs[N_PROGRAMS], struct arena *arena);

/* Local. Before each run of a program. A change of program is a barrier for all engines of the device. When the first
 * thing that a changed program waits for is a message, the device had nothing to do: that time is idle, not waiting. So
 * is the time before the first instruction of a program that has none for the compute engine. */
void clock_begin(struct clock *clock, int program_id);

/* Local. The device runs other programs from now on: what those of `before` have done goes into the ledger at their
 * costs, and the next run begins behind a barrier, as any change of program. */
void clock_replan(struct clock *clock, const struct program *const before[N_PROGRAMS],
                  const struct program *const after[N_PROGRAMS], struct arena *arena);

/* Local. No engine begins anything more before `ps`: the device has nothing to do until then. */
void clock_idle_until(struct clock *clock, uint64_t ps);

/* Local. The device fails at `ps`, or when its engines are free if that is later: from then on it is off, and no
 * program can begin (a bug). */
void clock_fail(struct clock *clock, uint64_t ps);

/* Local. Earliest start of instruction i by what this device knows. */
uint64_t clock_start_ps(const struct clock *clock, const struct program *program, int program_id, int i);

/* Local. Instruction i starts at start_ps (>= clock_start_ps) and ends its cost later. An all-reduce holds both the
 * send and the receive engine. */
void clock_run(struct clock *clock, const struct program *program, int program_id, int i, uint64_t start_ps);

/* Local. What a run of a program that varies costs, as it now stands; instructions without work have no time. */
void clock_account(struct clock *clock, const struct program *program);

/* Local. Is `after`, one repetition of the program's loop later than `before`, the same but for a shift in time? Sets
 * the shift; 0 when the loop has nothing to do here. */
int clock_loop_repeats(const struct clock *before, const struct clock *after, const struct program *program,
                       int program_id, uint64_t *shift_ps);

/* Local. n more repetitions of the loop, each as the one from `before` to `clock`. */
void clock_loop_jump(struct clock *clock, const struct clock *before, const struct program *program, int program_id,
                     uint64_t n, uint64_t shift_ps);

/* Local. When the last engine is free. */
uint64_t clock_end_ps(const struct clock *clock);

/* Local. Is `after`, one run later than `before`, the same but for a shift in time? Then the next runs repeat it. Sets
 * the shift. */
int clock_repeats(const struct clock *before, const struct clock *after, const struct program *program, int program_id,
                  uint64_t *shift_ps);

/* Local. n more runs, each `shift_ps` after the one before and waiting as long as the run from `before` to `clock` did.
 */
void clock_jump(struct clock *clock, const struct clock *before, const struct program *program, int program_id,
                uint64_t n, uint64_t shift_ps);

/* Local. Copies `from` into `to`, which clock_init has prepared for the same programs. */
void clock_copy(struct clock *to, const struct clock *from, const struct program *const programs[N_PROGRAMS]);

/* Local. Are two clocks for equal programs at the same point, with the same behind them? */
int clock_equals(const struct clock *a, const struct clock *b, const struct program *const programs[N_PROGRAMS]);

/* Local. Saves or restores a clock of these programs. */
void clock_archive(struct clock *clock, const struct program *const programs[N_PROGRAMS], struct archive *archive);

/* Stand-by energy (waiting and idle) of devices whose run ends at virtual time t: fixed_fj + idle_mw t, exactly. */
struct standby {
    wide_int fixed_fj;
    uint64_t idle_mw; /* power that goes on at the end */
};

/* Local. The device's; it is what clock_ledger has for every end_ps. */
struct standby clock_standby(const struct clock *clock, uint64_t wait_power_mw, uint64_t idle_power_mw);

/* Local. Its energy at virtual time end_ps (not before the end of any of its devices). */
wide_uint standby_fj(const struct standby *standby, uint64_t end_ps);

/* Local. The device's ledger at virtual time end_ps (not before clock_end_ps). */
void clock_ledger(const struct clock *clock, const struct program *const programs[N_PROGRAMS], uint64_t end_ps,
                  uint64_t wait_power_mw, uint64_t idle_power_mw, struct ledger *ledger);

#endif
