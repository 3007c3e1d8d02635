/* States that are saved and restored: values bit by bit, through memory and through checkpoint files; what is missing,
 * of another type or damaged is refused. */
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

#include "archive_copy.h"
#include "config/differences.h"
#include "folder.h"
#include "kernel/crossbar.h"
#include "store/state.h"
#include "switch_feed.h"

Suite *suite_archive(void);

enum { CASES = 12, MOST = 40 };

/* One of each kind. */
struct things {
    uint8_t byte;
    int32_t i;
    uint32_t u;
    int64_t l;
    uint64_t ul;
    float f;
    double d;
    int16_t s;
    wide_uint wide;
    const char *text;
};

struct box {
    size_t n;
    struct things *thing;
};

static struct box random_box(struct dice *d, struct arena *arena)
{
    static const char *const texts[] = {"", "a", "full", "two words", "\xc3\xbc"};
    struct box box = {.n = (size_t)below(d, MOST)};
    box.thing = arena_array(arena, box.n + 1, sizeof *box.thing);
    for (size_t i = 0; i < box.n; i++)
        box.thing[i] = (struct things){.byte = (uint8_t)below(d, 256),
                                       .i = (int32_t)below(d, 1000) - 500,
                                       .u = (uint32_t)below(d, UINT32_MAX),
                                       .l = -(int64_t)below(d, INT64_MAX),
                                       .ul = UINT64_MAX - below(d, 5),
                                       .f = i == 3 ? NAN : (float)normal(d),
                                       .d = i == 4 ? -INFINITY : normal(d),
                                       .s = (int16_t)((int)below(d, 65536) - 32768),
                                       .wide = (wide_uint)below(d, UINT64_MAX) << 64 | below(d, UINT64_MAX),
                                       .text = texts[below(d, 5)]};
    return box;
}

static void box_archive(struct box *box, struct archive *archive)
{
    archive_enter(archive, "box/%d", 7);
    box->n = archive_count(archive, "n", box->n);
    if (archive_restores(archive))
        box->thing = arena_array(archive_arena(archive), box->n + 1, sizeof *box->thing);
    struct things *first = box->thing;
    size_t stride = sizeof *first;
    archive_column(archive, "byte", &first->byte, box->n, stride);
    archive_column(archive, "i", &first->i, box->n, stride);
    archive_column(archive, "u", &first->u, box->n, stride);
    archive_column(archive, "l", &first->l, box->n, stride);
    archive_column(archive, "ul", &first->ul, box->n, stride);
    archive_column(archive, "f", &first->f, box->n, stride);
    archive_column(archive, "d", &first->d, box->n, stride);
    archive_column(archive, "s", &first->s, box->n, stride);
    archive_wide(archive, "wide", &first->wide, box->n, stride);
    archive_texts(archive, "text", &first->text, box->n, stride);
    archive_leave(archive);
}

static void expect_same_box(const struct box *a, const struct box *b)
{
    ck_assert_uint_eq(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        const struct things *x = &a->thing[i], *y = &b->thing[i];
        ck_assert(x->byte == y->byte && x->i == y->i && x->u == y->u && x->l == y->l && x->ul == y->ul);
        ck_assert(x->s == y->s && x->wide == y->wide && strcmp(x->text, y->text) == 0);
        ck_assert(memcmp(&x->f, &y->f, sizeof x->f) == 0 && memcmp(&x->d, &y->d, sizeof x->d) == 0);
    }
}

START_TEST(values_come_back)
{
    struct dice d = dice(900 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    struct box box = random_box(&d, arena), back = {.n = 0};
    struct archive *saved = archive_new(arena);
    struct archive_copy copy;
    box_archive(&box, saved);
    struct archive *archive = archive_back(saved, &copy, arena);
    box_archive(&back, archive);
    ck_assert(archive_status(archive, &fault) == STATUS_OK);
    expect_same_box(&box, &back);
    arena_free(arena);
}
END_TEST

static const struct state_head head = {.kind = "training",
                                       .job = "name: x\ntrain:\n  minibatch: 16\n",
                                       .plan_hash = UINT64_MAX - 3,
                                       .arithmetic_hash = 5,
                                       .input_hash = 0xdeadbeef,
                                       .progress = 11,
                                       .total = 20,
                                       .virtual_ps = 1234567890123};

static void write_state(const char *path, struct archive *archive)
{
    struct fault fault = FAULT_NONE;
    struct state_writer *writer;
    size_t n;
    const struct archive_entry *entries = archive_entries(archive, &n);
    ck_assert_msg(state_create(path, &head, entries, n, &writer, &fault) == STATUS_OK, "%s", fault.text);
    for (size_t i = 0; i < n; i++) /* in two pieces */
        for (int half = 0; half < 2; half++) {
            uint64_t first = half ? entries[i].n / 2 : 0, some = half ? entries[i].n - first : entries[i].n / 2;
            const char *values = entries[i].values;
            state_write(writer, &entries[i], first, some, values + first * archive_type_bytes(entries[i].type), &fault);
        }
    expect_ok(&fault);
    ck_assert_msg(state_finish(writer, &fault) == STATUS_OK, "%s", fault.text);
}

START_TEST(files_keep_them)
{
    struct dice d = dice(930 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct box first = random_box(&d, arena), second = random_box(&d, arena), back = {.n = 0};
    folder_open(&folder);
    const char *path = folder_file(&folder, "checkpoint.h5"), *previous = folder_file(&folder, "checkpoint.prev.h5");
    ck_assert_str_eq(state_previous(arena, path), previous);
    const struct box *boxes[] = {&first, &second};
    for (int i = 0; i < 2; i++) {
        struct box box = *boxes[i];
        struct archive *saved = archive_new(arena);
        box_archive(&box, saved);
        write_state(path, saved);
    }
    const char *const files[] = {previous, path};
    for (int i = 0; i < 2; i++) {
        struct state_file *file;
        ck_assert_msg(state_open(files[i], &file, &fault) == STATUS_OK, "%s", fault.text);
        const struct state_head *found = state_head(file);
        ck_assert(found->plan_hash == head.plan_hash && found->input_hash == head.input_hash);
        ck_assert(found->progress == 11 && found->total == 20 && found->virtual_ps == head.virtual_ps);
        ck_assert(strcmp(found->job, head.job) == 0 && strcmp(found->kind, head.kind) == 0);
        const struct archive_source source = state_source(file);
        struct archive *archive = archive_from(&source, arena);
        box_archive(&back, archive);
        ck_assert_msg(archive_status(archive, &fault) == STATUS_OK, "%s", fault.text);
        expect_same_box(boxes[i], &back);
        state_close(file);
    }
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    struct arena *arena = arena_new();
    struct archive *saved = archive_new(arena);
    struct archive_copy copy;
    double values[3] = {1, 2, 3};
    archive_array(saved, "values", values, 3);
    struct fault fault = FAULT_NONE;
    struct archive *archive = archive_back(saved, &copy, arena);
    double back[4] = {9, 9, 9, 9};
    int64_t whole[3] = {9, 9, 9};
    switch (_i) {
    case 0:
        archive_array(archive, "other", back, 3);
        break;
    case 1:
        archive_array(archive, "values", back, 4);
        break;
    default:
        archive_array(archive, "values", whole, 3);
    }
    ck_assert_int_eq(archive_status(archive, &fault), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(fault.text, _i == 0 ? "other" : "values"));
    archive_array(archive, "values", back, 3); /* after a fault nothing is touched any more */
    ck_assert(back[0] == 9 && back[2] == 9 && back[3] == 9 && whole[0] == 9);
    ck_assert_uint_eq(archive_count(archive, "values", 5), 0);
    arena_free(arena);
}
END_TEST

/* Any change of any byte, and any shorter file. */
START_TEST(damage_is_found)
{
    struct dice d = dice(960 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct folder folder;
    folder_open(&folder);
    const char *path = folder_file(&folder, "checkpoint.h5");
    struct box box = random_box(&d, arena);
    struct archive *saved = archive_new(arena);
    box_archive(&box, saved);
    write_state(path, saved);
    size_t size;
    char *bytes = read_text(path, &size);
    for (int i = 0; i < 20; i++) {
        size_t at = (size_t)below(&d, size), length = i % 4 == 3 ? at : size;
        char before = bytes[at];
        bytes[at] = (char)(bytes[at] ^ (1 << below(&d, 8)));
        FILE *file = fopen(path, "wb");
        ck_assert(fwrite(bytes, 1, length, file) == length && fclose(file) == 0);
        bytes[at] = before;
        struct state_file *state;
        struct fault fault = FAULT_NONE;
        ck_assert_int_eq(state_open(path, &state, &fault), STATUS_IO);
        ck_assert_ptr_nonnull(strstr(fault.text, path));
    }
    free(bytes);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

/* Who knows that this very file is sound does not read it again; of a copy, or of one that has changed, nobody knows.
 */
START_TEST(a_verified_file_is_not_read_again)
{
    struct dice d = dice(970 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct state_file *file;
    folder_open(&folder);
    const char *path = folder_file(&folder, "checkpoint.h5"), *copy = folder_file(&folder, "copy.h5");
    struct box box = random_box(&d, arena), back = {.n = 0};
    struct archive *saved = archive_new(arena);
    box_archive(&box, saved);
    write_state(path, saved);
    ck_assert_int_eq(state_open(path, &file, &fault), STATUS_OK);
    struct state_identity known = *state_identity(file);
    state_close(file);
    ck_assert_int_eq(state_open_verified(path, &known, &file, &fault), STATUS_OK);
    const struct archive_source source = state_source(file);
    struct archive *archive = archive_from(&source, arena);
    box_archive(&back, archive);
    ck_assert_msg(archive_status(archive, &fault) == STATUS_OK, "%s", fault.text);
    expect_same_box(&box, &back);
    state_close(file);
    size_t size;
    char *bytes = read_text(path, &size);
    bytes[size - 5] ^= 1; /* of the checksum itself */
    for (int i = 0; i < 2; i++) {
        FILE *out = fopen(i ? path : copy, i ? "r+b" : "wb");
        ck_assert(fwrite(bytes, 1, size, out) == size && fclose(out) == 0);
    }
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                      {(time_t)known.changed_s, (long)known.changed_ns}}, /* nobody has seen it */
        later[2] = {{.tv_nsec = UTIME_OMIT}, {(time_t)known.changed_s + 1, 0}};
    ck_assert(utimensat(AT_FDCWD, copy, times, 0) == 0 && utimensat(AT_FDCWD, path, times, 0) == 0);
    ck_assert_int_eq(state_open_verified(path, &known, &file, &fault), STATUS_OK);
    state_close(file);
    ck_assert_int_eq(state_open_verified(copy, &known, &file, &fault), STATUS_IO);
    fault = FAULT_NONE;
    ck_assert(utimensat(AT_FDCWD, path, later, 0) == 0);
    ck_assert_int_eq(state_open_verified(path, &known, &file, &fault), STATUS_IO);
    fault = FAULT_NONE;
    ck_assert_int_eq(state_open(path, &file, &fault), STATUS_IO);
    free(bytes);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

/* A controller that was saved within any window goes on as the one that was not. */
START_TEST(switch_goes_on)
{
    struct dice d = dice(1000 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct switch_config config = config_of(_i % 2 ? SWITCH_SAFE : SWITCH_HPT, 10000);
    struct mode_switch *one = start(&config, arena), *other = switch_new(&config, arena);
    int before = (int)below(&d, 12), n_one, n_other;
    for (int j = 0; j < before; j++) {
        struct window window = calm(j);
        feed(one, &window, 0.001, (uint32_t)_i);
    }
    int64_t partial = before < 12 ? (int64_t)below(&d, K - 1) : 0, step = switch_steps(one);
    for (int64_t i = 1; i <= partial; i++)
        switch_observe_step(one, step + i, 1 + 0.01 * (double)i, 1.01);
    struct archive *saved = archive_new(arena);
    struct archive_copy copy;
    switch_archive(one, saved);
    struct archive *archive = archive_back(saved, &copy, arena);
    switch_archive(other, archive);
    struct fault fault = FAULT_NONE;
    ck_assert_msg(archive_status(archive, &fault) == STATUS_OK, "%s", fault.text);
    for (int64_t i = step + partial + 1; i <= step + 6 * K; i++) {
        double loss = 1 + 0.001 * normal(&d), drifts[3];
        struct window window = calm(9);
        struct mode_switch *const both[] = {one, other};
        struct switch_decision decision[2];
        for (int b = 0; b < 2; b++) {
            decision[b] = switch_observe_step(both[b], i, loss, loss + 0.001);
            if (!switch_window_is_full(both[b]))
                continue;
            struct switch_window numbers = numbers_of(&window, switch_wants(both[b]), drifts);
            feed_prices(both[b], &numbers);
            decision[b] = switch_observe_window(both[b], &numbers);
        }
        ck_assert_int_eq(decision[0].action, decision[1].action);
    }
    const struct switch_record *x = switch_log(one, &n_one), *y = switch_log(other, &n_other);
    ck_assert_int_eq(n_one, n_other);
    for (int i = 0; i < n_one; i++) {
        ck_assert(x[i].step == y[i].step && x[i].action == y[i].action && x[i].n_numbers == y[i].n_numbers);
        ck_assert_str_eq(x[i].reason, y[i].reason);
        for (int k = 0; k < x[i].n_numbers; k++) {
            ck_assert_str_eq(x[i].number[k].name, y[i].number[k].name);
            ck_assert(memcmp(&x[i].number[k].value, &y[i].number[k].value, sizeof(double)) == 0);
        }
    }
    check_log(&config, other);
    arena_free(arena);
}
END_TEST

/* Cells that were saved read as they did, noise and drift included. */
START_TEST(cells_come_back)
{
    struct dice d = dice(1040 + (uint32_t)_i);
    struct arena *arena = arena_new();
    const struct crossbar_spec spec = {.fidelity = _i % 2 ? CROSSBAR_ANALOG : CROSSBAR_QUANTIZED,
                                       .mapping = _i % 3 ? CROSSBAR_DIFFERENTIAL : CROSSBAR_OFFSET,
                                       .rows = 32,
                                       .columns = 32,
                                       .weight_bits = 8,
                                       .input_bits = 6,
                                       .error_bits = 6,
                                       .cell_bits = 2,
                                       .dac_bits = 1,
                                       .adc_bits = 9,
                                       .on_off = 50,
                                       .program_noise = 0.05,
                                       .read_noise = 0.02,
                                       .stuck_low = 0.01,
                                       .drift = 0.03};
    int64_t out = 1 + (int64_t)below(&d, 40), in = 1 + (int64_t)below(&d, 70);
    float *w = arena_array(arena, (size_t)(out * in), sizeof *w), *x = arena_array(arena, (size_t)in, sizeof *x);
    float *y[2] = {arena_array(arena, (size_t)out, sizeof(float)), arena_array(arena, (size_t)out, sizeof(float))};
    for (int64_t i = 0; i < out * in; i++)
        w[i] = (float)normal(&d);
    for (int64_t i = 0; i < in; i++)
        x[i] = (float)normal(&d);
    struct crossbar_matrix *matrix[2] = {crossbar_program(&spec, out, in, w, 5, 2, 1), NULL};
    struct archive *saved = archive_new(arena);
    struct archive_copy copy;
    struct fault fault = FAULT_NONE;
    crossbar_archive(&matrix[0], &spec, saved);
    struct archive *archive = archive_back(saved, &copy, arena);
    crossbar_archive(&matrix[1], &spec, archive);
    ck_assert(archive_status(archive, &fault) == STATUS_OK && matrix[1]);
    const struct crossbar_read read = {.step = 7, .first_row = 3, .age_ps = 5000000000000};
    struct crossbar_work work = {NULL, 0};
    for (int m = 0; m < 2; m++) {
        crossbar_forward(matrix[m], &read, 1, x, NULL, y[m], &work);
        crossbar_free(matrix[m]);
    }
    ck_assert(memcmp(y[0], y[1], (size_t)out * sizeof(float)) == 0);
    crossbar_work_release(&work);
    arena_free(arena);
}
END_TEST

START_TEST(differences_are_named)
{
    static const struct {
        const char *was, *is, *told;
        int n;
    } table[] = {
        {"a: 1\nb: {c: 2}\n", "a: 1\nb: {c: 2}\n", "", 0},
        {"a: 1\nb: {c: 2}\n", "a: 1\nb: {c: 3}\n", "b.c was '2' and is '3'", 1},
        {"a: 1\n", "a: 1\nb: {c: 3}\n", "b was not given and is a section", 1},
        {"l:\n  - {k: 1}\n  - {k: 2}\n", "l:\n  - {k: 1}\n  - {k: 5}\n", "l[1].k was '2' and is '5'", 1},
        {"output: {directory: x}\ndata: {file: y}\n", "output: {directory: z}\ndata: {file: w}\n", "", 0},
        {"a: 1\nb: 1\nc: 1\nd: 1\ne: 1\n", "a: 2\nb: 2\nc: 2\nd: 2\ne: 2\n", "d was '1' and is '2', ...", 5},
    };
    char text[256];
    ck_assert_int_eq(differences_of_jobs(table[_i].was, table[_i].is, text, sizeof text), table[_i].n);
    ck_assert_msg(strstr(text, table[_i].told) && (table[_i].n || !text[0]), "%s", text);
}
END_TEST

Suite *suite_archive(void)
{
    Suite *suite = suite_create("archive");
    TCase *tcase = tcase_create("archive");
    tcase_add_loop_test(tcase, values_come_back, 0, CASES);
    tcase_add_loop_test(tcase, files_keep_them, 0, CASES);
    tcase_add_loop_test(tcase, what_does_not_fit_is_refused, 0, 3);
    tcase_add_loop_test(tcase, damage_is_found, 0, CASES);
    tcase_add_loop_test(tcase, a_verified_file_is_not_read_again, 0, 3);
    tcase_add_loop_test(tcase, switch_goes_on, 0, 2 * CASES);
    tcase_add_loop_test(tcase, cells_come_back, 0, CASES);
    tcase_add_loop_test(tcase, differences_are_named, 0, 6);
    suite_add_tcase(suite, tcase);
    return suite;
}
