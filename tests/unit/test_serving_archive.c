/* A run that is saved at some instant and goes on in another process tells the same as one that was never stopped; a
 * run that loses a device makes the same tokens. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "archive_copy.h"
#include "folder.h"
#include "serving/recovery.h"
#include "serving_setting.h"

Suite *suite_serving_archive(void);

enum { CASES = 120 };

/* ---- what is told ---- */

enum { MOST_TOLD = 400000 };

struct told {
    uint64_t *value; /* [n] of all that the sink hears, in order */
    size_t n;
};

static void tell(struct told *told, uint64_t value)
{
    must(told->n < MOST_TOLD);
    told->value[told->n++] = value;
}

/* A run with its hands on `control`. */
struct drive {
    struct setting *setting;
    struct told told;
    struct arena *arena;
    uint64_t n_controls, save_at, lose_at; /* which call; 0: never */
    struct drive *resumes;                 /* the run whose saved state this one goes on from */
    struct archive_copy saved;
    struct toy toys[MOST_INSTANCES]; /* as they were when it was saved */
    size_t told_when_saved;
    int had_lost;                 /* when it was saved */
    int has_lost, loses_any_time; /* ... a device; ... one again and again */
    uint32_t loser;
    struct serving_engine smaller[MOST_INSTANCES];
    uint64_t loss_ps, n_losses;
    wide_uint loss_fj;
    struct dice *dice;
    int keeps_host;
};

static enum status hear_finished(void *state, const struct served *record, struct fault *fault)
{
    struct drive *drive = state;
    (void)fault;
    tell(&drive->told, record->request);
    tell(&drive->told, record->finish_ps);
    tell(&drive->told, record->recomputed_tokens);
    return STATUS_OK;
}

static enum status hear_answer(void *state, uint32_t request, const uint32_t *token, uint32_t n, struct fault *fault)
{
    struct drive *drive = state;
    (void)request;
    (void)fault;
    for (uint32_t t = 0; t < n; t++)
        tell(&drive->told, token[t]);
    return STATUS_OK;
}

static enum status hear_sample(void *state, const struct serving_sample *sample, struct fault *fault)
{
    struct drive *drive = state;
    uint64_t running;
    (void)fault;
    memcpy(&running, &sample->running, sizeof running);
    tell(&drive->told, sample->end_ps);
    tell(&drive->told, sample->prefill_tokens + 1000000 * sample->output_tokens);
    tell(&drive->told, running);
    return STATUS_OK;
}

static void copy_toys(const struct setting *s, struct toy *to, struct arena *arena)
{
    for (uint32_t i = 0; i < s->n; i++) {
        to[i] = s->toy[i];
        if (!s->toy[i].kv)
            continue;
        size_t n = (size_t)TOY_BLOCKS * s->toy[i].block_tokens;
        to[i].kv = arena_array(arena, n, sizeof *to[i].kv);
        memcpy(to[i].kv, s->toy[i].kv, n * sizeof *to[i].kv);
        to[i].host = arena_array(arena, TOY_REQUESTS, sizeof *to[i].host);
        memcpy(to[i].host, s->toy[i].host, TOY_REQUESTS * sizeof *to[i].host);
    }
}

static void save(struct drive *drive, struct service *service)
{
    struct archive *archive = archive_new(drive->arena);
    service_archive(service, archive);
    drive->saved.entry = archive_entries(archive, &drive->saved.n);
    copy_toys(drive->setting, drive->toys, drive->arena);
    drive->told_when_saved = drive->told.n;
    drive->had_lost = drive->has_lost;
}

static void restore(struct drive *drive, struct service *service)
{
    struct fault fault = FAULT_NONE;
    struct drive *from = drive->resumes;
    const struct archive_source source = {&from->saved, copy_look, copy_read};
    struct archive *archive = archive_from(&source, drive->arena);
    service_archive(service, archive);
    archive_status(archive, &fault);
    expect_ok(&fault);
    for (uint32_t i = 0; i < drive->setting->n; i++) {
        drive->setting->toy[i] = from->toys[i];
        drive->setting->toy[i].all = drive->setting->toy;
    }
}

/* The toy's memory is another one afterwards: whoever reads what was lost is found out. */
static void lose(struct drive *drive, struct service *service, uint32_t i, struct fault *fault)
{
    struct toy *toy = &drive->setting->toy[i];
    struct serving_loss loss = {.engine = &drive->smaller[i], .keeps_host = drive->keeps_host, .time_ps = 12345678};
    loss.energy_fj[ENERGY_LINK] = 77;
    for (size_t b = 0; toy->kv && b < (size_t)TOY_BLOCKS * toy->block_tokens; b++)
        toy->kv[b] = ~toy->kv[b];
    drive->n_losses++;
    drive->loss_ps += loss.time_ps;
    drive->loss_fj += 77;
    drive->has_lost = 1;
    service_note_fault(service, i);
    service_lose(service, i, &loss, fault);
}

static enum status control(void *state, struct service *service, struct fault *fault)
{
    struct drive *drive = state;
    struct setting *s = drive->setting;
    uint64_t call = drive->n_controls++;
    if (drive->resumes && call == 0) {
        restore(drive, service);
        return STATUS_OK;
    }
    uint32_t loser = drive->loses_any_time ? (uint32_t)below(drive->dice, s->n) : drive->loser;
    int loses = drive->loses_any_time ? below(drive->dice, 60) == 0
                                      : drive->lose_at && call >= drive->lose_at && !drive->has_lost;
    if (call && loses && service_can_change(service, loser) && service_progress(service).n_finished < s->requests.n)
        lose(drive, service, loser, fault);
    if (drive->save_at && call == drive->save_at)
        save(drive, service);
    return fault->status;
}

static void prepare(struct drive *drive, struct setting *s, uint32_t seed, int functional, int may_lose)
{
    struct dice d = dice(seed);
    *drive = (struct drive){.setting = s, .arena = arena_new()};
    drive->told.value = malloc(MOST_TOLD * sizeof *drive->told.value);
    open_setting(s, &d, functional);
    if (may_lose)
        s->config.n_prefill_instances = 0;
    drive->loser = (uint32_t)below(&d, s->n);
    drive->keeps_host = (int)below(&d, 2);
    for (uint32_t i = 0; i < s->n; i++) {
        drive->smaller[i] = toy_engine(&s->toy[i], 224 + below(&d, s->capacity_tokens - 223));
        drive->smaller[i].idle_power_mw = 1 + below(&d, 2);
    }
}

static void run(struct drive *drive, struct serving_result *result)
{
    struct setting *s = drive->setting;
    struct fault fault = FAULT_NONE;
    const struct serving_sink sink = {
        .state = drive, .finished = hear_finished, .answer = hear_answer, .sample = hear_sample, .control = control};
    serving_run(&s->config, &s->requests, s->engine, s->n, &sink, s->arena, result, &fault);
    expect_ok(&fault);
}

static void done(struct drive *drive)
{
    arena_free(drive->setting->arena);
    arena_free(drive->arena);
    free(drive->told.value);
}

/* ---- the tests ---- */

static void expect_same(const struct serving_result *a, const struct serving_result *b, const struct setting *s)
{
    ck_assert_uint_eq(a->summary.end_ps, b->summary.end_ps);
    ck_assert(a->summary.energy_fj == b->summary.energy_fj && a->summary.in_system_ps == b->summary.in_system_ps);
    ck_assert_mem_eq(&a->summary.itl_s, &b->summary.itl_s, sizeof a->summary.itl_s);
    for (size_t r = 0; r < s->requests.n; r++)
        ck_assert_mem_eq(&a->record[r], &b->record[r], sizeof a->record[r]);
    for (uint32_t i = 0; i < s->n; i++) {
        struct serving_instance_summary left = a->summary.instance[i], right = b->summary.instance[i];
        ck_assert_uint_eq(left.device_busy_ps[0], right.device_busy_ps[0]);
        left.device_busy_ps = right.device_busy_ps = NULL;
        left.device_name = right.device_name = NULL;
        ck_assert_mem_eq(&left, &right, sizeof left);
    }
}

START_TEST(a_restored_run_goes_on_as_if_it_had_not_stopped)
{
    uint32_t seed = 41000 + (uint32_t)_i;
    struct dice d = dice(seed + 1);
    int functional = (int)below(&d, 2), loses = (int)below(&d, 2);
    struct setting s, t;
    struct drive whole, again;
    struct serving_result one, two;
    prepare(&whole, &s, seed, functional, loses);
    run(&whole, &one); /* how many instants are there? */
    uint64_t n = whole.n_controls;
    done(&whole);
    prepare(&whole, &s, seed, functional, loses);
    prepare(&again, &t, seed, functional, loses);
    whole.lose_at = loses ? 1 + below(&d, n) : 0;
    whole.save_at = n > 1 ? 1 + below(&d, n - 1) : 0;
    run(&whole, &one);
    if (whole.save_at && whole.saved.n) {
        again.lose_at = !loses ? 0 : whole.lose_at > whole.save_at ? whole.lose_at - whole.save_at : 1;
        again.has_lost = whole.had_lost;
        again.resumes = &whole;
        if (again.has_lost && whole.saved.n)
            t.engine[again.loser] = again.smaller[again.loser];
        run(&again, &two);
        ck_assert_uint_eq(again.told.n, whole.told.n - whole.told_when_saved);
        ck_assert_mem_eq(again.told.value, whole.told.value + whole.told_when_saved,
                         again.told.n * sizeof *again.told.value);
        expect_same(&one, &two, &s);
    }
    done(&again);
    done(&whole);
}
END_TEST

static void expect_recovery(const struct drive *drive, const struct serving_result *result)
{
    const struct setting *s = drive->setting;
    const struct serving_summary *sum = &result->summary;
    const struct serving_recovery *recovery = &sum->recovery;
    wide_uint sojourns = 0, energy_fj = 0;
    uint64_t computed = 0, expected = 0;
    ck_assert_uint_eq(recovery->n_lost_devices, drive->n_losses);
    ck_assert_uint_eq(recovery->stop_ps, drive->loss_ps);
    ck_assert(recovery->stop_energy_fj == drive->loss_fj);
    for (size_t r = 0; r < s->requests.n; r++) {
        sojourns += served_e2e_ps(&result->record[r]);
        expected +=
            result->record[r].prompt_tokens + result->record[r].output_tokens - 1 + result->record[r].recomputed_tokens;
    }
    ck_assert(sojourns == sum->in_system_ps);
    for (uint32_t i = 0; i < s->n; i++) {
        const struct serving_instance_summary *instance = &sum->instance[i];
        uint64_t idle_ps = sum->end_ps - sum->first_arrival_ps - instance->busy_ps;
        computed += s->toy[i].n_prefill_tokens + s->toy[i].n_decodes;
        energy_fj += instance->idle_energy_fj;
        for (int part = 0; part < N_ENERGY_PARTS; part++)
            energy_fj += instance->energy_fj[part];
        ck_assert(instance->idle_energy_fj >= idle_ps && instance->idle_energy_fj <= (wide_uint)idle_ps * 2);
        ck_assert(instance->mean_kv_share >= 0 && instance->mean_kv_share <= 1);
        ck_assert(instance->recovery.recompute_ps + instance->recovery.stop_ps <= instance->busy_ps);
    }
    ck_assert(energy_fj == sum->energy_fj);
    if (!s->config.prefix_caching) {
        ck_assert_uint_eq(computed, expected);
        ck_assert_uint_ge(recovery->recomputed_tokens, recovery->lost_tokens);
        if (sum->n_preemptions == 0)
            ck_assert_uint_eq(recovery->recomputed_tokens, recovery->lost_tokens);
    }
    ck_assert(!recovery->recomputed_tokens == !recovery->recompute_ps);
}

START_TEST(lost_devices_change_no_token)
{
    uint32_t seed = 52000 + (uint32_t)_i;
    struct setting s;
    struct drive drive;
    struct serving_result plain, result;
    struct dice d = dice(seed + 1);
    prepare(&drive, &s, seed, 1, 1);
    s.config.sample_ps = 0;
    run(&drive, &plain);
    size_t n = drive.told.n, n_tokens = 0;
    uint32_t *made = malloc(s.requests.n * sizeof *made);
    for (size_t r = 0; r < s.requests.n; r++)
        n_tokens += made[r] = plain.record[r].output_tokens;
    ck_assert_uint_eq(n, n_tokens + 3 * s.requests.n);
    done(&drive);
    prepare(&drive, &s, seed, 1, 1);
    s.config.sample_ps = 0;
    drive.loses_any_time = 1;
    drive.dice = &d;
    run(&drive, &result); /* each token comes from the KV that the toy has compared with what it must be */
    for (size_t r = 0; r < s.requests.n; r++)
        ck_assert_uint_eq(result.record[r].output_tokens, made[r]);
    expect_recovery(&drive, &result);
    free(made);
    done(&drive);
}
END_TEST

/* The cases above do meet what they are for. */
START_TEST(random_cases_meet_losses)
{
    uint64_t n_losses = 0, n_requests = 0, n_kept = 0, n_recomputed = 0;
    for (uint32_t i = 0; i < CASES; i++) {
        struct setting s;
        struct drive drive;
        struct serving_result result;
        struct dice d = dice(52000 + i + 1);
        prepare(&drive, &s, 52000 + i, 1, 1);
        drive.loses_any_time = 1;
        drive.dice = &d;
        run(&drive, &result);
        n_losses += result.summary.recovery.n_lost_devices;
        n_requests += result.summary.recovery.n_requests;
        n_kept += result.summary.recovery.kept_tokens;
        n_recomputed += result.summary.recovery.recomputed_tokens;
        done(&drive);
    }
    ck_assert_msg(n_losses > 100 && n_requests > 300 && n_kept > 50 && n_recomputed > 10000,
                  "losses %llu, requests %llu, kept %llu, recomputed %llu", (unsigned long long)n_losses,
                  (unsigned long long)n_requests, (unsigned long long)n_kept, (unsigned long long)n_recomputed);
}
END_TEST

/* A machine that has become too small for a request that waits. */
START_TEST(what_has_no_room_any_more_is_a_failure_of_the_device)
{
    struct setting s;
    struct drive drive;
    struct serving_result result;
    struct fault fault = FAULT_NONE;
    const struct serving_sink sink = {.state = &drive, .control = control};
    prepare(&drive, &s, 7, 0, 1);
    s.n = 1;
    drive.loser = 0;
    drive.lose_at = 1;
    drive.smaller[0].kv_capacity_tokens = s.config.block_tokens;
    s.requests.request[s.requests.n - 1].prompt_tokens = 3 * s.config.block_tokens;
    ck_assert_int_eq(serving_run(&s.config, &s.requests, s.engine, 1, &sink, s.arena, &result, &fault), STATUS_DEVICE);
    ck_assert_msg(strstr(fault.text, "needs KV for") != NULL, "%s", fault.text);
    done(&drive);
}
END_TEST

static enum status restore_only(void *state, struct service *service, struct fault *fault)
{
    service_archive(service, state);
    return archive_status(state, fault);
}

START_TEST(an_archive_with_something_missing_is_refused)
{
    struct setting s, t;
    struct drive whole, again;
    struct serving_result one;
    prepare(&whole, &s, 41007, 1, 0);
    run(&whole, &one);
    uint64_t n = whole.n_controls;
    done(&whole);
    prepare(&whole, &s, 41007, 1, 0);
    whole.save_at = 1 + n / 2;
    run(&whole, &one);
    ck_assert_uint_gt(whole.saved.n, 100);
    struct dice d = dice(41007 + (uint32_t)_i);
    struct archive_entry *some = arena_array(whole.arena, whole.saved.n, sizeof *some);
    size_t gone = below(&d, whole.saved.n), kept = 0;
    for (size_t i = 0; i < whole.saved.n; i++)
        if (i != gone)
            some[kept++] = whole.saved.entry[i];
    whole.saved = (struct archive_copy){some, kept};
    prepare(&again, &t, 41007, 1, 0);
    const struct archive_source source = {&whole.saved, copy_look, copy_read};
    struct archive *archive = archive_from(&source, again.arena);
    struct fault fault = FAULT_NONE;
    const struct serving_sink sink = {.state = archive, .control = restore_only};
    serving_run(&t.config, &t.requests, t.engine, t.n, &sink, t.arena, &one, &fault);
    ck_assert_int_eq(fault.status, STATUS_IO);
    done(&again);
    done(&whole);
}
END_TEST

Suite *suite_serving_archive(void)
{
    Suite *suite = suite_create("serving_archive");
    TCase *tcase = tcase_create("archive");
    tcase_add_loop_test(tcase, a_restored_run_goes_on_as_if_it_had_not_stopped, 0, CASES);
    tcase_add_loop_test(tcase, an_archive_with_something_missing_is_refused, 0, 40);
    tcase_add_loop_test(tcase, lost_devices_change_no_token, 0, CASES);
    tcase_add_test(tcase, random_cases_meet_losses);
    tcase_add_test(tcase, what_has_no_room_any_more_is_a_failure_of_the_device);
    suite_add_tcase(suite, tcase);
    return suite;
}
