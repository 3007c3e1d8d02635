#include <check.h>
#include <math.h>
#include <string.h>

#include "model_files.h"

Suite *suite_model_catalogue(void);

START_TEST(known_models_have_the_published_numbers_of_parameters)
{
    static const struct {
        const char *name;
        int64_t parameters;
    } published[] = {{"gpt-2-small", 124439808},   {"gpt-2-xl", 1557611200},     {"llama-2-7b", 6738415616},
                     {"llama-2-13b", 13015864320}, {"llama-2-70b", 68976648192}, {"llama-3-8b", 8030261248},
                     {"llama-3-70b", 70553706496}};
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        const struct decoder_config *config = decoder_model(published[i].name);
        ck_assert_ptr_nonnull(config);
        ck_assert_msg(decoder_parameters(config) == published[i].parameters, "%s: expected %lld, found %lld",
                      published[i].name, (long long)published[i].parameters, (long long)decoder_parameters(config));
    }
}
END_TEST

START_TEST(every_known_model_is_sound_and_has_a_source)
{
    const struct decoder_config *config, *other;
    int n = 0;
    for (size_t i = 0; (config = decoder_model_at(i)); i++, n++) {
        struct fault fault = FAULT_NONE;
        OK(decoder_check(config, &fault));
        ck_assert_ptr_eq(decoder_model(config->name), config);
        ck_assert_ptr_nonnull(strstr(decoder_model_source(config->name), "recalled"));
        for (size_t j = 0; j < i && (other = decoder_model_at(j)); j++)
            ck_assert_str_ne(other->name, config->name);
        ck_assert_int_eq(config->ffn == 4 * config->d_model, !config->gated);
        ck_assert_int_eq(config->heads * config->head_width, config->d_model);
    }
    ck_assert_int_ge(n, 20);
    ck_assert_ptr_null(decoder_model("gpt-5"));
    ck_assert_ptr_null(decoder_model_source("gpt-5"));
}
END_TEST

/* The weights one by one are all of them: each name once, their values the parameters. */
START_TEST(weights_add_up_to_the_parameters)
{
    const struct decoder_config *config;
    for (size_t i = 0; (config = decoder_model_at(i)); i++) {
        int64_t sum = 0, products = 0;
        int n = decoder_weights(config);
        for (int w = 0; w < n; w++) {
            struct decoder_weight weight, next;
            decoder_weight(config, w, &weight);
            decoder_weight(config, (w + 1) % n, &next);
            ck_assert_str_ne(weight.name, next.name);
            int64_t values = weight.dims[0] * (weight.n_dims == 2 ? weight.dims[1] : 1);
            sum += values;
            if (strncmp(weight.name, "layers.", 7) == 0 && weight.n_dims == 2)
                products += values;
        }
        ck_assert_int_eq(sum, decoder_parameters(config));
        products += config->vocabulary * config->d_model;
        ck_assert_uint_eq(decoder_linear_flops(config), 2 * (uint64_t)products);
    }
    config = decoder_model("llama-2-70b");
    ck_assert_int_eq(decoder_kv_elements(config), INT64_C(2) * 80 * 8 * 128);
}
END_TEST

START_TEST(the_order_of_the_weights_is_that_of_the_header)
{
    static const char *const gpt[] = {"embed.weight",
                                      "positions.weight",
                                      "layers.0.attn_norm.gamma",
                                      "layers.0.attn_norm.beta",
                                      "layers.0.attn.q.weight",
                                      "layers.0.attn.k.weight",
                                      "layers.0.attn.v.weight",
                                      "layers.0.attn.o.weight",
                                      "layers.0.attn.q.bias",
                                      "layers.0.attn.k.bias",
                                      "layers.0.attn.v.bias",
                                      "layers.0.attn.o.bias",
                                      "layers.0.ffn_norm.gamma",
                                      "layers.0.ffn_norm.beta",
                                      "layers.0.ffn.up.weight",
                                      "layers.0.ffn.down.weight",
                                      "layers.0.ffn.up.bias",
                                      "layers.0.ffn.down.bias",
                                      "layers.1.attn_norm.gamma"};
    static const char *const llama[] = {
        "embed.weight",           "layers.0.attn_norm.gamma", "layers.0.attn.q.weight",  "layers.0.attn.k.weight",
        "layers.0.attn.v.weight", "layers.0.attn.o.weight",   "layers.0.ffn_norm.gamma", "layers.0.ffn.gate.weight",
        "layers.0.ffn.up.weight", "layers.0.ffn.down.weight", "layers.1.attn_norm.gamma"};
    struct decoder_config small = small_gpt();
    struct decoder_weight weight;
    for (int i = 0; i < (int)(sizeof gpt / sizeof *gpt); i++) {
        decoder_weight(&small, i, &weight);
        ck_assert_str_eq(weight.name, gpt[i]);
    }
    decoder_weight(&small, decoder_weights(&small) - 1, &weight);
    ck_assert_str_eq(weight.name, "norm.beta");
    small = small_llama();
    for (int i = 0; i < (int)(sizeof llama / sizeof *llama); i++) {
        decoder_weight(&small, i, &weight);
        ck_assert_str_eq(weight.name, llama[i]);
    }
    decoder_weight(&small, 3, &weight);
    ck_assert_int_eq(weight.dims[0], 8);
    ck_assert_int_eq(weight.dims[1], 24);
    decoder_weight(&small, decoder_weights(&small) - 1, &weight);
    ck_assert_str_eq(weight.name, "head.weight");
}
END_TEST

/* One change each to a sound shape. */
#define SPOILT(base, change, words)                                                                                    \
    do {                                                                                                               \
        struct decoder_config config = base;                                                                           \
        config.change;                                                                                                 \
        REFUSED(decoder_check(&config, &fault), STATUS_USAGE, words);                                                  \
    } while (0)

START_TEST(shapes_that_do_not_hold_together_are_refused)
{
    struct fault fault;
    SPOILT(small_llama(), layers = 0, "small: layers: expected 1 .. 16384, found 0");
    SPOILT(small_llama(), d_model = -5, "d_model: expected 1");
    SPOILT(small_llama(), heads = INT64_MAX, "heads: expected 1 .. 65536");
    SPOILT(small_llama(), vocabulary = INT64_MAX, "vocabulary");
    SPOILT(small_llama(), context = 0, "context");
    SPOILT(small_llama(), ffn = INT64_C(1) << 40, "ffn");
    SPOILT(small_llama(), kv_heads = 4, "kv_heads: expected a divisor of the 6 heads, found 4");
    SPOILT(small_llama(), head_width = 5, "head_width: expected an even number");
    SPOILT(small_llama(), rope_theta = 0, "rope_theta");
    SPOILT(small_llama(), rope_theta = NAN, "rope_theta");
    SPOILT(small_llama(), rope_factor = 0.5, "rope_factor");
    SPOILT(small_llama(), rope_factor = 8, "rope_low, rope_high");
    SPOILT(small_llama(), norm_eps = 0, "norm_eps");
    SPOILT(small_llama(), norm_eps = NAN, "norm_eps");
    SPOILT(small_llama(), family = "bert", "family: expected one of gpt, opt, mt-nlg, llama, found bert");
    SPOILT(small_llama(), family = NULL, "found none");
    SPOILT(small_llama(), act = ACT_NONE, "act: expected one of relu");
    SPOILT(small_llama(), tied = 2, "tied: expected 0 or 1, found 2");
    SPOILT(small_llama(), name = NULL; config.layers = 0, "decoder: layers");
    struct decoder_config wide = small_gpt();
    wide.head_width = 5; /* learned positions turn no pairs */
    fault = FAULT_NONE;
    OK(decoder_check(&wide, &fault));
    wide.heads = wide.kv_heads = 65536;
    wide.head_width = 16384;
    REFUSED(decoder_check(&wide, &fault), STATUS_USAGE, "heads x head_width");
}
END_TEST

Suite *suite_model_catalogue(void)
{
    Suite *suite = suite_create("model_catalogue");
    TCase *shapes = tcase_create("shapes");
    tcase_add_test(shapes, known_models_have_the_published_numbers_of_parameters);
    tcase_add_test(shapes, every_known_model_is_sound_and_has_a_source);
    tcase_add_test(shapes, weights_add_up_to_the_parameters);
    tcase_add_test(shapes, the_order_of_the_weights_is_that_of_the_header);
    tcase_add_test(shapes, shapes_that_do_not_hold_together_are_refused);
    suite_add_tcase(suite, shapes);
    return suite;
}
