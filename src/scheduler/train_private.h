/* train_private.h - inside of the control of a training run: train.c (a run from start to end), train_steps.c
 * (steps), train_evaluate.c (evaluations), train_account.c (time and energy so far), train_modes.c (full and
 * low-parameter mode), train_weights.c (what is kept of the weights), train_checkpoint.c (stops and restarts),
 * train_archive.c (what a checkpoint holds), train_due.c (which fault is next), train_fault.c (what is done about it),
 * train_replan.c (another plan).
 */
#ifndef SCHEDULER_TRAIN_PRIVATE_H
#define SCHEDULER_TRAIN_PRIVATE_H

#include "base/progress.h"
#include "scheduler/due.h"
#include "scheduler/movement.h"
#include "scheduler/switch.h"
#include "scheduler/train.h"

/* A run under way; the same on all ranks but for what is said to be rank 0's. */
struct course {
    struct training *training;
    const struct training_options *options;
    struct executor *executor;
    struct training_result *result;
    struct progress progress;
    wide_uint program_energy_fj[N_PROGRAMS]; /* one run, all devices */
    wide_uint work_fj;                       /* of all instructions so far ... */
    struct standby standby;                  /* ... and between them */
    uint64_t now_ps;                         /* end of the last step, evaluation or handover */
    uint32_t *order;                         /* of the training samples in this epoch */
    int64_t epoch;                           /* whose order it is; -1 at first */
    double start_s;
    int64_t step;       /* the last one that is done */
    uint32_t wish;      /* for the end of this step; the same on all ranks */
    int interrupts;     /* signals so far, on any rank */
    int64_t saved_step; /* of the last checkpoint that this process has written or restored; 0: none */
    double saved_s, step_s, longest_step_s; /* wall: of the last checkpoint, of the start of the step, of any step */
    struct mode_switch *mode_switch;        /* NULL: full mode only */
    uint32_t generation;                    /* handovers so far */
    int64_t low_since, full_since;          /* step after which the mode's optimiser state was zero */
    struct switch_config switch_config;
    struct movement *movement; /* NULL: the policy tests nothing */
    struct due *due;           /* [n_due] faults of the job, in the order in which they strike */
    int n_due, n_struck;
    struct replan *replan; /* [n_replans] so far, in their order */
    int n_replans;
    uint64_t struck_ps; /* when the last of them did */
    int64_t even_since; /* step after which mode and plan are those of now */
};

/* A change of plan in the middle of the run. */
struct replan {
    int n_struck;                /* faults that had struck until then */
    int n_cells_struck;          /* ... of which the others leave crossbars where they were, for a plan that only brings
                                    back what other devices have trained */
    int without_low, kept_cells; /* what stands in crossbars stays in use */
    int64_t adapter_width;
};

enum wish { WISH_NONE, WISH_CHECKPOINT, WISH_STOP };

/* Rank 0's clock: what should happen after the step that begins now. WISH_NONE elsewhere. */
uint32_t course_wish(struct course *course);

/* Collective. Between two steps: a checkpoint if one is due. Fault STATUS_REQUEUE when the run is to stop here. */
enum status course_control(struct course *course, struct fault *fault);

/* Local. A second signal within an evaluation: out at once, without a new checkpoint. Returns the fault. */
enum status course_leave(const struct course *course, struct fault *fault);

/* Collective. Goes on from the checkpoint that the options name, if there is one. */
enum status course_resume(struct course *course, struct fault *fault);

/* Local. Saves or restores the run itself (train_archive.c): what rank 0 saves, all ranks restore. */
void course_archive(struct course *course, struct archive *archive);

/* Collective. One training step in the mode of now, its losses recorded. */
enum status course_step(struct course *course, int64_t step, struct fault *fault);

/* Collective. Steps first .. last of the mode of now without tensors: one call, so that repetitions cost nothing. */
enum status course_time_steps(struct course *course, int64_t first, int64_t last, struct fault *fault);

/* Collective. The test set, minibatch by minibatch, on the devices of the mode of now. */
enum status course_evaluate(struct course *course, int64_t step, struct fault *fault);

/* Collective. Loss on the validation set, on the devices of the mode of now; all ranks know it. */
enum status course_validate(struct course *course, double *loss, struct fault *fault);

/* Local. */
enum switch_state course_mode(const struct course *course);

/* Local. What one run of each program of the plan costs. */
void course_price(struct course *course);

/* Local. Fault STATUS_USAGE: what is left of the run is more than ledgers count, with the plan of now. */
enum status course_check_size(const struct course *course, struct fault *fault);

/* Local. Energy of all devices until now, working, waiting and idle; at the end it is that of all ledgers. */
wide_uint course_energy_fj(const struct course *course);

/* Local. Programs have run: their instructions' energy, how late it is, what devices spent on stand-by. */
void course_advance(struct course *course, wide_uint work_fj, const struct step_result *result);

/* Local. What ranks asked for while programs ran: a checkpoint, a stop. */
void course_note(struct course *course, const struct step_result *result);

/* Local. Puts the job's faults in order. */
void faults_open(struct course *course);

/* Local. Timing-only: steps that surely come before the next fault strikes, or the one after which it may. */
int64_t faults_known_until(const struct course *course, int64_t step, int64_t until);

/* Collective. After a step: faults whose time has come strike, and the run recovers. Fault STATUS_DEVICE: it cannot. */
enum status faults_strike(struct course *course, struct fault *fault);

/* Local. Saves or restores what has struck, and what it led to. */
void faults_archive(struct course *course, struct archive *archive);

/* Local. Steps since, and step times before and after, into the result. */
void faults_describe(struct course *course);

/* Local. A fault takes away what it takes: of the machine, not of the plan. */
void faults_mark(struct training *training, const struct due *due);

/* Another plan, not yet in force. */
struct next_plan {
    struct plan plan;
    struct matrices *matrices; /* [n_devices] or NULL */
};

/* Local. A plan for what is left of the machine. Fault STATUS_USAGE: there is none. */
enum status replan_build(const struct course *course, const struct replan *replan, struct next_plan *next,
                         struct fault *fault);

/* Local. Has every device that trains in the low-parameter mode the same parameters and state in both plans? */
int replan_keeps_training(const struct training *training, const struct next_plan *next);

/* Collective. From here on the plan is `next`. */
enum status replan_begin(struct course *course, const struct replan *replan, const struct next_plan *next,
                         struct fault *fault);

/* Local. Saves or restores the changes of plan so far. */
void replans_archive(struct course *course, struct archive *archive);

/* Collective. Brings machine and plan to where the restored changes had brought them. */
enum status replans_restore(struct course *course, struct fault *fault);

/* Collective. Makes the controller that the job asks for. Fault STATUS_USAGE: what it asks for cannot be. */
enum status modes_open(struct course *course, struct fault *fault);

/* Local. With the executor open: what the controller watches. */
void modes_watch(struct course *course);

/* Local. Releases what modes_watch has opened. */
void modes_close(struct course *course);

/* Collective. Before the first step. */
enum status modes_begin(struct course *course, struct fault *fault);

/* Collective. After a step: what the controller decides is done. Losses of arms that did not run are NaN. */
enum status modes_after_step(struct course *course, int64_t step, double loss_full, double loss_low,
                             struct fault *fault);

/* Local. Runs until this step go on in the mode of now, as far as it is known beforehand (timing-only runs). */
int64_t modes_known_until(const struct course *course, int64_t step, int64_t until);

/* Local. What the mode of now was is told as a phase of its own, and another one begins. `loss` >= 0 (enum
 * switch_loss): the controller is told before. */
void modes_disturb(struct course *course, int loss, const char *reason);

/* Collective. Runs PROGRAM_HANDOVER, PROGRAM_RETURN or PROGRAM_REPAIR after the step that is done. */
enum status modes_carry(struct course *course, int program, struct fault *fault);

/* Local. The controller's story and the phases into the result. */
void modes_describe(struct course *course);

/* Collective. The model's weights into the result, from wherever they were trained last; merged ones too. */
enum status course_gather_weights(struct course *course, struct fault *fault);

#endif
