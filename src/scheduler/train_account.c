/* train_account.c - what a run has come to: mode, virtual time, energy, and what was asked of it on the way. */
#include <inttypes.h>
#include <math.h>

#include "scheduler/train_private.h"

enum switch_state course_mode(const struct course *course)
{
    return course->mode_switch ? switch_state(course->mode_switch) : SWITCH_FULL;
}

void course_price(struct course *course)
{
    for (int id = 0; id < N_PROGRAMS; id++)
        course->program_energy_fj[id] = plan_energy_fj(&course->training->plan, id);
}

/* Most of a sum of `steps` runs of a program: time, FLOP, bytes, cells; of a part of the energy, one run's. */
static double largest_sum(const struct program *program, double steps)
{
    double time_ps = 0, flops = 0, bytes = 0, cells = 0, energy_fj = 0;
    for (int i = 0; i < program->n_instrs; i++) {
        const struct cost *cost = &program->instrs[i].cost;
        time_ps += (double)cost->time_ps;
        flops += (double)cost->flops;
        bytes += (double)cost->bytes;
        cells += (double)cost->cell_writes;
        for (int p = 0; p < N_ENERGY_PARTS; p++)
            energy_fj = fmax(energy_fj, (double)cost->energy_fj[p]);
    }
    return fmax(steps * fmax(fmax(time_ps, flops), fmax(bytes, cells)), energy_fj);
}

enum status course_check_size(const struct course *course, struct fault *fault)
{
    const struct training *training = course->training;
    const int64_t left = training_steps(training) - course->step;
    const double most = 0x1p63; /* half of what 64 bits hold: evaluations and handovers come on top */
    for (int id = 0; id < N_PROGRAMS; id++)
        for (int d = 0; d < training->plan.n_devices; d++) {
            int is_step = id == PROGRAM_TRAIN || id == PROGRAM_LOW;
            double sum = largest_sum(&training->plan.programs[id][d], is_step ? (double)left : 1);
            if (sum >= most)
                return fault_set(
                    fault, STATUS_USAGE,
                    "%s: expected a run of which a ledger can count all (9.2e18 ps, FLOP, bytes and cells of "
                    "a device), found %.2g on %s in %" PRId64 " steps: take fewer, or a faster device",
                    training->job->source, sum, training->machine.specs[d].name, left);
        }
    return STATUS_OK;
}

wide_uint course_energy_fj(const struct course *course)
{
    return course->work_fj + standby_fj(&course->standby, course->now_ps);
}

void course_advance(struct course *course, wide_uint work_fj, const struct step_result *result)
{
    course->work_fj += work_fj;
    course->standby = result->standby;
    if (result->end_ps > course->now_ps)
        course->now_ps = result->end_ps;
}

void course_note(struct course *course, const struct step_result *result)
{
    course->wish = result->wish > course->wish ? result->wish : course->wish;
    course->interrupts = result->interrupts > course->interrupts ? result->interrupts : course->interrupts;
}
