#include <check.h>
#include <math.h>
#include <string.h>

#include "model/hf_config.h"
#include "model_files.h"
#include "store/safetensors.h"

Suite *suite_safetensors(void);

START_TEST(tensors_of_every_type_and_any_part_of_them_are_read)
{
    static const char *const dtypes[] = {"F32", "F16", "BF16"};
    enum { N = 7 * 19000 }; /* more than a block */
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    struct tensor_set set;
    struct st_file file = {0};
    float *values = malloc(N * sizeof *values), *found = malloc(N * sizeof *found);
    const int64_t dims[2] = {7, 19000};
    struct rng_key key = rng_key(8, RNG_TEST, 12);
    for (int i = 0; i < N; i++)
        values[i] = half_widen((uint16_t)(rng_below(key, 0, (uint64_t)i, 0x7c00) & 0xffc0)); /* all types hold it */
    for (int t = 0; t < 3; t++)
        st_add(&file, dtypes[t], dtypes[t], 2, dims, values);
    st_add(&file, "empty", "F32", 1, (const int64_t[1]){0}, values);
    st_add(&file, "scalar", "F32", 0, NULL, values + 5);
    st_save(&file, "m.safetensors");
    OK(tensor_set_open("m.safetensors", arena, &set, &fault));
    ck_assert_int_eq(set.n, 5);
    ck_assert_int_eq(safetensors_is("m.safetensors"), 1);
    for (int t = 0; t < 3; t++) {
        const struct safetensor *tensor = tensor_set_find(&set, dtypes[t]);
        ck_assert_ptr_nonnull(tensor);
        ck_assert_str_eq(tensor->dtype, dtypes[t]);
        OK(safetensor_read(tensor, 0, N, found, &fault));
        for (int i = 0; i < N; i++)
            ck_assert(found[i] == values[i] || (t == 2 && fabsf(found[i] - values[i]) <= fabsf(values[i]) / 128));
        for (uint64_t trial = 0; trial < 50; trial++) {
            int64_t first = (int64_t)rng_below(key, 1, trial, N);
            int64_t n = (int64_t)rng_below(key, 2, trial, (uint64_t)(N - first) + 1);
            float *part = malloc((size_t)n * sizeof *part + 1);
            OK(safetensor_read(tensor, first, n, part, &fault));
            ck_assert_mem_eq(part, found + first, (size_t)n * sizeof *part);
            free(part);
        }
    }
    OK(safetensor_read(tensor_set_find(&set, "scalar"), 0, 1, found, &fault));
    ck_assert_float_eq(found[0], values[5]);
    ck_assert_int_eq(tensor_set_find(&set, "empty")->n_values, 0);
    ck_assert_ptr_null(tensor_set_find(&set, "nothing"));
    tensor_set_close(&set);
    free(values);
    free(found);
    arena_free(arena);
}
END_TEST

/* A file that another program wrote. */
START_TEST(a_real_file_is_read)
{
    const char *where = getenv("POLYRANK_TEST_DATA");
    static const char *const folders[] = {"", "model/", "../model/"};
    struct arena *arena = arena_new();
    const char *path = NULL;
    for (int i = 0; where && !path && i < 3; i++) {
        path = arena_printf(arena, "%s/%stiny_fixture.safetensors", where, folders[i]);
        path = access(path, R_OK) == 0 ? path : NULL;
    }
    if (path) {
        struct fault fault = FAULT_NONE;
        struct tensor_set set;
        static float values[64 * 128];
        OK(tensor_set_open(path, arena, &set, &fault));
        ck_assert_int_eq(set.n, 1);
        ck_assert_str_eq(set.tensor[0].name, "test.weight.0");
        ck_assert_int_eq(set.tensor[0].dims[0], 64);
        ck_assert_int_eq(set.tensor[0].dims[1], 128);
        OK(safetensor_read(&set.tensor[0], 0, 64 * 128, values, &fault));
        for (int i = 0; i < 64 * 128; i++)
            ck_assert(isfinite(values[i]) && fabsf(values[i]) < 1e6F);
        tensor_set_close(&set);
    } else {
        fprintf(stderr, "safetensors: tiny_fixture.safetensors: skipped, set POLYRANK_TEST_DATA to its folder\n");
    }
    arena_free(arena);
}
END_TEST

/* ---- malformed headers ---- */

static void refuse(const char *header, size_t n, const char *text)
{
    struct arena *arena = arena_new();
    struct tensor_set set;
    struct fault fault;
    st_save_raw("bad.safetensors", header, n);
    REFUSED(tensor_set_open("bad.safetensors", arena, &set, &fault), STATUS_USAGE, text);
    arena_free(arena);
}

#define T(name, dtype, shape, offsets)                                                                                 \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

START_TEST(malformed_headers_are_refused)
{
    refuse("{" T("a", "F32", "[2]", "[0,8]"), 8, "header: not JSON");
    refuse("[1]", 0, "header: expected an object of tensors");
    refuse("{\"a\":1}", 0, "a: expected an object with dtype, shape and data_offsets");
    refuse("{\"a\":{}}", 0, "a: expected a dtype");
    refuse("{" T("a", "F31", "[2]", "[0,8]") "}", 8, "a: dtype: expected F32, F16 or BF16, found F31");
    refuse("{\"a\":{\"dtype\":\"F32\"}}", 0, "a: expected a shape");
    refuse("{" T("a", "F32", "[-2]", "[0,8]") "}", 8, "whole numbers of at least 0");
    refuse("{" T("a", "F32", "[2.0]", "[0,8]") "}", 8, "whole numbers of at least 0");
    refuse("{" T("a", "F32", "[\"2\"]", "[0,8]") "}", 8, "whole numbers of at least 0");
    refuse("{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "expected at most 8 dimensions, found 9");
    refuse("{" T("a", "F32", "[4294967296,4294967296]", "[0,8]") "}", 8, "its product overflows");
    refuse("{" T("a", "F32", "[9223372036854775807]", "[0,8]") "}", 8, "expected as many bytes as the shape has");
    refuse("{" T("a", "F32", "[99999999999999999999]", "[0,8]") "}", 8, "not JSON");
    refuse("{" T("a", "F32", "[2]", "[0]") "}", 8, "data_offsets of two whole numbers");
    refuse("{" T("a", "F32", "[2]", "[0,8,9]") "}", 8, "data_offsets of two whole numbers");
    refuse("{" T("a", "F32", "[2]", "{}") "}", 8, "data_offsets of two whole numbers");
    refuse("{" T("a", "F32", "[2]", "[-8,0]") "}", 8, "expected a range within the 8 bytes of data, found -8 .. 0");
    refuse("{" T("a", "F32", "[2]", "[8,0]") "}", 8, "found 8 .. 0");
    refuse("{" T("a", "F32", "[3]", "[0,12]") "}", 8, "found 0 .. 12");
    refuse("{" T("a", "F32", "[2]", "[0,4]") "}", 8, "found 4 bytes");
    refuse("{" T("a", "F16", "[2]", "[0,8]") "}", 8, "as the shape has F16 values (2 values), found 8 bytes");
    refuse("{" T("a", "F32", "[2]", "[0,8]") "," T("a", "F32", "[2]", "[8,16]") "}", 16, "duplicate");
    refuse("{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[2]", "[4,12]") "}", 12, "tensors overlap");
    refuse("{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[2]", "[0,8]") "}", 8, "tensors overlap");
    refuse("{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[2]", "[12,20]") "}", 20, "a gap");
    refuse("{" T("a", "F32", "[2]", "[4,12]") "}", 12, "a gap");
    refuse("{" T("a", "F32", "[2]", "[0,8]") "}", 8 + 64, "expected 8 bytes of data, as the header has it, found 72");
    refuse("{\"\xff\":1}", 0, "not JSON");
}
END_TEST

START_TEST(a_few_zeros_at_the_end_are_padding)
{
    struct arena *arena = arena_new();
    struct tensor_set set;
    struct fault fault = FAULT_NONE;
    st_save_raw("m.safetensors", "{" T("a", "F32", "[2]", "[0,8]") "}", 8 + 63);
    OK(tensor_set_open("m.safetensors", arena, &set, &fault));
    tensor_set_close(&set);
    struct bytes b = load("m.safetensors");
    b.at[b.n - 1] = 1;
    save(&b, "m.safetensors");
    REFUSED(tensor_set_open("m.safetensors", arena, &set, &fault), STATUS_USAGE, "expected 8 bytes of data");
    arena_free(arena);
}
END_TEST

START_TEST(broken_lengths_are_refused)
{
    struct arena *arena = arena_new();
    struct tensor_set set;
    struct fault fault;
    static const uint64_t lengths[] = {0, 1, 1000, UINT64_MAX, UINT64_C(1) << 63, UINT64_C(1) << 40};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct bytes b = {0};
        put(&b, &lengths[i], 8);
        put(&b, "{}", 2);
        save(&b, "bad.safetensors");
        REFUSED(tensor_set_open("bad.safetensors", arena, &set, &fault), STATUS_USAGE, "length of the header");
    }
    save_text("bad.safetensors", "1234");
    REFUSED(tensor_set_open("bad.safetensors", arena, &set, &fault), STATUS_IO, "truncated: length of the header");
    REFUSED(tensor_set_open("nowhere", arena, &set, &fault), STATUS_IO, "nowhere: cannot be opened");
    REFUSED(tensor_set_open("/tmp", arena, &set, &fault), STATUS_IO, "/tmp: expected a file, found a folder");
    arena_free(arena);
}
END_TEST

START_TEST(types_that_cannot_be_read_are_refused_when_read)
{
    struct arena *arena = arena_new();
    struct tensor_set set;
    struct fault fault = FAULT_NONE;
    float value;
    st_save_raw("m.safetensors", "{" T("a", "I64", "[1]", "[0,8]") "}", 8);
    OK(tensor_set_open("m.safetensors", arena, &set, &fault));
    REFUSED(safetensor_read(tensor_set_find(&set, "a"), 0, 1, &value, &fault), STATUS_USAGE,
            "a: dtype: expected F32, F16 or BF16, found I64");
    tensor_set_close(&set);
    arena_free(arena);
}
END_TEST

/* ---- config.json ---- */

#define LLAMA_KEYS                                                                                                     \
    "\"model_type\":\"llama\",\"hidden_size\":64,\"intermediate_size\":100,\"num_hidden_layers\":3,"                   \
    "\"num_attention_heads\":8,\"vocab_size\":500,\"max_position_embeddings\":128"
#define GPT_KEYS "\"model_type\":\"gpt2\",\"n_embd\":48,\"n_layer\":2,\"n_head\":4,\"n_positions\":64,\"vocab_size\":99"

static struct decoder_config read_config(const char *text)
{
    struct fault fault = FAULT_NONE;
    struct hf_config config;
    save_text("config.json", text);
    OK(hf_config_read("config.json", &config, &fault));
    return config.decoder;
}

START_TEST(configurations_mean_what_they_say)
{
    struct decoder_config config = read_config("{" LLAMA_KEYS "}");
    ck_assert_int_eq(config.kv_heads, 8);
    ck_assert_int_eq(config.head_width, 8);
    ck_assert_int_eq(config.rotary && config.rms_norm && config.gated && !config.biases && !config.tied, 1);
    ck_assert_double_eq(config.rope_theta, 10000);
    ck_assert_double_eq(config.norm_eps, 1e-6);
    config = read_config("{" LLAMA_KEYS ",\"num_key_value_heads\":2,\"head_dim\":16,\"tie_word_embeddings\":true,"
                         "\"rope_theta\":500000,\"rope_scaling\":{\"factor\":8.0,\"high_freq_factor\":4.0,"
                         "\"low_freq_factor\":1.0,\"original_max_position_embeddings\":64,\"rope_type\":\"llama3\"},"
                         "\"attention_bias\":false,\"quantization_config\":null,\"sliding_window\":null}");
    ck_assert_int_eq(config.kv_heads, 2);
    ck_assert_int_eq(config.head_width, 16);
    ck_assert_int_eq(config.tied, 1);
    ck_assert_double_eq(config.rope_factor, 8);
    ck_assert_int_eq(config.rope_original, 64);
    struct decoder_config newer =
        read_config("{" LLAMA_KEYS ",\"num_key_value_heads\":2,\"head_dim\":16,\"tie_word_embeddings\":true,"
                    "\"rope_parameters\":{\"rope_theta\":500000,\"factor\":8.0,\"high_freq_factor\":4.0,"
                    "\"low_freq_factor\":1.0,\"original_max_position_embeddings\":64,\"rope_type\":\"llama3\"}}");
    ck_assert_mem_eq(&config, &newer, sizeof config);
    config = read_config("{" GPT_KEYS ",\"n_inner\":null}");
    ck_assert_int_eq(config.ffn, 192);
    ck_assert_int_eq(config.act, ACT_GELU_TANH);
    ck_assert_int_eq(!config.rotary && !config.rms_norm && !config.gated && config.biases && config.tied, 1);
    config =
        read_config("{" GPT_KEYS ",\"n_inner\":50,\"activation_function\":\"relu\",\"tie_word_embeddings\":false}");
    ck_assert_int_eq(config.ffn, 50);
    ck_assert_int_eq(config.act, ACT_RELU);
    ck_assert_int_eq(config.tied, 0);
}
END_TEST

START_TEST(configurations_that_cannot_be_done_are_refused)
{
    static const struct {
        const char *text, *refusal;
    } cases[] = {
        {"", "config.json:1"},
        {"[]", "expected an object with model_type"},
        {"{}", "model_type: expected \"llama\" or \"gpt2\", found nothing"},
        {"{\"model_type\":\"mistral\"}", "model_type: expected \"llama\" or \"gpt2\", found \"mistral\""},
        {"{\"model_type\":\"llama\"}", "num_hidden_layers: expected a whole number of at least 1, found nothing"},
        {"{" LLAMA_KEYS ",\"hidden_size\":64}", "duplicate"},
        {"{" LLAMA_KEYS ",\"num_key_value_heads\":3}", "kv_heads: expected a divisor"},
        {"{" LLAMA_KEYS ",\"num_key_value_heads\":0}", "num_key_value_heads: expected a whole number of at least 1"},
        {"{" LLAMA_KEYS ",\"num_key_value_heads\":2.5}", "num_key_value_heads"},
        {"{" LLAMA_KEYS ",\"head_dim\":7}", "head_width: expected an even number"},
        {"{" LLAMA_KEYS ",\"rms_norm_eps\":0}", "rms_norm_eps: expected a number above 0"},
        {"{" LLAMA_KEYS ",\"rms_norm_eps\":1e999}", "config.json:1"},
        {"{" LLAMA_KEYS ",\"rope_theta\":\"x\"}", "rope_theta: expected a number above 0, found \"x\""},
        {"{" LLAMA_KEYS ",\"rope_theta\":0.5}", "rope_theta: expected a number above 1"},
        {"{" LLAMA_KEYS ",\"hidden_act\":\"gelu\"}", "hidden_act: expected \"silu\", found \"gelu\""},
        {"{" LLAMA_KEYS ",\"attention_bias\":true}", "attention_bias: expected false"},
        {"{" LLAMA_KEYS ",\"mlp_bias\":true}", "mlp_bias"},
        {"{" LLAMA_KEYS ",\"sliding_window\":4096}", "sliding_window"},
        {"{" LLAMA_KEYS ",\"quantization_config\":{\"bits\":4}}", "quantization_config"},
        {"{" LLAMA_KEYS ",\"rope_scaling\":{\"type\":\"yarn\"}}", "rope_type: expected \"llama3\" or \"default\""},
        {"{" LLAMA_KEYS ",\"rope_scaling\":{\"type\":\"llama3\"}}", "factor: expected a number above 0, found nothing"},
        {"{" LLAMA_KEYS ",\"rope_scaling\":8}", "rope_scaling: expected an object"},
        {"{" LLAMA_KEYS ",\"tie_word_embeddings\":1}", "tie_word_embeddings: expected true or false"},
        {"{\"model_type\":\"llama\",\"hidden_size\":9223372036854775807,\"intermediate_size\":1,"
         "\"num_hidden_layers\":1,\"num_attention_heads\":1,\"vocab_size\":1,\"max_position_embeddings\":1}",
         "d_model: expected 1"},
        {"{" GPT_KEYS ",\"n_inner\":-1}", "n_inner"},
        {"{" GPT_KEYS ",\"activation_function\":\"mish\"}", "activation_function: expected one of gelu_new"},
        {"{" GPT_KEYS ",\"scale_attn_weights\":false}", "scale_attn_weights"},
        {"{" GPT_KEYS ",\"scale_attn_by_inverse_layer_idx\":true}", "scale_attn_by_inverse_layer_idx"},
        {"{\"model_type\":\"gpt2\",\"n_embd\":48,\"n_layer\":2,\"n_head\":5,\"n_positions\":64,\"vocab_size\":99}",
         "n_head: expected a divisor of n_embd, found 5"},
    };
    struct fault fault;
    struct hf_config config;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        save_text("config.json", cases[i].text);
        REFUSED(hf_config_read("config.json", &config, &fault), STATUS_USAGE, cases[i].refusal);
    }
    REFUSED(hf_config_read("nowhere.json", &config, &fault), STATUS_IO, "nowhere.json");
}
END_TEST

Suite *suite_safetensors(void)
{
    Suite *suite = suite_create("safetensors");
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, model_folder_enter, model_folder_leave);
    tcase_add_test(files, tensors_of_every_type_and_any_part_of_them_are_read);
    tcase_add_test(files, a_real_file_is_read);
    tcase_add_test(files, malformed_headers_are_refused);
    tcase_add_test(files, a_few_zeros_at_the_end_are_padding);
    tcase_add_test(files, broken_lengths_are_refused);
    tcase_add_test(files, types_that_cannot_be_read_are_refused_when_read);
    tcase_add_test(files, configurations_mean_what_they_say);
    tcase_add_test(files, configurations_that_cannot_be_done_are_refused);
    suite_add_tcase(suite, files);
    return suite;
}
