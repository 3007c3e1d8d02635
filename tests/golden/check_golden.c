/* check_golden DIR - compares the program with reference tensors: every .h5 file of a directory, in the order of names.
 *
 * One line per file with the worst error and the tolerance of each kind of comparison (and how many there were); a line
 * for each comparison that fails; at the end "N passed, N failed, N skipped", counted in groups of a file. Exit status
 * 0 when nothing failed and something passed.
 */
#include <dirent.h>

#include "golden_model.h"
#include "golden_ops.h"
#include "golden_traffic.h"
#include "golden_traffic_ops.h"

static void tell(const struct golden *golden)
{
    printf("%s: %s", golden->name, golden->failed ? "FAILED" : golden->passed ? "ok" : "skipped");
    for (int k = 0; k < N_GOLDEN_KINDS; k++)
        if (golden->compared[k])
            printf("; %s %.1e (of %.0e, %d tensors)", golden_kinds[k].name, golden->worst[k], golden_kinds[k].tolerance,
                   golden->compared[k]);
    if (golden->skips)
        printf("; skipped: %s", golden->skips);
    printf("\n");
}

static void check_layout(struct golden *golden, const char *path)
{
    struct fault fault = FAULT_NONE;
    if (setjmp(golden->give_up)) {
        golden->failed++;
        return;
    }
    golden_demand(golden, h5_open(path, &golden->file, &fault), &fault);
    if (is_model(golden))
        check_model(golden);
    else if (is_ops(golden))
        check_ops(golden);
    else if (is_traffic(golden))
        check_traffic(golden);
    else if (is_intrinsic(golden))
        check_intrinsic(golden);
    else if (is_traffic_ops(golden))
        check_traffic_ops(golden);
    else
        golden_skip(golden, "all of it", "a layout this program does not read yet");
}

static void check_file(const char *path, const char *name, int counts[3])
{
    struct golden golden = {.path = path, .name = name, .arena = arena_new()};
    check_layout(&golden, path);
    tell(&golden);
    h5_close(golden.file);
    counts[0] += golden.passed;
    counts[1] += golden.failed;
    counts[2] += golden.skipped;
    arena_free(golden.arena);
}

static int is_h5(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 3 && strcmp(entry->d_name + length - 3, ".h5") == 0;
}

int main(int argc, char **argv)
{
    struct dirent **files;
    int counts[3] = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIR\n", argv[0]);
        return 2;
    }
    int n = scandir(argv[1], &files, is_h5, alphasort);
    if (n < 1) {
        fprintf(stderr, "%s: expected a directory with .h5 files\n", argv[1]);
        return 2;
    }
    struct arena *arena = arena_new();
    for (int i = 0; i < n; i++) {
        check_file(arena_printf(arena, "%s/%s", argv[1], files[i]->d_name), files[i]->d_name, counts);
        free(files[i]);
    }
    free(files);
    arena_free(arena);
    printf("%d passed, %d failed, %d skipped\n", counts[0], counts[1], counts[2]);
    return counts[1] || !counts[0];
}
