/* build.h - a job becomes a plan: model, minibatch shares, one program per device. */
#ifndef SCHEDULER_BUILD_H
#define SCHEDULER_BUILD_H

#include "config/job.h"
#include "model/family.h"
#include "model/windows.h"
#include "plan/program.h"
#include "scheduler/machine.h"
#include "scheduler/matrices.h"

/* Local. What a job says of its samples, for windows_open. */
struct windows_config build_windows_config(const struct job *job);

/* Local. The model of a job: preset, overrides, and the shapes of the data set (`shape` NULL: the job must tell them).
 * The job's open values are filled in, so that --print-config shows them. Fault STATUS_USAGE with the key to change. */
enum status build_model_config(struct job *job, const struct windows_shape *shape, struct model_config *config,
                               struct fault *fault);

/* Local. The same for one family. */
enum status build_encoder_config(struct job *job, const struct windows_shape *shape, struct encoder_config *config,
                                 struct fault *fault);

enum status build_traffic_config(struct job *job, const struct windows_shape *shape, struct traffic_config *config,
                                 struct fault *fault);

/* Local. Open keys of a job that trains, beside those of its model, get the values that they stand for: fidelity and
 * memory_mode of devices; with a low-parameter mode the adapters' and the switch's. No run changes by it. */
void build_open_keys(struct job *job);

/* Local. The adapters of a job: of train.mode lora, and of the low-parameter mode of placement hpt. Open keys are
 * filled in; width 0 with auto. */
void build_adapter_config(struct job_adapter *job, struct adapter_config *adapter);

/* Local. Width of the adapters of a plan at the start of a run, and of the narrowest that they may get. That of the
 * job; with auto the widest and the narrowest that test T3 of policy safe chooses from for this model: no choice of its
 * needs a machine larger than that of the plan. */
struct build_widths {
    int64_t narrowest, widest;
};
struct build_widths build_adapter_widths(const struct job *job, const struct model_config *config);

/* Local. A product of more than full width has more parameters than its matrix can take up. Fault STATUS_USAGE. */
enum status build_check_width(const struct job *job, const struct model_config *config, struct fault *fault);

/* Local. The placement to build: what auto has chosen, else the job's policy. */
const char *build_policy(const struct job *job);

/* What a plan in the middle of a run has to know. */
struct build_standing {
    int64_t adapter_width;       /* of the low-parameter mode, 0: the job's */
    int without_low;             /* the low-parameter mode has come to its end */
    const struct matrices *held; /* [n_devices] what crossbars hold (scheduler/low.h), or NULL */
};

/* Local. Programs of all devices. The GPUs train data-parallel: the g-th of G gets an equal share of the minibatch, the
 * first ones one sample more when it does not divide. Placement hpt adds the low-parameter mode (scheduler/low.h) and
 * what its devices hold in crossbars (*matrices, else NULL). Lost devices of the machine get none. `standing` NULL: at
 * the start of a run. */
enum status build_plan(const struct job *job, const struct model_config *config, const struct machine *machine,
                       const struct build_standing *standing, struct arena *arena, struct plan *plan,
                       struct matrices **matrices, struct fault *fault);

#endif
