#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 64, CHUNK_BYTES = 1 << 16 };

struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(ALIGN) unsigned char bytes[];
};

struct arena {
    struct chunk *chunks;
};

static _Noreturn void out_of_memory(size_t size)
{
    fprintf(stderr, "polyrank: out of memory: could not get %zu bytes of host memory\n", size);
    exit(STATUS_FAILED);
}

struct arena *arena_new(void)
{
    struct arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        out_of_memory(sizeof *arena);
    return arena;
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    for (struct chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(arena);
}

static struct chunk *chunk_new(size_t size)
{
    size_t bytes = sizeof(struct chunk) + (size > CHUNK_BYTES ? size : CHUNK_BYTES);
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    struct chunk *chunk = aligned_alloc(ALIGN, bytes);
    if (!chunk)
        out_of_memory(size);
    chunk->used = 0;
    chunk->size = bytes - sizeof(struct chunk);
    return chunk;
}

/* Only what is taken is cleared: many arenas live for an iteration and take little. */
void *arena_take(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX - 2 * CHUNK_BYTES)
        out_of_memory(size);
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    struct chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < size) {
        chunk = chunk_new(size);
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    void *taken = chunk->bytes + chunk->used;
    chunk->used += size;
    return memset(taken, 0, size);
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (!size_mul(count, size, &bytes))
        bug("array of %zu x %zu bytes", count, size);
    return arena_take(arena, bytes);
}

void *arena_grown(struct arena *arena, void *list, size_t n, size_t size)
{
    if (n & (n - 1))
        return list;
    void *larger = arena_array(arena, n ? 2 * n : 1, size);
    if (n)
        memcpy(larger, list, n * size);
    return larger;
}

char *arena_string(struct arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(arena_take(arena, size), text, size);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        bug("format %s", format);
    char *text = arena_take(arena, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

enum status block_new(void **block, size_t bytes, struct fault *fault)
{
    enum { PAGE = 4096, HUGE_PAGE = 2 << 20, LARGE = 16 << 20 }; /* whole huge pages of less would waste memory */
    const size_t page = bytes < LARGE ? PAGE : HUGE_PAGE;
    if (bytes > SIZE_MAX - page)
        return fault_set(fault, STATUS_FAILED, "cannot get %zu bytes of host memory", bytes);
    size_t rounded = (bytes + page - 1) / page * page;
    void *memory = rounded ? aligned_alloc(page, rounded) : NULL;
    if (rounded && !memory)
        return fault_set(fault, STATUS_FAILED,
                         "cannot get %.2f GiB of host memory for tensors: use --timing-only, fewer devices per rank "
                         "or a smaller model",
                         (double)bytes / 1073741824.0);
    if (memory && page == HUGE_PAGE)
        madvise(memory, rounded, MADV_HUGEPAGE); /* a wish: where it is not granted, small pages do as well */
    if (memory)
        memset(memory, 0, rounded);
    *block = memory;
    return STATUS_OK;
}

void block_free(void *block)
{
    free(block);
}

int size_mul(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}
