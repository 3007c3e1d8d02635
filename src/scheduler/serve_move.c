/* serve_move.c - with tensors, the KV of a sequence moves: out to the host and back (preemption by swap), or from the
 * instance that prefilled to the one that decodes.
 *
 * Every rank has the same devices of every instance, so nothing but the order to move goes from rank to rank; what it
 * costs in virtual time the engine tells (serve_engine.c). What is on the host stays, for each rank, where its devices
 * live.
 */
#include <stdlib.h>
#include <string.h>

#include "scheduler/serve_private.h"

struct order {
    uint32_t request, n_blocks;
    int32_t from_instance, to_instance; /* -1: the host */
};

static struct executor *executor_of(const struct serve_course *course, int32_t instance)
{
    return serve_engine_executor(course->site[instance].engine);
}

/* ---- the host ---- */

static void make_room(struct serve_course *course)
{
    if (course->n_kept < course->kept_room)
        return;
    course->kept_room = course->kept_room ? 2 * course->kept_room : 16;
    course->kept = realloc(course->kept, course->kept_room * sizeof *course->kept);
    if (!course->kept)
        bug("out of memory");
}

static char *get_bytes(size_t bytes)
{
    char *values = malloc(bytes ? bytes : 1);
    if (!values)
        bug("out of memory");
    return values;
}

static void forget(struct serve_course *course, size_t i)
{
    free(course->kept[i].values);
    memmove(&course->kept[i], &course->kept[i + 1], (course->n_kept - i - 1) * sizeof *course->kept);
    course->n_kept--;
}

void serve_course_forget_kept(struct serve_course *course, int32_t instance)
{
    for (size_t i = course->n_kept; i > 0; i--)
        if (instance < 0 || course->kept[i - 1].instance == (uint32_t)instance)
            forget(course, i - 1);
    if (instance < 0) {
        free(course->kept);
        course->kept = NULL;
        course->kept_room = 0;
    }
}

static void keep(struct serve_course *course, const struct order *order, const uint32_t *block)
{
    struct executor *executor = executor_of(course, order->from_instance);
    make_room(course);
    struct serve_kept *kept = &course->kept[course->n_kept++];
    *kept = (struct serve_kept){order->request, (uint32_t)order->from_instance, order->n_blocks,
                                get_bytes(executor_kv_bytes(executor, order->n_blocks))};
    executor_kv_move(executor, block, order->n_blocks, kept->values, 1);
}

static void bring_back(struct serve_course *course, const struct order *order, const uint32_t *block)
{
    size_t i = 0;
    while (i < course->n_kept && course->kept[i].request != order->request)
        i++;
    if (i == course->n_kept || course->kept[i].n_blocks != order->n_blocks)
        bug("request %u has no %u blocks of KV on the host", order->request, order->n_blocks);
    executor_kv_move(executor_of(course, order->to_instance), block, order->n_blocks, course->kept[i].values, 0);
    forget(course, i);
}

void serve_course_archive_kept(struct serve_course *course, struct archive *archive)
{
    int tells = archive_restores(archive) || comm_rank(course->serve->comm) == 0;
    size_t n = tells ? archive_count(archive, "kept/n", course->n_kept) : course->n_kept;
    for (size_t i = 0; i < n && !archive_has_failed(archive); i++) {
        make_room(course);
        struct serve_kept *kept = &course->kept[i];
        if (archive_restores(archive))
            *kept = (struct serve_kept){.values = NULL};
        archive_enter(archive, "kept/%06zu", i);
        if (tells) {
            archive_field(archive, "request", &kept->request);
            archive_field(archive, "instance", &kept->instance);
            archive_field(archive, "n_blocks", &kept->n_blocks);
        }
        if (kept->instance >= course->n_sites)
            archive_refuse(archive, "KV on the host of instance %u", kept->instance);
        else if (!archive_has_failed(archive)) {
            struct executor *executor = executor_of(course, (int32_t)kept->instance);
            if (archive_restores(archive))
                kept->values = get_bytes(executor_kv_bytes(executor, kept->n_blocks));
            course->n_kept = i + 1 > course->n_kept ? i + 1 : course->n_kept;
            executor_kv_archive(executor, kept->n_blocks, kept->values, archive);
        }
        archive_leave(archive);
    }
}

/* ---- orders ---- */

static void carry_out(struct serve_course *course, const struct order *order, const uint32_t *from, const uint32_t *to)
{
    if (order->to_instance < 0) {
        keep(course, order, from);
    } else if (order->from_instance < 0) {
        bring_back(course, order, to);
    } else {
        struct executor *source = executor_of(course, order->from_instance);
        char *values = get_bytes(executor_kv_bytes(source, order->n_blocks));
        executor_kv_move(source, from, order->n_blocks, values, 1);
        executor_kv_move(executor_of(course, order->to_instance), to, order->n_blocks, values, 0);
        free(values);
    }
}

/* Collective: rank 0's order and its blocks to all. blocks[2 n_blocks]: from, to. */
static enum status share(struct serve_course *course, struct order *order, const struct serving_move *move,
                         struct fault *fault)
{
    struct comm *comm = course->serve->comm;
    enum status status = comm_broadcast(comm, order, sizeof *order, fault);
    if (status != STATUS_OK)
        return status;
    struct arena *arena = arena_new();
    size_t n = order->n_blocks;
    uint32_t *from = arena_array(arena, 2 * n + 1, sizeof *from), *to = from + n;
    if (move && move->from)
        memcpy(from, move->from, n * sizeof *from);
    if (move && move->to)
        memcpy(to, move->to, n * sizeof *to);
    status = comm_broadcast(comm, from, 2 * n * sizeof *from, fault);
    if (status == STATUS_OK)
        carry_out(course, order, from, to);
    arena_free(arena);
    return status;
}

enum status serve_course_move(void *state, const struct serving_move *move, struct fault *fault)
{
    struct serve_course *course = state;
    uint32_t block_tokens = course->serve->serving.block_tokens;
    struct order order = {move->request, (move->n_tokens + block_tokens - 1) / block_tokens, move->from_instance,
                          move->to_instance};
    enum status status = serve_course_wish(course, SERVE_WISH_MOVE, fault);
    if (status == STATUS_OK)
        status = share(course, &order, move, fault);
    if (status != STATUS_OK)
        serve_course_abandon(course);
    return status;
}

enum status serve_course_follow_move(struct serve_course *course, struct fault *fault)
{
    struct order order;
    return share(course, &order, NULL, fault);
}
