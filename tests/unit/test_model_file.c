#include <check.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "model_files.h"
#include "store/h5.h"

Suite *suite_model_file(void);

static const struct decoder_config stretched = {.name = "stretched",
                                                .family = "llama",
                                                .layers = 2,
                                                .d_model = 16,
                                                .heads = 4,
                                                .kv_heads = 1,
                                                .head_width = 6,
                                                .ffn = 10,
                                                .vocabulary = 272,
                                                .context = 64,
                                                .act = ACT_SILU,
                                                .gated = 1,
                                                .rotary = 1,
                                                .rms_norm = 1,
                                                .norm_eps = 1e-6,
                                                .rope_theta = 500000,
                                                .rope_factor = 8,
                                                .rope_low = 1,
                                                .rope_high = 4,
                                                .rope_original = 32};

static void write_synth(const char *path, const struct decoder_config *config, uint64_t seed, int is_half,
                        const struct tokenizer *tokenizer, char *hash)
{
    struct fault fault = FAULT_NONE;
    struct model_synth synth = {*config, seed, is_half};
    struct model_content content;
    model_synth_content(&synth, &content);
    content.tokenizer = tokenizer;
    OK(model_file_write(path, &content, hash, &fault));
}

static void expect_config(const struct decoder_config *a, const struct decoder_config *b)
{
    ck_assert_str_eq(a->name, b->name);
    ck_assert_str_eq(a->family, b->family);
    struct decoder_config x = *a, y = *b;
    x.name = y.name = x.family = y.family = NULL;
    ck_assert_mem_eq(&x, &y, sizeof x);
}

START_TEST(what_is_written_is_read)
{
    struct fault fault = FAULT_NONE;
    struct model_synth synth = {stretched, 5, 0};
    struct model_content content;
    struct model_file *file;
    char hash[17];
    void *block;
    write_synth("m.h5", &stretched, 5, 0, NULL, hash);
    ck_assert_int_eq(model_file_is("m.h5"), 1);
    OK(model_file_check("m.h5", &fault));
    OK(model_file_open("m.h5", &file, &fault));
    expect_config(model_file_config(file), &stretched);
    ck_assert_str_eq(model_file_hash(file), hash);
    ck_assert_str_eq(model_file_source(file), "random weights");
    ck_assert_ptr_null(model_file_tokenizer(file));
    int n = decoder_weights(&stretched);
    const float **value = calloc((size_t)n, sizeof *value);
    model_synth_content(&synth, &content);
    OK(model_file_read_all(file, value, &block, &fault));
    for (int i = 0; i < n; i++) {
        struct decoder_weight weight;
        decoder_weight(&stretched, i, &weight);
        int64_t columns = weight.n_dims == 2 ? weight.dims[1] : 1, last = weight.dims[0] - 1;
        float row[24], again[24];
        for (int64_t r = 0; r < weight.dims[0]; r++) {
            OK(content.read(&synth, i, r, 1, row, &fault));
            ck_assert_mem_eq(row, value[i] + r * columns, (size_t)columns * sizeof *row);
        }
        OK(model_file_read_rows(file, i, last, 1, again, &fault));
        ck_assert_mem_eq(again, row, (size_t)columns * sizeof *row);
        ck_assert_int_eq(model_file_is_half(file, i), 0);
    }
    block_free(block);
    free(value);
    model_file_close(file);
}
END_TEST

START_TEST(half_precision_is_stored_and_widened_exactly)
{
    struct fault fault = FAULT_NONE;
    struct model_synth synth = {small_gpt(), 9, 1};
    struct model_content content;
    struct model_file *file;
    char full[17], half[17];
    write_synth("half.h5", &synth.config, 9, 1, NULL, half);
    write_synth("full.h5", &synth.config, 9, 0, NULL, full);
    ck_assert_str_ne(full, half);
    OK(model_file_check("half.h5", &fault));
    OK(model_file_open("half.h5", &file, &fault));
    model_synth_content(&synth, &content);
    for (int i = 0; i < decoder_weights(&synth.config); i++) {
        struct decoder_weight weight;
        decoder_weight(&synth.config, i, &weight);
        int64_t n = weight.dims[0] * (weight.n_dims == 2 ? weight.dims[1] : 1);
        float found[600], made[600];
        ck_assert_int_eq(model_file_is_half(file, i), 1);
        OK(model_file_read(file, i, found, &fault));
        OK(content.read(&synth, i, 0, weight.dims[0], made, &fault));
        for (int64_t k = 0; k < n; k++) {
            ck_assert_float_eq(found[k], half_widen(half_narrow(made[k])));
            ck_assert(fabsf(found[k] - made[k]) <= fabsf(made[k]) * 0x1p-11F + 0x1p-25F);
        }
    }
    model_file_close(file);
    content.round = 0; /* rounding must be asked for */
    REFUSED(model_file_write("no.h5", &content, NULL, &fault), STATUS_USAGE, "expected a number that float16 holds");
    ck_assert_int_ne(access("no.h5", F_OK), 0);
    ck_assert_int_ne(access("no.h5.tmp", F_OK), 0);
}
END_TEST

START_TEST(the_hash_is_of_the_content_alone)
{
    char a[17], b[17];
    struct decoder_config config = small_llama();
    write_synth("a.h5", &config, 1, 0, NULL, a);
    config.name = "renamed";
    write_synth("b.h5", &config, 1, 0, NULL, b);
    ck_assert_str_eq(a, b);
    write_synth("b.h5", &config, 2, 0, NULL, b);
    ck_assert_str_ne(a, b);
    config.rope_theta = 10001;
    write_synth("b.h5", &config, 1, 0, NULL, b);
    ck_assert_str_ne(a, b);
    /* Equal content, equal bytes. */
    config = small_llama();
    write_synth("b.h5", &config, 1, 0, NULL, b);
    struct bytes x = load("a.h5"), y = load("b.h5");
    ck_assert_uint_eq(x.n, y.n);
    ck_assert_mem_eq(x.at, y.at, x.n);
    free(x.at);
    free(y.at);
}
END_TEST

START_TEST(the_tokenizer_comes_back)
{
    static const char *const more[] = {"a", "b", "ab", "", "\xc3\xa9", "\x01", "c", "d", "e", "f", "g", "h", " "};
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    struct tokenizer tokenizer;
    struct model_file *file;
    char with[17], without[17];
    struct bytes b = make_tokenizer(6, 13, more);
    save(&b, "tok.bin");
    OK(tokenizer_read("tok.bin", arena, &tokenizer, &fault));
    write_synth("m.h5", &stretched, 5, 0, &tokenizer, with);
    write_synth("n.h5", &stretched, 5, 0, NULL, without);
    ck_assert_str_ne(with, without);
    OK(model_file_check("m.h5", &fault));
    OK(model_file_open("m.h5", &file, &fault));
    const struct tokenizer *back = model_file_tokenizer(file);
    ck_assert_ptr_nonnull(back);
    ck_assert_int_eq(back->pieces.n, 272);
    ck_assert_int_eq(back->bos, 1);
    ck_assert_uint_eq(tokenizer_hash(back, 0), tokenizer_hash(&tokenizer, 0));
    for (int64_t i = 0; i < 272; i++) {
        ck_assert_int_eq(back->pieces.length[i], tokenizer.pieces.length[i]);
        ck_assert_mem_eq(back->pieces.piece[i], tokenizer.pieces.piece[i], (size_t)tokenizer.pieces.length[i]);
        ck_assert_float_eq(back->pieces.score[i], tokenizer.pieces.score[i]);
    }
    model_file_close(file);
    struct model_synth synth = {small_llama(), 1, 0};
    struct model_content content;
    model_synth_content(&synth, &content);
    content.tokenizer = &tokenizer;
    REFUSED(model_file_write("no.h5", &content, NULL, &fault), STATUS_USAGE,
            "tokenizer: expected 300 pieces, as the model's vocabulary, found 272");
    arena_free(arena);
}
END_TEST

/* ---- files that do not fit ---- */

/* A file with the given change to a sound one. */
enum change {
    NO_VERSION,
    OTHER_VERSION,
    NO_FIELD,
    BAD_FLAG,
    BAD_ACT,
    BAD_SHAPE,
    NO_WEIGHT,
    WRONG_DIMS,
    WRONG_TYPE,
    ONE_MORE,
    WRONG_HASH,
    WRONG_TOTAL,
    NOT_FINITE
};

static void set_attributes(struct h5 *file, enum change change, const char *total)
{
    static const char *const whole[] = {"layers", "d_model",    "heads",   "kv_heads",     "head_width",
                                        "ffn",    "vocabulary", "context", "rope_original"};
    static const int64_t values[] = {1, 2, 1, 1, 2, 3, 4, 5, 0};
    static const char *const flags[] = {"gated", "rotary", "rms_norm", "tied", "biases"};
    static const char *const reals[] = {"norm_eps", "rope_theta", "rope_factor", "rope_low", "rope_high"};
    static const double numbers[] = {1e-5, 10000, 0, 0, 0};
    struct fault fault = FAULT_NONE;
    if (change != NO_VERSION)
        OK(h5_set_int(file, "/", "polyrank_model_version", change == OTHER_VERSION ? 7 : 1, &fault));
    for (int i = 0; i < 9; i++)
        if (change != NO_FIELD || i != 3)
            OK(h5_set_int(file, "/", whole[i], change == BAD_SHAPE && i == 0 ? 0 : values[i], &fault));
    for (int i = 0; i < 5; i++)
        OK(h5_set_int(file, "/", flags[i], change == BAD_FLAG && i == 1 ? 2 : i < 4, &fault));
    for (int i = 0; i < 5; i++)
        OK(h5_set_double(file, "/", reals[i], numbers[i], &fault));
    OK(h5_set_string(file, "/", "name", "tiny", &fault));
    OK(h5_set_string(file, "/", "family", "llama", &fault));
    OK(h5_set_string(file, "/", "act", change == BAD_ACT ? "tanh" : "silu", &fault));
    OK(h5_set_string(file, "/", "source", "", &fault));
    OK(h5_set_string(file, "/", "history", "", &fault));
    OK(h5_set_string(file, "/", "content_hash", change == WRONG_TOTAL ? "0000000000000000" : total, &fault));
}

static const struct decoder_config tiny = {.name = "tiny",
                                           .family = "llama",
                                           .layers = 1,
                                           .d_model = 2,
                                           .heads = 1,
                                           .kv_heads = 1,
                                           .head_width = 2,
                                           .ffn = 3,
                                           .vocabulary = 4,
                                           .context = 5,
                                           .act = ACT_SILU,
                                           .gated = 1,
                                           .rotary = 1,
                                           .rms_norm = 1,
                                           .tied = 1,
                                           .norm_eps = 1e-5,
                                           .rope_theta = 10000};

/* The hash of each weight as the sound file has it. */
static void put_weight_object(struct h5 *file, struct model_file *sound, int i, enum change change)
{
    struct fault fault = FAULT_NONE;
    struct decoder_weight weight;
    struct h5 *source;
    struct arena *arena = arena_new();
    char object[80];
    const char *hash;
    float values[16];
    decoder_weight(&tiny, i, &weight);
    snprintf(object, sizeof object, "weights/%s", weight.name);
    OK(model_file_read(sound, i, values, &fault));
    int spoilt = i == 2; /* layers.0.attn.q.weight */
    if (spoilt && change == NOT_FINITE)
        values[3] = NAN;
    const int64_t other[2] = {4, 1};
    if (!spoilt || change != NO_WEIGHT) {
        OK(h5_make(file, object, spoilt && change == WRONG_TYPE ? H5_INT32 : H5_FLOAT32, weight.n_dims,
                   spoilt && change == WRONG_DIMS ? other : weight.dims, &fault));
        if (!spoilt || (change != WRONG_TYPE && change != WRONG_DIMS))
            OK(h5_write_slab(file, object, H5_FLOAT32, weight.n_dims, (int64_t[2]){0, 0}, weight.dims, values, &fault));
        OK(h5_open("sound.h5", &source, &fault));
        OK(h5_get_string(source, object, "hash", arena, &hash, &fault));
        h5_close(source);
        OK(h5_set_string(file, object, "hash", spoilt && change == WRONG_HASH ? "1234567812345678" : hash, &fault));
    }
    arena_free(arena);
}

static void write_changed(const char *path, enum change change)
{
    struct fault fault = FAULT_NONE;
    struct model_file *sound;
    struct h5 *file;
    char total[17];
    write_synth("sound.h5", &tiny, 3, 0, NULL, total);
    OK(model_file_open("sound.h5", &sound, &fault));
    OK(h5_create(path, &file, &fault));
    set_attributes(file, change, total);
    for (int i = 0; i < decoder_weights(&tiny); i++)
        put_weight_object(file, sound, i, change);
    if (change == ONE_MORE)
        OK(h5_write(file, "weights/head.weight", H5_FLOAT32, 1, (int64_t[]){1}, &(float){1}, &fault));
    OK(h5_finish(file, &fault));
    model_file_close(sound);
}

START_TEST(mismatches_are_refused_with_object_expected_and_found)
{
    static const struct {
        enum change change;
        enum status status;
        const char *text;
    } cases[] = {
        {NO_VERSION, STATUS_USAGE, "bad.h5: no model: expected the attribute polyrank_model_version"},
        {OTHER_VERSION, STATUS_USAGE, "bad.h5: /: polyrank_model_version: expected 1, found 7"},
        {NO_FIELD, STATUS_IO, "bad.h5: /: attribute kv_heads is missing"},
        {BAD_FLAG, STATUS_USAGE, "bad.h5: /: rotary: expected 0 or 1, found 2"},
        {BAD_ACT, STATUS_USAGE, "bad.h5: /: act: expected one of relu, gelu, gelu_tanh, silu, found tanh"},
        {BAD_SHAPE, STATUS_USAGE, "bad.h5: tiny: layers: expected 1 .. 16384, found 0"},
        {NO_WEIGHT, STATUS_IO, "bad.h5: weights/layers.0.attn.q.weight: no such object in the file"},
        {WRONG_DIMS, STATUS_USAGE, "bad.h5: weights/layers.0.attn.q.weight: expected 2 x 2 values, found 4 x 1"},
        {WRONG_TYPE, STATUS_USAGE, "bad.h5: weights/layers.0.attn.q.weight: expected float32 or float16"},
        {ONE_MORE, STATUS_USAGE, "bad.h5: weights: expected 11 arrays, found 12"},
        {WRONG_HASH, STATUS_INVALID, "bad.h5: weights/layers.0.attn.q.weight: hash: expected 1234567812345678, found"},
        {WRONG_TOTAL, STATUS_INVALID, "bad.h5: content_hash: expected 0000000000000000, found"},
        {NOT_FINITE, STATUS_INVALID, "bad.h5: weights/layers.0.attn.q.weight: row 1: expected a finite number"},
    };
    struct fault fault;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_changed("bad.h5", cases[i].change);
        REFUSED(model_file_check("bad.h5", &fault), cases[i].status, cases[i].text);
        ck_assert_int_eq(model_file_is("bad.h5"), cases[i].change != NO_VERSION);
    }
    REFUSED(model_file_check("nowhere.h5", &fault), STATUS_IO, "nowhere.h5");
    save_text("text.h5", "not HDF5");
    REFUSED(model_file_check("text.h5", &fault), STATUS_IO, "not an HDF5 file");
    ck_assert_int_eq(model_file_is("text.h5"), 0);
}
END_TEST

START_TEST(damage_is_found)
{
    struct fault fault;
    const struct rng_key key = rng_key(3, RNG_TEST, 9);
    struct decoder_config config = small_llama();
    write_synth("m.h5", &config, 1, 0, NULL, NULL);
    struct bytes sound = load("m.h5");
    for (uint64_t i = 0; i < 40; i++) {
        struct bytes b = {0};
        put(&b, sound.at, sound.n);
        b.at[rng_below(key, 0, i, b.n - 24)] ^= (unsigned char)(1 + rng_below(key, 1, i, 255));
        save(&b, "m.h5");
        REFUSED(model_file_check("m.h5", &fault), STATUS_IO, "damaged");
    }
    struct bytes b = {0};
    put(&b, sound.at, sound.n / 2);
    save(&b, "m.h5");
    fault = FAULT_NONE;
    ck_assert_int_eq(model_file_check("m.h5", &fault), STATUS_IO);
    free(sound.at);
}
END_TEST

/* ---- 16-bit floats ---- */

START_TEST(every_half_widens_and_narrows_to_itself)
{
    for (uint32_t bits = 0; bits < 65536; bits++) {
        float value = half_widen((uint16_t)bits);
        int exponent = bits >> 10 & 31, mantissa = bits & 1023;
        double expected = exponent ? ldexp(1 + mantissa / 1024.0, exponent - 15) : ldexp(mantissa, -24);
        if (exponent == 31)
            ck_assert(mantissa ? isnan(value) : isinf(value));
        else
            ck_assert_double_eq((double)value, bits & 0x8000 ? -expected : expected);
        ck_assert_int_eq(signbit(value) != 0, bits >> 15);
        uint16_t back = half_narrow(value);
        if (exponent == 31 && mantissa)
            ck_assert_int_eq(back & 0x7e00, 0x7e00);
        else
            ck_assert_uint_eq(back, bits);
    }
    ck_assert_float_eq(bfloat_widen(0x3f80), 1);
    ck_assert_float_eq(bfloat_widen(0xc049), -3.140625F);
    ck_assert(isnan(bfloat_widen(0x7fc1)));
}
END_TEST

START_TEST(narrowing_takes_the_nearest_and_the_even_of_two)
{
    struct rng_key key = rng_key(4, RNG_TEST, 9);
    for (uint64_t i = 0; i < 20000; i++) {
        float value = (float)ldexp(rng_normal(key, 0, i), (int)rng_below(key, 1, i, 40) - 28);
        uint16_t bits = half_narrow(value);
        if (fabsf(value) >= 65520) {
            ck_assert_uint_eq(bits & 0x7fff, 0x7c00);
            continue;
        }
        double error = fabs((double)half_widen(bits) - (double)value);
        for (int side = -1; side <= 1; side += 2) {
            uint16_t beside = (uint16_t)(bits + side);
            if ((beside ^ bits) & 0x8000 || (beside & 0x7fff) >= 0x7c00)
                continue;
            double other = fabs((double)half_widen(beside) - (double)value);
            ck_assert(error < other || (error == other && !(bits & 1)));
        }
    }
    ck_assert_uint_eq(half_narrow(1 + 0x1p-11F), 0x3c00);
    ck_assert_uint_eq(half_narrow(1 + 0x3p-11F), 0x3c02);
    ck_assert_uint_eq(half_narrow(0x1p-25F), 0);
    ck_assert_uint_eq(half_narrow(0x1.8p-25F), 1);
    ck_assert_uint_eq(half_narrow(-0x1p-26F), 0x8000);
    ck_assert_uint_eq(half_narrow(65519), 0x7bff);
    ck_assert_uint_eq(half_narrow(65520), 0x7c00);
}
END_TEST

Suite *suite_model_file(void)
{
    Suite *suite = suite_create("model_file");
    TCase *files = tcase_create("files"), *halves = tcase_create("halves");
    tcase_add_checked_fixture(files, model_folder_enter, model_folder_leave);
    tcase_add_test(files, what_is_written_is_read);
    tcase_add_test(files, half_precision_is_stored_and_widened_exactly);
    tcase_add_test(files, the_hash_is_of_the_content_alone);
    tcase_add_test(files, the_tokenizer_comes_back);
    tcase_add_test(files, mismatches_are_refused_with_object_expected_and_found);
    tcase_add_test(files, damage_is_found);
    tcase_add_test(halves, every_half_widens_and_narrows_to_itself);
    tcase_add_test(halves, narrowing_takes_the_nearest_and_the_even_of_two);
    suite_add_tcase(suite, files);
    suite_add_tcase(suite, halves);
    return suite;
}
