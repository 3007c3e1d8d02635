/* libFuzzer target: any bytes as a job. What is read must print and read back as the same text.
 *   clang -fsanitize=fuzzer,address,undefined -Isrc tests/fuzz/fuzz_yaml.c src/config/[a-z]*.c src/base/[a-z]*.c
 * -lcyaml -lyaml -lm
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A folder that does not exist: cluster files are not to be found. */
static const char name[] = "/nowhere/fuzz.yaml";

static void check_round_trip(struct arena *arena, const struct job *job)
{
    struct fault fault = FAULT_NONE;
    struct job again;
    const char *printed = job_print(arena, job);
    if (job_parse(arena, name, printed, NULL, 0, &again, &fault))
        bug("printed job refused: %s\n%s", fault.text, printed);
    if (strcmp(printed, job_print(arena, &again)))
        bug("printed job reads back differently:\n%s", printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    struct job job;
    char *text = arena_take(arena, size + 1);
    if (size > 0)
        memcpy(text, data, size);
    /* A second text after a NUL byte is an override. */
    const char *override = strlen(text) < size ? text + strlen(text) + 1 : "train.seed=1";
    if (!job_parse(arena, name, text, &override, 1, &job, &fault))
        check_round_trip(arena, &job);
    else if (!*fault.text)
        bug("refused without a word");
    arena_free(arena);
    return 0;
}
