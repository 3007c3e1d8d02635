#include <check.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "model/model_import.h"
#include "model_files.h"

Suite *suite_model_import(void);

static const struct model_import_options no_options;

/* Imports a file, writes it as a model, reads that: every weight is values_of it. `dtype` F32: exactly; otherwise
 * rounded as stored. */
static void expect_weights(const char *path, const struct model_import_options *options,
                           const struct decoder_config *expected, const char *dtype)
{
    struct fault fault = FAULT_NONE;
    struct model_import *import;
    struct model_content content;
    struct model_file *file;
    OK(model_import_open(path, options, &import, &content, &fault));
    OK(model_file_write("out.h5", &content, NULL, &fault));
    model_import_close(import);
    OK(model_file_check("out.h5", &fault));
    OK(model_file_open("out.h5", &file, &fault));
    struct decoder_config found = *model_file_config(file), wanted = *expected;
    found.name = wanted.name = found.family = wanted.family = NULL;
    ck_assert_mem_eq(&found, &wanted, sizeof found);
    for (int i = 0; i < decoder_weights(expected); i++) {
        struct decoder_weight weight;
        float *values;
        int64_t n = values_of(expected, i, &values);
        float *read = malloc((size_t)n * sizeof *read);
        decoder_weight(expected, i, &weight);
        ck_assert_int_eq(model_file_is_half(file, i), strcmp(dtype, "F16") == 0);
        OK(model_file_read(file, i, read, &fault));
        for (int64_t k = 0; k < n; k++) {
            uint32_t bits;
            memcpy(&bits, &values[k], 4);
            float stored = strcmp(dtype, "F16") == 0    ? half_widen(half_narrow(values[k]))
                           : strcmp(dtype, "BF16") == 0 ? bfloat_widen((uint16_t)(bits >> 16))
                                                        : values[k];
            ck_assert_msg(read[k] == stored, "%s: value %lld: expected %g, found %g", weight.name, (long long)k,
                          (double)stored, (double)read[k]);
        }
        free(read);
        free(values);
    }
    model_file_close(file);
}

static void refuse(const char *path, const struct model_import_options *options, enum status status, const char *text)
{
    struct fault fault;
    struct model_import *import;
    struct model_content content;
    REFUSED(model_import_open(path, options, &import, &content, &fault), status, text);
}

/* ---- llama2.c ---- */

START_TEST(files_of_llama2_c_are_read)
{
    for (int version = 0; version < 2; version++)
        for (int tied = 0; tied < 2; tied++) {
            struct decoder_config config = small_llama();
            config.tied = tied;
            struct bytes b = make_bin(&config, version);
            save(&b, "m.bin");
            expect_weights("m.bin", &no_options, &config, "F32");
        }
}
END_TEST

START_TEST(the_tokenizer_must_fit_the_vocabulary)
{
    struct model_import_options options = {.tokenizer = "tok.bin"};
    struct decoder_config config = small_llama();
    struct bytes b = make_bin(&config, 0);
    save(&b, "m.bin");
    b = make_tokenizer(6, 0, NULL);
    save(&b, "tok.bin");
    refuse("m.bin", &options, STATUS_USAGE, "tok.bin: expected 300 pieces, as the model's vocabulary, found 259");
    config.vocabulary = 259;
    b = make_bin(&config, 0);
    save(&b, "m.bin");
    expect_weights("m.bin", &options, &config, "F32");
}
END_TEST

/* The header of a sound file with one number changed. */
static void refuse_bin(int version, int place, int64_t value, enum status status, const char *text)
{
    struct decoder_config config = small_llama();
    struct bytes b = make_bin(&config, version);
    int32_t number = (int32_t)value;
    memcpy(b.at + 4 * place, &number, 4);
    save(&b, "bad.bin");
    refuse("bad.bin", &no_options, status, text);
}

START_TEST(malformed_files_of_llama2_c_are_refused)
{
    refuse_bin(0, 0, 0, STATUS_USAGE, "dim: expected 1 .. 1048576, found 0");
    refuse_bin(0, 0, -24, STATUS_USAGE, "dim: expected");
    refuse_bin(0, 1, INT32_MAX, STATUS_USAGE, "hidden_dim");
    refuse_bin(0, 2, -1, STATUS_USAGE, "n_layers: expected 1 .. 16384, found -1");
    refuse_bin(0, 3, 7, STATUS_USAGE, "n_heads: expected a divisor of the dim 24, found 7");
    refuse_bin(0, 4, 4, STATUS_USAGE, "n_kv_heads: expected a divisor of the 6 heads, found 4");
    refuse_bin(0, 5, INT32_MIN, STATUS_USAGE, "vocab_size");
    refuse_bin(0, 6, INT32_MAX, STATUS_USAGE, "seq_len");
    refuse_bin(0, 6, 17, STATUS_USAGE, "bad.bin: a model of llama2.c, version 0: expected");
    refuse_bin(0, 1, 1 << 20, STATUS_USAGE, "a model of llama2.c, version 0: expected");
    refuse_bin(0, 3, 24, STATUS_USAGE, "expected"); /* heads of width 1 */
    refuse_bin(1, 1, 2, STATUS_USAGE, "version: expected 0 or 1 (float32), found 2 (quantised to int8)");
    refuse_bin(1, 1, 3, STATUS_USAGE, "version: expected 0 or 1, found 3");
    refuse_bin(1, 9, 2, STATUS_USAGE, "shared classifier: expected 0 or 1, found 2");
    refuse_bin(1, 9, 1, STATUS_USAGE, "version 1: expected"); /* a classifier that is not to be there */
    for (int version = 0; version < 2; version++)
        for (size_t n = 0; n < 300; n += 7) { /* cut short, header included */
            struct decoder_config config = small_llama();
            struct bytes b = make_bin(&config, version);
            b.n = n;
            save(&b, "bad.bin");
            refuse("bad.bin", &no_options, n < (version ? 37 : 28) ? STATUS_IO : STATUS_USAGE, "bad.bin");
        }
    struct decoder_config config = small_llama();
    struct bytes b = make_bin(&config, 0);
    put(&b, "x", 1);
    save(&b, "bad.bin");
    refuse("bad.bin", &no_options, STATUS_USAGE, "version 0: expected");
    refuse("nowhere.bin", &no_options, STATUS_IO, "nowhere.bin");
    ck_assert_int_eq(mkdir("folder", 0777), 0);
    refuse("folder", &no_options, STATUS_IO, "expected model.safetensors or model.safetensors.index.json");
    save_text("config.json", "{}");
    b = make_bin(&config, 0);
    save(&b, "m.bin");
    refuse("m.bin", &(struct model_import_options){.config = "config.json"}, STATUS_USAGE, "--config: expected none");
}
END_TEST

START_TEST(weights_that_are_no_numbers_are_refused)
{
    struct fault fault = FAULT_NONE;
    struct decoder_config config = small_llama();
    struct model_import *import;
    struct model_content content;
    struct bytes b = make_bin(&config, 1);
    const float none = NAN;
    memcpy(b.at + b.n - 8, &none, 4);
    save(&b, "m.bin");
    OK(model_import_open("m.bin", &no_options, &import, &content, &fault));
    REFUSED(model_file_write("out.h5", &content, NULL, &fault), STATUS_USAGE,
            "head.weight: row 299: expected a finite number, found nan");
    ck_assert_int_ne(access("out.h5", F_OK), 0);
    model_import_close(import);
}
END_TEST

START_TEST(other_formats_are_told_apart)
{
    save_text("m.gguf", "GGUF\3\0\0\0");
    refuse("m.gguf", &no_options, STATUS_USAGE, "found GGUF");
    save_text("m.pt", "PK\003\004 and so on");
    refuse("m.pt", &no_options, STATUS_USAGE, "found a PyTorch or zip archive");
    save_text("m.h5", "\211HDF\r\n\032\n");
    refuse("m.h5", &no_options, STATUS_USAGE, "found HDF5");
    save_text("m.txt", "hello, this is a text that is not a model at all");
    refuse("m.txt", &no_options, STATUS_USAGE, "not a model of llama2.c");
}
END_TEST

/* ---- safetensors of LLaMA ---- */

static const char llama_json[] =
    "{\"model_type\":\"llama\",\"hidden_size\":24,\"intermediate_size\":20,\"num_hidden_layers\":2,"
    "\"num_attention_heads\":6,\"num_key_value_heads\":2,\"vocab_size\":300,\"max_position_embeddings\":16,"
    "\"rms_norm_eps\":1e-05,\"rope_theta\":10000.0,\"hidden_act\":\"silu\",\"rope_scaling\":null,"
    "\"tie_word_embeddings\":false,\"torch_dtype\":\"float32\"}";

/* Rows of each head from pairs side by side into half order. */
static void to_halves(const float *ours, int64_t n_rows, int64_t columns, int64_t width, float *theirs)
{
    for (int64_t r = 0; r < n_rows; r++) {
        int64_t head = r / width, i = r % width, there = head * width + i / 2 + (i % 2) * (width / 2);
        memcpy(theirs + there * columns, ours + r * columns, (size_t)columns * sizeof *ours);
    }
}

static void add_llama(struct st_file *file, const struct decoder_config *config, const char *dtype, int first_weight,
                      int n_weights)
{
    static const char *const names[][2] = {
        {"attn_norm.gamma", "input_layernorm.weight"}, {"attn.q.weight", "self_attn.q_proj.weight"},
        {"attn.k.weight", "self_attn.k_proj.weight"},  {"attn.v.weight", "self_attn.v_proj.weight"},
        {"attn.o.weight", "self_attn.o_proj.weight"},  {"ffn_norm.gamma", "post_attention_layernorm.weight"},
        {"ffn.gate.weight", "mlp.gate_proj.weight"},   {"ffn.up.weight", "mlp.up_proj.weight"},
        {"ffn.down.weight", "mlp.down_proj.weight"}};
    for (int i = first_weight; i < first_weight + n_weights; i++) {
        struct decoder_weight weight;
        char name[128];
        float *values, *turned;
        int64_t n = values_of(config, i, &values);
        decoder_weight(config, i, &weight);
        int layer = weight.name[7] - '0';
        snprintf(name, sizeof name, "%s",
                 strcmp(weight.name, "embed.weight") == 0 ? "model.embed_tokens.weight"
                 : strcmp(weight.name, "norm.gamma") == 0 ? "model.norm.weight"
                                                          : "lm_head.weight");
        for (int k = 0; k < 9 && strncmp(weight.name, "layers.", 7) == 0; k++)
            if (strcmp(weight.name + 9, names[k][0]) == 0)
                snprintf(name, sizeof name, "model.layers.%d.%s", layer, names[k][1]);
        turned = malloc((size_t)n * sizeof *turned);
        memcpy(turned, values, (size_t)n * sizeof *turned);
        if (strstr(weight.name, "attn.q.") || strstr(weight.name, "attn.k."))
            to_halves(values, weight.dims[0], weight.dims[1], config->head_width, turned);
        st_add(file, name, dtype, weight.n_dims, weight.dims, turned);
        free(turned);
        free(values);
    }
}

START_TEST(safetensors_of_llama_are_read_in_every_type)
{
    static const char *const dtypes[] = {"F32", "F16", "BF16"};
    struct decoder_config config = small_llama();
    save_text("config.json", llama_json);
    for (int i = 0; i < 3; i++) {
        struct st_file file = {0};
        add_llama(&file, &config, dtypes[i], 0, decoder_weights(&config));
        st_save(&file, "m.safetensors");
        expect_weights("m.safetensors", &no_options, &config, dtypes[i]);
    }
    ck_assert_int_eq(rename("m.safetensors", "model.safetensors"), 0);
    expect_weights(model_folder, &no_options, &config, "BF16");
}
END_TEST

/* The reason for reordering: scores of turned queries and keys are the same in both conventions. */
START_TEST(half_order_and_neighbours_give_the_same_scores)
{
    enum { W = 8 };
    struct rng_key key = rng_key(6, RNG_TEST, 11);
    for (uint64_t trial = 0; trial < 50; trial++) {
        float ours[2][W], theirs[2][W];
        double score_ours = 0, score_theirs = 0;
        for (int s = 0; s < 2; s++) {
            for (uint64_t i = 0; i < W; i++)
                ours[s][i] = (float)rng_normal(key, (uint32_t)s, trial * W + i);
            to_halves(ours[s], W, 1, W, theirs[s]);
        }
        double turned_ours[2][W], turned_theirs[2][W];
        for (int s = 0; s < 2; s++)
            for (int j = 0; j < W / 2; j++) {
                double place = (double)(trial % 7 + (uint64_t)s * 5), angle = place * pow(10000, -2.0 * j / W);
                double c = cos(angle), n = sin(angle);
                turned_ours[s][2 * j] = ours[s][2 * j] * c - ours[s][2 * j + 1] * n;
                turned_ours[s][2 * j + 1] = ours[s][2 * j] * n + ours[s][2 * j + 1] * c;
                /* x cos + rotate_half(x) sin, rotate_half = (-upper, lower) */
                turned_theirs[s][j] = theirs[s][j] * c - theirs[s][j + W / 2] * n;
                turned_theirs[s][j + W / 2] = theirs[s][j + W / 2] * c + theirs[s][j] * n;
            }
        for (int i = 0; i < W; i++) {
            score_ours += turned_ours[0][i] * turned_ours[1][i];
            score_theirs += turned_theirs[0][i] * turned_theirs[1][i];
        }
        ck_assert_double_eq_tol(score_ours, score_theirs, 1e-12);
    }
}
END_TEST

static const char index_json[] = "{\"metadata\":{\"total_size\":1},\"weight_map\":{";

/* Two shards and their index; `swap`: the index names the other file for the first tensor. */
static void write_shards(const struct decoder_config *config, int swap, const char *more)
{
    struct st_file a = {0}, b = {0};
    struct bytes index = {0};
    int n = decoder_weights(config), half = n / 2;
    add_llama(&a, config, "F32", 0, half);
    add_llama(&b, config, "F32", half, n - half);
    put(&index, index_json, strlen(index_json));
    for (int shard = 0; shard < 2; shard++) {
        const char *header = (const char *)(shard ? b : a).header.at;
        size_t left = (shard ? b : a).header.n;
        int first = 1;
        for (const char *at = header; (at = memmem(at, left - (size_t)(at - header), "\":{\"dtype", 9)); at++) {
            const char *start = at;
            char line[256];
            while (start[-1] != '"')
                start--;
            snprintf(line, sizeof line, "%s\"%.*s\":\"%s.safetensors\"", shard + !first ? "," : "", (int)(at - start),
                     start, (shard ^ (swap && first && !shard)) ? "b" : "a");
            put(&index, line, strlen(line));
            first = 0;
        }
    }
    put(&index, more, strlen(more));
    put(&index, "}}", 2);
    save(&index, "model.safetensors.index.json");
    st_save(&a, "a.safetensors");
    st_save(&b, "b.safetensors");
}

START_TEST(shards_with_an_index_are_read)
{
    struct decoder_config config = small_llama();
    save_text("config.json", llama_json);
    write_shards(&config, 0, "");
    expect_weights("model.safetensors.index.json", &no_options, &config, "F32");
    expect_weights(".", &no_options, &config, "F32");
    const char *index = "model.safetensors.index.json";
    write_shards(&config, 1, "");
    refuse(index, &no_options, STATUS_USAGE,
           "model.embed_tokens.weight: expected the file that holds it, a.safetensors");
    write_shards(&config, 0, ",\"more\":\"a.safetensors\"");
    refuse(index, &no_options, STATUS_USAGE, "more: expected it in a.safetensors, which does not have it");
    write_shards(&config, 0, ",\"more\":\"../c.safetensors\"");
    refuse(index, &no_options, STATUS_USAGE, "more: expected the name of a file beside the index");
    write_shards(&config, 0, ",\"more\":\"c.safetensors\"");
    refuse(index, &no_options, STATUS_IO, "c.safetensors: cannot be opened");
    save_text(index, "{\"weight_map\":[]}");
    refuse(index, &no_options, STATUS_USAGE, "expected \"weight_map\"");
    save_text(index, "{\"weight_map\":{\"a\":");
    refuse(index, &no_options, STATUS_USAGE, "index.json:1:");
}
END_TEST

START_TEST(missing_superfluous_and_misshapen_tensors_are_refused)
{
    struct decoder_config config = small_llama(), other = config;
    struct st_file file = {0};
    int n = decoder_weights(&config);
    const int64_t dims[2] = {2, 3};
    const float values[6] = {0};
    save_text("config.json", llama_json);
    add_llama(&file, &config, "F32", 0, n - 1);
    st_save(&file, "m.safetensors");
    refuse("m.safetensors", &no_options, STATUS_USAGE, "lm_head.weight: missing (head.weight of the model)");
    add_llama(&file, &config, "F32", 0, n);
    st_add(&file, "model.layers.0.self_attn.q_proj.bias", "F32", 1, dims, values);
    st_save(&file, "m.safetensors");
    refuse("m.safetensors", &no_options, STATUS_USAGE, "q_proj.bias: unexpected: the model has no such weight");
    add_llama(&file, &config, "F32", 0, n);
    st_add(&file, "model.layers.0.self_attn.rotary_emb.inv_freq", "F32", 1, dims, values);
    st_save(&file, "m.safetensors");
    expect_weights("m.safetensors", &no_options, &config, "F32");
    other.ffn = 21;
    add_llama(&file, &other, "F32", 0, n);
    st_save(&file, "m.safetensors");
    refuse("m.safetensors", &no_options, STATUS_USAGE,
           "mlp.gate_proj.weight: shape: expected [20, 24], found [21, 24]");
    ck_assert_int_eq(remove("config.json"), 0);
    refuse("m.safetensors", &no_options, STATUS_IO, "config.json: no such file");
}
END_TEST

/* ---- safetensors of GPT-2 ---- */

static const char gpt_json[] =
    "{\"model_type\":\"gpt2\",\"n_embd\":12,\"n_layer\":2,\"n_head\":3,\"n_positions\":10,\"vocab_size\":30,"
    "\"layer_norm_epsilon\":1e-05,\"activation_function\":\"gelu_new\"}";

/* Adds matrix [out, in] as [in, out]; several side by side. */
static void add_turned(struct st_file *file, const struct decoder_config *config, const char *theirs, int layer, int n,
                       const char *const *ours)
{
    struct decoder_weight weight;
    float *all = NULL;
    int64_t rows = 0, columns = 0;
    for (int part = 0; part < n; part++) {
        float *values;
        int i = weight_number(config, "layers.%d.%s", layer, ours[part]);
        decoder_weight(config, i, &weight);
        values_of(config, i, &values);
        rows = weight.dims[0];
        columns = weight.n_dims == 2 ? weight.dims[1] : 1;
        all = all ? all : malloc((size_t)(rows * columns * n) * sizeof *all);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++)
                all[c * rows * n + part * rows + r] = values[r * columns + c];
        free(values);
    }
    char name[96];
    snprintf(name, sizeof name, theirs, layer);
    const int64_t matrix[2] = {columns, rows * n}, vector = rows * n;
    st_add(file, name, "F32", weight.n_dims, weight.n_dims == 2 ? matrix : &vector, all);
    free(all);
}

static void add_straight(struct st_file *file, const struct decoder_config *config, const char *theirs,
                         const char *ours)
{
    struct decoder_weight weight;
    float *values;
    int i = weight_number(config, "%s", ours);
    values_of(config, i, &values);
    decoder_weight(config, i, &weight);
    st_add(file, theirs, "F32", weight.n_dims, weight.dims, values);
    free(values);
}

static void add_gpt(struct st_file *file, const struct decoder_config *config, const char *prefix)
{
    static const struct {
        const char *theirs;
        int n;
        const char *ours[3];
    } layer[] = {{"ln_1.weight", 1, {"attn_norm.gamma"}},
                 {"ln_1.bias", 1, {"attn_norm.beta"}},
                 {"attn.c_attn.weight", 3, {"attn.q.weight", "attn.k.weight", "attn.v.weight"}},
                 {"attn.c_attn.bias", 3, {"attn.q.bias", "attn.k.bias", "attn.v.bias"}},
                 {"attn.c_proj.weight", 1, {"attn.o.weight"}},
                 {"attn.c_proj.bias", 1, {"attn.o.bias"}},
                 {"ln_2.weight", 1, {"ffn_norm.gamma"}},
                 {"ln_2.bias", 1, {"ffn_norm.beta"}},
                 {"mlp.c_fc.weight", 1, {"ffn.up.weight"}},
                 {"mlp.c_fc.bias", 1, {"ffn.up.bias"}},
                 {"mlp.c_proj.weight", 1, {"ffn.down.weight"}},
                 {"mlp.c_proj.bias", 1, {"ffn.down.bias"}}};
    char name[96];
    static const char *const other[][2] = {{"wte.weight", "embed.weight"},
                                           {"wpe.weight", "positions.weight"},
                                           {"ln_f.weight", "norm.gamma"},
                                           {"ln_f.bias", "norm.beta"}};
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s", prefix, other[i][0]);
        add_straight(file, config, name, other[i][1]);
    }
    for (int l = 0; l < (int)config->layers; l++)
        for (size_t i = 0; i < sizeof layer / sizeof *layer; i++) {
            snprintf(name, sizeof name, "%sh.%%d.%s", prefix, layer[i].theirs);
            add_turned(file, config, name, l, layer[i].n, layer[i].ours);
        }
    const int64_t mask[4] = {1, 1, 2, 2};
    snprintf(name, sizeof name, "%sh.0.attn.bias", prefix);
    st_add(file, name, "F32", 4, mask, (const float[4]){1, 0, 1, 1});
}

START_TEST(safetensors_of_gpt2_are_read_with_and_without_prefix)
{
    struct decoder_config config = small_gpt();
    struct st_file file = {0};
    save_text("gpt.json", gpt_json);
    const struct model_import_options options = {.config = "gpt.json", .name = "mine"};
    for (int i = 0; i < 2; i++) {
        add_gpt(&file, &config, i ? "transformer." : "");
        st_save(&file, "m.safetensors");
        expect_weights("m.safetensors", &options, &config, "F32");
    }
    /* A head beside the embedding to which it is tied: the same or refused. */
    add_gpt(&file, &config, "transformer.");
    add_straight(&file, &config, "lm_head.weight", "embed.weight");
    st_save(&file, "m.safetensors");
    expect_weights("m.safetensors", &options, &config, "F32");
    add_gpt(&file, &config, "transformer.");
    float *values;
    values_of(&config, 0, &values);
    values[359] += 1;
    st_add(&file, "lm_head.weight", "F32", 2, (const int64_t[2]){30, 12}, values);
    free(values);
    st_save(&file, "m.safetensors");
    refuse("m.safetensors", &options, STATUS_USAGE, "lm_head.weight: expected the values of transformer.wte.weight");
}
END_TEST

START_TEST(names_come_from_files_and_folders)
{
    struct fault fault = FAULT_NONE;
    struct model_import *import;
    struct model_content content;
    struct decoder_config config = small_gpt();
    static const char *const paths[][2] = {{"some-model/model.safetensors", "some-model"},
                                           {"some-model/tiny.v2.safetensors", "tiny"},
                                           {"model.safetensors", "model"},
                                           {"./model.safetensors", "model"}};
    ck_assert_int_eq(mkdir("some-model", 0777), 0);
    save_text("config.json", gpt_json);
    save_text("some-model/config.json", gpt_json);
    for (int i = 0; i < 4; i++) {
        struct st_file file = {0};
        add_gpt(&file, &config, "");
        st_save(&file, paths[i][0]);
        OK(model_import_open(paths[i][0], &no_options, &import, &content, &fault));
        ck_assert_str_eq(content.config.name, paths[i][1]);
        model_import_close(import);
    }
}
END_TEST

Suite *suite_model_import(void)
{
    Suite *suite = suite_create("model_import");
    TCase *bin = tcase_create("llama2"), *hf = tcase_create("safetensors");
    tcase_add_checked_fixture(bin, model_folder_enter, model_folder_leave);
    tcase_add_checked_fixture(hf, model_folder_enter, model_folder_leave);
    tcase_add_test(bin, files_of_llama2_c_are_read);
    tcase_add_test(bin, the_tokenizer_must_fit_the_vocabulary);
    tcase_add_test(bin, malformed_files_of_llama2_c_are_refused);
    tcase_add_test(bin, weights_that_are_no_numbers_are_refused);
    tcase_add_test(bin, other_formats_are_told_apart);
    tcase_add_test(hf, safetensors_of_llama_are_read_in_every_type);
    tcase_add_test(hf, half_order_and_neighbours_give_the_same_scores);
    tcase_add_test(hf, shards_with_an_index_are_read);
    tcase_add_test(hf, missing_superfluous_and_misshapen_tensors_are_refused);
    tcase_add_test(hf, safetensors_of_gpt2_are_read_with_and_without_prefix);
    tcase_add_test(hf, names_come_from_files_and_folders);
    suite_add_tcase(suite, bin);
    suite_add_tcase(suite, hf);
    return suite;
}
