#include "serving/batching.h"

/* A decode, or a prefill that may be cut: what the budget has for it. */
static uint32_t chunk_within(const struct sequence *s, uint32_t budget)
{
    uint32_t left = sequence_left(s);
    return left < budget ? left : budget;
}

/* ---- admission ---- */

static uint32_t blocks_needed(const struct instance *instance, const struct sequence *s)
{
    uint64_t tokens = s->known;
    if (instance->config->reserve_output && instance->role != ROLE_PREFILL)
        tokens = (uint64_t)s->asked->prompt_tokens + s->asked->output_tokens - 1;
    return kv_blocks(&instance->cache, tokens);
}

/* Blocks of a prefix that may be taken: the last known token is computed in any case, for it makes the next one. */
static uint32_t match(const struct instance *instance, const struct sequence *s, uint32_t *n_kept)
{
    uint32_t most = (s->known - 1) / instance->cache.block_tokens;
    *n_kept = 0;
    if (s->is_swapped || s->n_names == 0)
        return 0;
    return kv_match(&instance->cache, s->name, s->n_names < most ? s->n_names : most, n_kept);
}

/* `promised`: blocks that others will take first. */
static int has_blocks(const struct instance *instance, const struct sequence *s, uint32_t n_match, uint32_t n_kept,
                      uint64_t promised)
{
    uint64_t needed = promised + blocks_needed(instance, s) - n_match + n_kept;
    if (instance->n_running || instance->n_coming || promised)
        needed += instance->watermark;
    return needed <= kv_available(&instance->cache);
}

int batching_has_room(const struct instance *instance, const struct sequence *s)
{
    if ((instance->config->batching == BATCHING_STATIC && instance->n_running) ||
        instance->n_running + instance->n_coming + instance->waiting.n >= instance->config->max_batch)
        return 0;
    uint64_t promised = 0;
    for (uint32_t i = 0; i < instance->waiting.n; i++)
        promised += blocks_needed(instance, queue_at(&instance->waiting, i));
    uint32_t n_kept, n_match = match(instance, s, &n_kept);
    return has_blocks(instance, s, n_match, n_kept, promised);
}

uint32_t batching_cached_tokens(const struct instance *instance, const struct sequence *s)
{
    uint32_t n_kept;
    return match(instance, s, &n_kept) * instance->cache.block_tokens;
}

int batching_has_work(const struct instance *instance)
{
    return instance->n_running || instance->waiting.n;
}

static enum status swap(struct instance *instance, const struct sequence *s, int is_out, struct fault *fault)
{
    int here = (int)instance->number;
    const struct serving_move move = {.request = s->request,
                                      .n_tokens = s->computed,
                                      .from = is_out ? s->table.block : NULL,
                                      .to = is_out ? NULL : s->table.block,
                                      .from_instance = is_out ? here : -1,
                                      .to_instance = is_out ? -1 : here};
    if (instance->engine->swap(instance->engine->state, &move, &instance->cost, fault) != STATUS_OK)
        return fault->status;
    if (instance->cost.time_ps == 0)
        return fault_set(fault, STATUS_FAILED, "the engine takes no time to swap %u tokens of KV", s->computed);
    instance->move_ps += instance->cost.time_ps;
    instance_count_cost(instance);
    return STATUS_OK;
}

/* A sequence that comes back after a preemption does not count as queued again. */
static void note_schedule(struct instance *instance, struct sequence *s, uint64_t now_ps)
{
    if (s->lost)
        s->record.recomputed_tokens += s->lost > s->computed ? s->lost - s->computed : 0;
    s->lost = 0;
    if (s->was_scheduled)
        return;
    s->was_scheduled = 1;
    s->record.scheduled_ps = now_ps;
    s->record.instance = instance->number;
    if (instance->config->prefix_caching) {
        s->record.prefix_tokens = s->computed;
        instance->total.prefix_queried_tokens += s->known;
        instance->total.prefix_hit_tokens += s->computed;
    }
}

/* Takes the head of the queue among the running. */
static enum status admit(struct instance *instance, uint32_t n_match, uint64_t now_ps, struct fault *fault)
{
    struct sequence *s = queue_pop(&instance->waiting);
    if (n_match) {
        kv_take(&instance->cache, &s->table, s->name, n_match);
        s->computed = n_match * instance->cache.block_tokens;
        s->n_named = n_match;
        instance->load -= s->computed;
    }
    if (!kv_extend(&instance->cache, &s->table, blocks_needed(instance, s)))
        bug("no KV for a request that fitted");
    instance->blocked_at = 0;
    instance_insert(instance, s);
    if (s->is_swapped) {
        s->is_swapped = 0;
        return swap(instance, s, 0, fault);
    }
    note_schedule(instance, s, now_ps);
    return STATUS_OK;
}

/* With schedule_ahead this iteration was decided when the one that ended just now began: who came meanwhile was not
 * there, who left was still there. Without others to run nothing was decided. */
static int was_decided_without(const struct instance *instance, const struct sequence *s, uint64_t now_ps)
{
    if (!instance->config->schedule_ahead || instance->end_ps != now_ps || instance->n_running == 0)
        return 0;
    return s->record.arrival_ps > instance->start_ps ||
           instance->n_running + instance->n_coming + instance->n_left >= instance->config->max_batch;
}

/* The head of the queue if it can be admitted now; its matching blocks. */
static struct sequence *admissible(struct instance *instance, uint64_t now_ps, uint32_t *n_match)
{
    struct sequence *s = queue_head(&instance->waiting);
    uint32_t n_kept;
    if (!s || instance->n_running + instance->n_coming >= instance->config->max_batch ||
        instance->blocked_at == instance->cache.changes + 1 || was_decided_without(instance, s, now_ps))
        return NULL;
    *n_match = match(instance, s, &n_kept);
    if (has_blocks(instance, s, *n_match, n_kept, 0))
        return s;
    instance->blocked_at = instance->cache.changes + 1;
    return NULL;
}

/* ---- preemption ---- */

static enum status preempt_last(struct instance *instance, struct fault *fault)
{
    struct sequence *s = instance->running[instance->n_running - 1];
    instance_remove(instance, instance->n_running - 1);
    s->state = SEQUENCE_WAITING;
    s->chunk = 0;
    s->record.preemptions++;
    instance->total.n_preemptions++;
    if (instance->config->preemption == PREEMPTION_SWAP && s->computed) {
        s->is_swapped = 1;
        s->record.swaps++;
        instance->total.n_swaps++;
        if (swap(instance, s, 1, fault) != STATUS_OK)
            return fault->status;
    } else {
        s->lost = s->computed;
        instance->load += s->computed;
        s->computed = 0;
        if (instance->engine->forget)
            instance->engine->forget(instance->engine->state, s->request);
    }
    s->n_named = 0;
    kv_release(&instance->cache, &s->table);
    queue_insert(&instance->waiting, instance->pool, s);
    return STATUS_OK;
}

/* Every decode needs room for one token more; the latest give way. *n_preempted counts them. */
static enum status make_room(struct instance *instance, uint32_t *n_preempted, struct fault *fault)
{
    uint32_t block_tokens = instance->cache.block_tokens;
    *n_preempted = 0;
    for (uint32_t i = 0; i < instance->n_running; i++) {
        struct sequence *s = instance->running[i];
        if ((uint64_t)s->table.n * block_tokens >= s->known)
            continue;
        while (s->state == SEQUENCE_RUNNING &&
               !kv_extend(&instance->cache, &s->table, kv_blocks(&instance->cache, s->known))) {
            if (preempt_last(instance, fault) != STATUS_OK)
                return fault->status;
            ++*n_preempted;
        }
    }
    return STATUS_OK;
}

/* ---- the policies: each gives chunks ---- */

static enum status form_chunked(struct instance *instance, uint64_t now_ps, struct fault *fault)
{
    uint32_t budget = instance->config->token_budget, n_preempted, n_match;
    if (make_room(instance, &n_preempted, fault) != STATUS_OK)
        return fault->status;
    for (uint32_t i = 0; i < instance->n_running; i++)
        budget -= instance->running[i]->chunk = (uint32_t)sequence_decodes(instance->running[i]);
    for (uint32_t i = 0; i < instance->n_running && budget; i++)
        if (!instance->running[i]->chunk)
            budget -= instance->running[i]->chunk = chunk_within(instance->running[i], budget);
    for (struct sequence *s; budget && !n_preempted && (s = admissible(instance, now_ps, &n_match));) {
        if (admit(instance, n_match, now_ps, fault) != STATUS_OK)
            return fault->status;
        budget -= s->chunk = chunk_within(s, budget);
    }
    return STATUS_OK;
}

/* Whole prompts of the running, as many as the budget holds; one that is longer goes alone. Returns their number. */
static uint32_t chunk_prompts(struct instance *instance)
{
    uint32_t budget = instance->config->token_budget, n = 0;
    int is_full = 0;
    for (uint32_t i = 0; i < instance->n_running; i++) {
        struct sequence *s = instance->running[i];
        s->chunk = 0;
        if (is_full || sequence_decodes(s))
            continue;
        uint32_t left = sequence_left(s);
        is_full = n > 0 && left > budget;
        if (is_full)
            continue;
        s->chunk = left;
        budget = left < budget ? budget - left : 0;
        n++;
    }
    return n;
}

static enum status admit_prompts(struct instance *instance, uint64_t now_ps, struct fault *fault)
{
    uint32_t budget = instance->config->token_budget, n_match, n = 0;
    for (struct sequence *s; (s = admissible(instance, now_ps, &n_match)) && !s->is_swapped; n++) {
        uint32_t left = s->known - n_match * instance->cache.block_tokens;
        if (n > 0 && left > budget)
            break;
        budget = left < budget ? budget - left : 0;
        if (admit(instance, n_match, now_ps, fault) != STATUS_OK)
            return fault->status;
    }
    return STATUS_OK;
}

static enum status admit_swapped(struct instance *instance, uint64_t now_ps, struct fault *fault)
{
    uint32_t n_match;
    for (const struct sequence *s; (s = admissible(instance, now_ps, &n_match)) && s->is_swapped;)
        if (admit(instance, n_match, now_ps, fault) != STATUS_OK)
            return fault->status;
    return STATUS_OK;
}

static enum status admit_all(struct instance *instance, uint64_t now_ps, struct fault *fault)
{
    uint32_t n_match;
    while (admissible(instance, now_ps, &n_match))
        if (admit(instance, n_match, now_ps, fault) != STATUS_OK)
            return fault->status;
    return STATUS_OK;
}

static enum status form_whole(struct instance *instance, uint64_t now_ps, struct fault *fault)
{
    int is_static = instance->config->batching == BATCHING_STATIC;
    uint32_t n_preempted;
    if (!is_static)
        admit_prompts(instance, now_ps, fault);
    else if (instance->n_running == 0)
        admit_all(instance, now_ps, fault);
    if (fault->status != STATUS_OK || chunk_prompts(instance))
        return fault->status;
    if (make_room(instance, &n_preempted, fault) != STATUS_OK)
        return fault->status;
    if (!is_static && !n_preempted && admit_swapped(instance, now_ps, fault) != STATUS_OK)
        return fault->status;
    for (uint32_t i = 0; i < instance->n_running; i++)
        instance->running[i]->chunk = 1;
    return STATUS_OK;
}

/* ---- the iteration ---- */

static void add_work(struct instance *instance, struct sequence *s, int is_prefill)
{
    struct serving_iteration *iteration = &instance->iteration;
    instance->worker[iteration->n_work] = s;
    instance->work[iteration->n_work++] = (struct serving_work){.request = s->request,
                                                                .context = s->computed,
                                                                .new_tokens = s->chunk,
                                                                .is_prefill = (uint8_t)is_prefill,
                                                                .makes_token = s->computed + s->chunk == s->known,
                                                                .block = s->table.block,
                                                                .token = s->token};
    iteration->n_tokens_made += s->computed + s->chunk == s->known;
}

static void fill_iteration(struct instance *instance, uint64_t now_ps)
{
    struct serving_iteration *iteration = &instance->iteration;
    uint32_t n_others = 0;
    *iteration =
        (struct serving_iteration){.number = instance->total.n_iterations, .start_ps = now_ps, .work = instance->work};
    for (uint32_t i = 0; i < instance->n_running; i++) {
        struct sequence *s = instance->running[i];
        if (s->chunk && sequence_decodes(s)) {
            iteration->decode_context_tokens += s->computed;
            add_work(instance, s, 0);
        } else {
            n_others += s->chunk > 0;
        }
    }
    iteration->n_decodes = iteration->n_work;
    for (uint32_t i = 0; i < instance->n_running && n_others; i++) {
        struct sequence *s = instance->running[i];
        if (s->chunk && !sequence_decodes(s)) {
            iteration->prefill_tokens += s->chunk;
            add_work(instance, s, 1);
            n_others--;
        }
    }
}

/* Who has come since the last time stands at the end of the queue. */
static void note_seen(struct instance *instance, uint64_t now_ps)
{
    for (uint32_t i = instance->waiting.n; i-- > 0;) {
        struct sequence *s = queue_at(&instance->waiting, i);
        if (s->was_seen)
            return;
        s->was_seen = 1;
        s->record.seen_ps = now_ps;
    }
}

enum status batching_form(struct instance *instance, uint64_t now_ps, struct fault *fault)
{
    note_seen(instance, now_ps);
    enum status status = instance->config->batching == BATCHING_CHUNKED ? form_chunked(instance, now_ps, fault)
                                                                        : form_whole(instance, now_ps, fault);
    if (status == STATUS_OK)
        fill_iteration(instance, now_ps);
    return status;
}
