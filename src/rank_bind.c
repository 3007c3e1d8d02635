/* rank_bind.c - a program that varies, made ready for an iteration: rows, what has work, costs. */
#include "rank_private.h"

/* Costs that depend on numbers of rows alone are kept; an iteration has up to a few thousand. Most runs meet few of
 * these numbers, so a page of the table is made when the first of its entries is. */
enum { MEMO_PAGES = 64, PAGE_ENTRIES = 64, MEMO_ENTRIES = MEMO_PAGES * PAGE_ENTRIES, WAIT_ENTRIES = 16 };

struct price_entry {
    int64_t rows, elements; /* 0: empty */
    struct cost cost;
};

struct price_memo {
    struct price_entry *page[MEMO_PAGES]; /* [PAGE_ENTRIES] each, or NULL */
};

struct wait_memo {
    int is_set;
    char *takes_part; /* [n_instrs] */
    int *first, *n;   /* [n_instrs] */
    struct wait *waits;
};

static struct wait_memo *wait_memo_new(const struct program *program, struct arena *arena)
{
    struct wait_memo *memo = arena_array(arena, WAIT_ENTRIES, sizeof *memo);
    size_t n = (size_t)program->n_instrs + 1;
    for (int k = 0; k < WAIT_ENTRIES; k++) {
        memo[k].takes_part = arena_array(arena, n, sizeof *memo[k].takes_part);
        memo[k].first = arena_array(arena, n, sizeof *memo[k].first);
        memo[k].n = arena_array(arena, n, sizeof *memo[k].n);
        memo[k].waits = arena_array(arena, (size_t)program_most_waits(program), sizeof *memo[k].waits);
    }
    return memo;
}

struct binding *binding_new(const struct program *planned, struct arena *arena)
{
    struct binding *binding = arena_take(arena, sizeof *binding);
    size_t n = (size_t)planned->n_instrs + 1;
    binding->planned = planned;
    binding->program = *planned;
    binding->program.instrs = arena_array(arena, n, sizeof *binding->program.instrs);
    binding->ops = arena_array(arena, n, sizeof *binding->ops);
    binding->has_work = arena_array(arena, n, sizeof *binding->has_work);
    binding->takes_part = arena_array(arena, n, sizeof *binding->takes_part);
    binding->waits = wait_memo_new(planned, arena);
    for (int i = 0; i < planned->n_instrs; i++) {
        binding->ops[i] = *planned->instrs[i].op;
        binding->program.instrs[i] = planned->instrs[i];
        binding->program.instrs[i].op = &binding->ops[i];
    }
    return binding;
}

void binding_remember(struct binding *binding, struct arena *arena)
{
    size_t n = (size_t)binding->program.n_instrs + 1;
    binding->n_tokens = 0;
    if (!binding->memo)
        binding->memo = arena_array(arena, n, sizeof *binding->memo);
    for (size_t i = 0; i < n; i++)
        for (int p = 0; p < MEMO_PAGES; p++)
            if (binding->memo[i].page[p])
                memset(binding->memo[i].page[p], 0, PAGE_ENTRIES * sizeof *binding->memo[i].page[p]);
}

/* The same ops in the same order: whatever the peers are, an iteration costs the same on equal devices. */
int binding_is_like(const struct binding *binding, const struct binding *other)
{
    const struct program *a = binding->planned, *b = other->planned;
    if (a->n_instrs != b->n_instrs || a->loop_first != b->loop_first || a->loop_end != b->loop_end)
        return 0;
    for (int i = 0; i < a->n_instrs; i++)
        if (memcmp(a->instrs[i].op, b->instrs[i].op, sizeof *a->instrs[i].op) != 0)
            return 0;
    return 1;
}

static void bind_like(struct binding *binding)
{
    const struct binding *like = binding->like;
    memcpy(binding->ops, like->ops, (size_t)binding->program.n_instrs * sizeof *binding->ops);
    memcpy(binding->has_work, like->has_work, (size_t)binding->program.n_instrs);
    for (int i = 0; i < binding->program.n_instrs; i++)
        binding->program.instrs[i].cost = like->program.instrs[i].cost;
}

static int depends_on_contexts(enum op_kind kind)
{
    return kind == OP_KV_ATTENTION || kind == OP_PROMPT_ATTENTION || kind == OP_KV_APPEND || kind == OP_KV_FETCH;
}

/* ... or the rows themselves? Those of shards and of what is fetched do. */
static int rows_depend_on_contexts(const struct op *planned)
{
    return depends_on_contexts(planned->kind) || planned->tokens == TOKENS_FETCHED || planned->shards > 1;
}

static struct price_entry *entry_of(struct price_memo *memo, int64_t key, struct arena *arena)
{
    int64_t e = key % MEMO_ENTRIES;
    struct price_entry **page = &memo->page[e / PAGE_ENTRIES];
    if (!*page)
        *page = arena_array(arena, PAGE_ENTRIES, sizeof **page);
    return *page + e % PAGE_ENTRIES;
}

static void price(const struct executor *executor, int device, struct price_memo *memo, int64_t elements,
                  struct instr *instr)
{
    const struct executor_prices *prices = &executor->options.prices;
    int64_t rows = instr->op->rows;
    struct price_entry *kept =
        depends_on_contexts(instr->op->kind) ? NULL : entry_of(memo, rows + elements, executor->arena);
    if (kept && kept->rows == rows && kept->elements == elements) {
        instr->cost = kept->cost;
        return;
    }
    prices->price(prices->context, device, instr);
    if (instr->cost.time_ps == 0)
        bug("%s of an iteration takes no time", instr->name);
    if (kept)
        *kept = (struct price_entry){rows, elements, instr->cost};
}

static void find_waits(struct binding *binding, struct wait_memo *memo)
{
    struct arena *arena = arena_new();
    struct program *program = &binding->program;
    program_link_waits(program, binding->takes_part, arena);
    memo->is_set = 1;
    memcpy(memo->takes_part, binding->takes_part, (size_t)program->n_instrs);
    memcpy(memo->waits, program->waits, (size_t)program->n_waits * sizeof *memo->waits);
    for (int i = 0; i < program->n_instrs; i++) {
        memo->first[i] = program->instrs[i].first_wait;
        memo->n[i] = program->instrs[i].n_waits;
    }
    program->waits = memo->waits;
    arena_free(arena);
}

/* An instruction that has no work in this iteration must not hide another one behind which it comes on its engine. */
static void bind_waits(struct binding *binding)
{
    struct program *program = &binding->program;
    size_t n = (size_t)program->n_instrs;
    for (size_t i = 0; i < n; i++)
        binding->takes_part[i] = (char)(binding->has_work[i] || is_passed(program->instrs[i].op));
    for (int k = 0; k < WAIT_ENTRIES; k++) {
        struct wait_memo *memo = &binding->waits[k];
        if (!memo->is_set || memcmp(memo->takes_part, binding->takes_part, n) != 0)
            continue;
        program->waits = memo->waits;
        for (size_t i = 0; i < n; i++) {
            program->instrs[i].first_wait = memo->first[i];
            program->instrs[i].n_waits = memo->n[i];
        }
        return;
    }
    find_waits(binding, &binding->waits[binding->next_waits]);
    binding->next_waits = (binding->next_waits + 1) % WAIT_ENTRIES;
}

/* Rows, cost and work of instruction i. */
static void bind_instr(const struct executor *executor, int device, struct binding *binding, int i,
                       const struct batch *batch)
{
    struct instr *instr = &binding->program.instrs[i];
    const struct op *planned = binding->planned->instrs[i].op;
    struct op *op = &binding->ops[i];
    int64_t elements = 0;
    binding->has_work[i] = (char)batch_bind(planned, batch, op);
    memset(&instr->cost, 0, sizeof instr->cost);
    if (!binding->has_work[i])
        return;
    if (op->kind == OP_SEND || op->kind == OP_RECV) {
        elements = batch_message_elements(op);
        op->transfer_bytes = planned->transfer_bytes / (uint64_t)planned->rows * (uint64_t)elements;
    }
    if (op->kind == OP_ALLREDUCE)
        op->transfer_bytes = planned->transfer_bytes / (uint64_t)planned->rows * (uint64_t)op->rows;
    price(executor, device, &binding->memo[i], elements, instr);
}

/* Is the batch of the same size as the one before? Then only what depends on contexts differs. */
static int has_same_size(const struct binding *binding, const struct batch *batch)
{
    return binding->n_tokens == batch->n_tokens && binding->n_cached_tokens == batch->n_cached_tokens &&
           binding->n_answers == batch->n_answers;
}

void bind_device(const struct executor *executor, int device, struct binding *binding, const struct batch *batch)
{
    if (binding->like) {
        bind_like(binding);
        bind_waits(binding);
        return;
    }
    int same = has_same_size(binding, batch);
    for (int i = 0; i < binding->program.n_instrs; i++) {
        binding->ops[i].batch = batch;
        if (!same || rows_depend_on_contexts(binding->planned->instrs[i].op))
            bind_instr(executor, device, binding, i, batch);
    }
    binding->n_tokens = batch->n_tokens;
    binding->n_cached_tokens = batch->n_cached_tokens;
    binding->n_answers = batch->n_answers;
    bind_waits(binding);
}

void binding_cost(struct binding *binding)
{
    const struct program *program = &binding->program;
    memset(binding->energy_fj, 0, sizeof binding->energy_fj);
    binding->busy_ps = 0;
    for (int i = 0; i < program->n_instrs; i++) {
        const struct instr *instr = &program->instrs[i];
        int in_loop = program->loop_count > 1 && i >= program->loop_first && i < program->loop_end;
        uint64_t times = in_loop ? (uint64_t)program->loop_count : 1;
        for (int p = 0; p < N_ENERGY_PARTS; p++)
            binding->energy_fj[p] += times * instr->cost.energy_fj[p];
        if (instr->engine == ENGINE_COMPUTE)
            binding->busy_ps += times * instr->cost.time_ps;
    }
}
