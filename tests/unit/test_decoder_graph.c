/* test_decoder_graph.c - decoders like GPT-2, OPT and LLaMA on every layout of devices: the logits of each iteration are
 * those of a plain forward pass in double over the whole sequence, and timing-only takes the same time and energy.
 */
#include "decoder_case.h"

Suite *suite_decoder_graph(void);

enum { N_CASES = 45, MOST_SEQUENCES = 5, BLOCK_TOKENS = 3, MOST_D = 256 };

/* ---- the reference: token by token, as decoder.h writes it ---- */

struct forward {
    const struct decoder_config *config;
    struct arena *arena;
    double *keys, *values; /* [layers][context][kv_heads * head_width] */
};

static double weight_of(int64_t layer, const char *name, int64_t i)
{
    char text[96];
    snprintf(text, sizeof text, "layers.%lld.%s", (long long)layer, name);
    return (double)weight_value(layer < 0 ? name : text, i);
}

/* y[out] = W[out, in] x (+ bias) */
static void multiply(int64_t layer, const char *name, int has_bias, int64_t in, int64_t out, const double *x, double *y)
{
    char weight[64], bias[64];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    for (int64_t o = 0; o < out; o++) {
        y[o] = has_bias ? weight_of(layer, bias, o) : 0;
        for (int64_t i = 0; i < in; i++)
            y[o] += weight_of(layer, weight, o * in + i) * x[i];
    }
}

static void normalise(const struct decoder_config *config, int64_t layer, const char *name, const double *x, double *y)
{
    char gamma[64], beta[64];
    double mean = 0, square = 0, n = (double)config->d_model;
    snprintf(gamma, sizeof gamma, "%s.gamma", name);
    snprintf(beta, sizeof beta, "%s.beta", name);
    for (int64_t i = 0; i < config->d_model && !config->rms_norm; i++)
        mean += x[i] / n;
    for (int64_t i = 0; i < config->d_model; i++)
        square += (x[i] - mean) * (x[i] - mean) / n;
    for (int64_t i = 0; i < config->d_model; i++)
        y[i] = (x[i] - mean) / sqrt(square + config->norm_eps) * weight_of(layer, gamma, i) +
               (config->rms_norm ? 0 : weight_of(layer, beta, i));
}

/* Wavelengths in tokens: short ones stay, long ones are stretched, between them the frequencies are blended. */
static double wavelength(const struct decoder_config *config, int64_t j)
{
    double wave = 2 * M_PI * pow(config->rope_theta, 2 * (double)j / (double)config->head_width);
    double original = (double)config->rope_original, stretched = wave * config->rope_factor;
    if (config->rope_factor == 0 || wave < original / config->rope_high)
        return wave;
    if (wave > original / config->rope_low)
        return stretched;
    double share = (original / wave - config->rope_low) / (config->rope_high - config->rope_low);
    return 1 / ((1 - share) / stretched + share / wave);
}

static void turn_heads(const struct decoder_config *config, int64_t heads, int64_t place, double *x)
{
    for (int64_t j = 0; j < heads * config->head_width / 2 && config->rotary; j++) {
        double angle = 2 * M_PI * (double)place / wavelength(config, j % (config->head_width / 2));
        double a = x[2 * j], b = x[2 * j + 1];
        x[2 * j] = a * cos(angle) - b * sin(angle);
        x[2 * j + 1] = a * sin(angle) + b * cos(angle);
    }
}

static void attend_head(const struct forward *f, int64_t place, const double *q, const double *keys,
                        const double *values, double *o)
{
    int64_t width = f->config->head_width, stride = f->config->kv_heads * width;
    double sum = 0;
    memset(o, 0, (size_t)width * sizeof *o);
    for (int64_t t = 0; t <= place; t++) {
        double score = 0;
        for (int64_t d = 0; d < width; d++)
            score += q[d] * keys[t * stride + d];
        double share = exp(score / sqrt((double)width));
        sum += share;
        for (int64_t d = 0; d < width; d++)
            o[d] += share * values[t * stride + d];
    }
    for (int64_t d = 0; d < width; d++)
        o[d] /= sum;
}

static void add_attention(const struct forward *f, int64_t layer, int64_t place, double *x)
{
    const struct decoder_config *config = f->config;
    int64_t d = config->d_model, kv = config->kv_heads * config->head_width, width = config->head_width;
    double y[MOST_D], q[MOST_D], o[MOST_D], *keys = f->keys + layer * config->context * kv;
    double *values = f->values + layer * config->context * kv;
    normalise(config, layer, "attn_norm", x, y);
    multiply(layer, "attn.q", config->biases, d, d, y, q);
    multiply(layer, "attn.k", config->biases, d, kv, y, keys + place * kv);
    multiply(layer, "attn.v", config->biases, d, kv, y, values + place * kv);
    turn_heads(config, config->heads, place, q);
    turn_heads(config, config->kv_heads, place, keys + place * kv);
    for (int64_t h = 0; h < config->heads; h++) {
        int64_t g = h / (config->heads / config->kv_heads);
        attend_head(f, place, q + h * width, keys + g * width, values + g * width, o + h * width);
    }
    multiply(layer, "attn.o", config->biases, d, d, o, y);
    for (int64_t i = 0; i < d; i++)
        x[i] += y[i];
}

static double activated(enum activation act, double x)
{
    return act == ACT_RELU   ? fmax(x, 0)
           : act == ACT_SILU ? x / (1 + exp(-x))
                             : 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static void add_feed_forward(const struct decoder_config *config, int64_t layer, double *x)
{
    double y[MOST_D], up[MOST_D], gate[MOST_D];
    normalise(config, layer, "ffn_norm", x, y);
    multiply(layer, "ffn.up", config->biases, config->d_model, config->ffn, y, up);
    if (config->gated)
        multiply(layer, "ffn.gate", config->biases, config->d_model, config->ffn, y, gate);
    for (int64_t i = 0; i < config->ffn; i++)
        up[i] = config->gated ? activated(config->act, gate[i]) * up[i] : activated(config->act, up[i]);
    multiply(layer, "ffn.down", config->biases, config->ffn, config->d_model, up, y);
    for (int64_t i = 0; i < config->d_model; i++)
        x[i] += y[i];
}

/* Logits behind every token, [n][vocabulary]. */
static double *forward(const struct decoder_config *config, struct arena *arena, const uint32_t *token, int64_t n)
{
    size_t kv = (size_t)(config->layers * config->context * config->kv_heads * config->head_width);
    struct forward f = {config, arena, arena_array(arena, kv, sizeof(double)), arena_array(arena, kv, sizeof(double))};
    double x[MOST_D], y[MOST_D], *logits = arena_array(arena, (size_t)(n * config->vocabulary), sizeof *logits);
    for (int64_t t = 0; t < n; t++) {
        for (int64_t i = 0; i < config->d_model; i++)
            x[i] = weight_of(-1, "embed.weight", token[t] * config->d_model + i) +
                   (config->rotary ? 0 : weight_of(-1, "positions.weight", t * config->d_model + i));
        for (int64_t layer = 0; layer < config->layers; layer++) {
            add_attention(&f, layer, t, x);
            add_feed_forward(config, layer, x);
        }
        normalise(config, -1, "norm", x, y);
        multiply(-1, config->tied ? "embed" : "head", 0, config->d_model, config->vocabulary, y,
                 logits + t * config->vocabulary);
    }
    return logits;
}

/* ---- the run ---- */

struct sequence {
    uint32_t token[64], block[64 / BLOCK_TOKENS + 1];
    int64_t n, done;
    const double *logits;
};

struct course {
    struct decoder_case c;
    struct dice dice;
    struct sequence sequence[MOST_SEQUENCES];
    int n_sequences, has_pims;
};

static void make_sequences(struct course *course)
{
    struct decoder_case *c = &course->c;
    int64_t blocks = (c->config.context + BLOCK_TOKENS - 1) / BLOCK_TOKENS;
    uint32_t *deck = arena_array(c->arena, (size_t)(blocks * MOST_SEQUENCES), sizeof *deck);
    rng_permutation(rng_key(9, RNG_TEST, 1), 0, (uint32_t)(blocks * MOST_SEQUENCES), deck);
    course->n_sequences = 1 + (int)below(&course->dice, MOST_SEQUENCES);
    for (int s = 0; s < course->n_sequences; s++) {
        struct sequence *sequence = &course->sequence[s];
        sequence->n = 1 + (int64_t)below(&course->dice, 40);
        sequence->done = 0;
        for (int64_t t = 0; t < sequence->n; t++)
            sequence->token[t] = (uint32_t)below(&course->dice, (uint64_t)c->config.vocabulary);
        memcpy(sequence->block, deck + s * blocks, (size_t)blocks * sizeof *deck);
        sequence->logits = forward(&c->config, c->arena, sequence->token, sequence->n);
    }
}

/* Some tokens of some sequences: pieces of prompts, and single tokens as if they had been chosen. */
struct made_batch {
    struct batch batch;
    struct batch_part part[MOST_SEQUENCES];
    uint32_t id[MOST_SEQUENCES * 64];
    int sequence[MOST_SEQUENCES]; /* of each part */
};

static void add_part(struct course *course, struct made_batch *made, int s, int64_t tokens)
{
    struct sequence *sequence = &course->sequence[s];
    struct batch *batch = &made->batch;
    int is_answer = (int)below(&course->dice, 4) > 0;
    made->sequence[batch->n_parts] = s;
    made->part[batch->n_parts++] = (struct batch_part){.context = sequence->done,
                                                       .tokens = (int32_t)tokens,
                                                       .is_answer = is_answer,
                                                       .request = (uint32_t)s,
                                                       .top_p = 1,
                                                       .block = sequence->block};
    memcpy(made->id + batch->n_tokens, sequence->token + sequence->done, (size_t)tokens * sizeof *made->id);
    batch->n_tokens += tokens;
    batch->n_answers += is_answer;
    sequence->done += tokens;
}

static void make_batch(struct course *course, struct made_batch *made)
{
    int64_t tokens[MOST_SEQUENCES];
    int decodes[MOST_SEQUENCES];
    for (int s = 0; s < course->n_sequences; s++) {
        int64_t left = course->sequence[s].n - course->sequence[s].done;
        decodes[s] = course->sequence[s].done > 0 && below(&course->dice, 2);
        tokens[s] = left == 0 || below(&course->dice, 4) == 0 ? 0
                    : decodes[s]                              ? 1
                                                              : 1 + (int64_t)below(&course->dice, (uint64_t)left);
    }
    made->batch = (struct batch){.parts = made->part, .ids = made->id};
    for (int cached = 1; cached >= 0; cached--) {
        for (int s = 0; s < course->n_sequences; s++)
            if (tokens[s] && (!course->has_pims || decodes[s]) == cached)
                add_part(course, made, s, tokens[s]);
        if (cached)
            made->batch.n_cached = made->batch.n_parts, made->batch.n_cached_tokens = made->batch.n_tokens;
    }
}

static void check_answers(struct course *course, const struct made_batch *made, const float *logits,
                          const uint32_t *next, double tolerance)
{
    int64_t vocabulary = course->c.config.vocabulary, row = 0;
    for (int i = 0; i < made->batch.n_parts; i++) {
        const struct sequence *sequence = &course->sequence[made->sequence[i]];
        const struct batch_part *part = &made->part[i];
        const double *expected = sequence->logits + (part->context + part->tokens - 1) * vocabulary;
        const float *found = logits + row * vocabulary;
        if (!part->is_answer)
            continue;
        for (int64_t v = 0; v < vocabulary; v++) {
            if (!(fabs((double)found[v] - expected[v]) <= tolerance * fmax(1, fabs(expected[v]))))
                ck_abort_msg("sequence %d, %lld + %d tokens: logit %lld is %.9g, expected %.9g", made->sequence[i],
                             (long long)part->context, part->tokens, (long long)v, (double)found[v], expected[v]);
            ck_assert(found[v] <= found[next[row]]);
        }
        row++;
    }
    ck_assert_int_eq(row, made->batch.n_answers);
}

static int sequences_left(const struct course *course)
{
    for (int s = 0; s < course->n_sequences; s++)
        if (course->sequence[s].done < course->sequence[s].n)
            return 1;
    return 0;
}

static void run_one(struct course *course, struct executor *functional, struct executor *timing, uint32_t number,
                    double tolerance)
{
    struct made_batch made;
    struct step_result result, timed;
    struct iteration_cost cost = {.busy_ps = NULL}, timed_cost = {.busy_ps = NULL};
    struct fault fault = FAULT_NONE;
    uint32_t next[MOST_SEQUENCES] = {0};
    make_batch(course, &made);
    if (!made.batch.n_parts)
        return;
    float *logits = arena_array(course->c.arena, (size_t)(MOST_SEQUENCES * course->c.config.vocabulary), sizeof *logits);
    const struct iteration now = {.batch = &made.batch, .number = number, .logits = logits};
    ck_assert_msg(!executor_iterate(functional, &now, next, &cost, &result, &fault), "%s", fault.text);
    ck_assert_msg(!executor_iterate(timing, &now, next, &timed_cost, &timed, &fault), "%s", fault.text);
    ck_assert_uint_eq(result.end_ps, timed.end_ps);
    ck_assert_mem_eq(cost.energy_fj, timed_cost.energy_fj, sizeof cost.energy_fj);
    check_answers(course, &made, logits, next, tolerance);
}

static void run_course(struct course *course, double tolerance)
{
    struct comm *comm = comm_alone();
    struct executor *functional = decoder_executor(&course->c, comm, 0);
    struct executor *timing = decoder_executor(&course->c, comm, 1);
    make_sequences(course);
    for (uint32_t number = 1; sequences_left(course) && number < 200; number++)
        run_one(course, functional, timing, number, tolerance);
    ck_assert(!sequences_left(course));
    executor_close(functional);
    executor_close(timing);
    comm_close(comm, 0);
}

START_TEST(logits_are_those_of_a_plain_forward_pass)
{
    static const char *const partitions[] = {"heads", "sequence", "hybrid", "auto"};
    struct course course = {.dice = dice(900 + (uint32_t)_i)};
    struct decoder_config config = small_decoder(_i % N_FAMILIES, &course.dice);
    int gpus = 1 + _i / N_FAMILIES % 3, pims = (int)below(&course.dice, 5), fp64 = pims == 0 && below(&course.dice, 2);
    int64_t blocks = (config.context + BLOCK_TOKENS - 1) / BLOCK_TOKENS;
    const struct decoder_limits limits = {.max_tokens = MOST_SEQUENCES * 64,
                                          .max_sequences = MOST_SEQUENCES,
                                          .block_tokens = BLOCK_TOKENS,
                                          .n_blocks = MOST_SEQUENCES * blocks,
                                          .head_chunks = 1 + (int64_t)below(&course.dice, 3),
                                          .partition = partitions[below(&course.dice, 4)],
                                          .typical_context = 30};
    course.has_pims = pims > 0;
    decoder_case_open(&course.c, &config, gpus, pims, fp64 ? "fp64" : "fp32", &limits);
    run_course(&course, fp64 ? 1e-6 : 1e-4); /* logits are told as floats */
    decoder_case_close(&course.c);
}
END_TEST

Suite *suite_decoder_graph(void)
{
    Suite *suite = suite_create("decoder_graph");
    TCase *tcase = tcase_create("logits");
    tcase_add_loop_test(tcase, logits_are_those_of_a_plain_forward_pass, 0, N_CASES);
    suite_add_tcase(suite, tcase);
    return suite;
}
