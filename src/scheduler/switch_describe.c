#include "scheduler/switch_private.h"

static void describe_record(const struct switch_record *record, struct arena *arena, struct run_switch_record *told)
{
    *told = (struct run_switch_record){
        .step = record->step,
        .window = record->window,
        .before = switch_state_name(record->before),
        .after = switch_state_name(record->after),
        .action = switch_action_name(record->action),
        .is_decision = record->action != SWITCH_CONTINUE,
        .reason = record->reason,
        .width = record->width,
        .n_numbers = record->n_numbers,
        .number = arena_array(arena, (size_t)record->n_numbers + 1, sizeof *told->number),
    };
    for (int i = 0; i < record->n_numbers; i++) {
        const struct switch_number *number = &record->number[i];
        told->number[i] = (struct run_switch_number){number->name, switch_relation_name(number->relation),
                                                     number->value, number->threshold, number->holds};
    }
}

void switch_describe(const struct mode_switch *sw, struct arena *arena, struct run_switch *told)
{
    *told = (struct run_switch){
        .policy = switch_policy_name(sw->config.policy),
        .window_steps = sw->full ? sw->config.window_steps : 0,
        .n_records = sw->n_log,
        .record = arena_array(arena, (size_t)sw->n_log + 1, sizeof *told->record),
        .n_steps = (int)sw->n_steps,
        .step = arena_array(arena, (size_t)sw->n_steps + 1, sizeof *told->step),
    };
    for (int i = 0; i < sw->n_log; i++)
        describe_record(&sw->log[i], arena, &told->record[i]);
    for (int64_t i = 0; i < sw->n_steps; i++)
        told->step[i] = (struct run_switch_step){.step = i + 1,
                                                 .loss_full = sw->steps[i].loss_full,
                                                 .loss_low = sw->steps[i].loss_low,
                                                 .window = sw->steps[i].window,
                                                 .state = switch_state_name(sw->steps[i].state)};
}
