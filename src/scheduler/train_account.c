/* train_account.c - what a run has come to: mode, virtual time, energy, and what was asked of it on the way. */
#include "scheduler/train_private.h"

enum switch_state course_mode(const struct course *course)
{
    return course->mode_switch ? switch_state(course->mode_switch) : SWITCH_FULL;
}

static wide_uint energy_of_program(const struct plan *plan, int id)
{
    wide_uint energy_fj = 0;
    for (int d = 0; d < plan->n_devices; d++)
        for (int i = 0; i < plan->programs[id][d].n_instrs; i++)
            for (int p = 0; p < N_ENERGY_PARTS; p++)
                energy_fj += plan->programs[id][d].instrs[i].cost.energy_fj[p];
    return energy_fj;
}

void course_price(struct course *course)
{
    for (int id = 0; id < N_PROGRAMS; id++)
        course->program_energy_fj[id] = energy_of_program(&course->training->plan, id);
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
