/* tokens_body.h - ops on the rows of an iteration that do not touch the KV cache, for one type; tokens.c includes it
 * once for each.
 *
 * TOKENS(name): adds the type to a name; TOKENS_KERNEL(name): the signature; REAL: the type.
 */

TOKENS_KERNEL(TOKENS(embed_tokens))
{
    (void)context;
    const struct batch *batch = batch_of(op);
    size_t c = (size_t)op->in, row = 0;
    for (int i = 0; i < batch->n_parts; i++)
        for (int64_t t = 0; t < batch->parts[i].tokens; t++, row++) {
            int64_t id = batch->ids[row], at = batch->parts[i].context + t;
            if (id >= op->out || (in[1] && at >= op->n_key))
                bug("token %lld of %lld at position %lld", (long long)id, (long long)op->out, (long long)at);
            const REAL *from = in[0] + (size_t)id * c, *position = in[1] ? in[1] + (size_t)at * c : NULL;
            for (size_t k = 0; k < c; k++)
                out[0][row * c + k] = from[k] + (position ? position[k] : 0);
        }
}

TOKENS_KERNEL(TOKENS(rms_norm))
{
    (void)context;
    size_t c = (size_t)op->in;
    for (size_t t = 0; t < (size_t)op->rows; t++) {
        const REAL *s = in[0] + t * c;
        if (in[1]) {
            for (size_t k = 0; k < c; k++)
                out[1][t * c + k] = s[k] + in[1][t * c + k];
            s = out[1] + t * c;
        }
        double squares = 0;
#pragma omp simd reduction(+ : squares)
        for (size_t k = 0; k < c; k++)
            squares += (double)s[k] * (double)s[k];
        REAL scale = (REAL)(1 / sqrt(squares / (double)c + op->eps));
        for (size_t k = 0; k < c; k++)
            out[0][t * c + k] = in[2][k] * (s[k] * scale);
    }
}

/* Turns the pairs of one head; cosine and sine [width / 2] of the token's position. */
static void TOKENS(turn)(size_t width, const REAL *cosine, const REAL *sine, const REAL *from, REAL *to)
{
    for (size_t j = 0; j < width / 2; j++) {
        REAL a = from[2 * j], b = from[2 * j + 1];
        to[2 * j] = a * cosine[j] - b * sine[j];
        to[2 * j + 1] = a * sine[j] + b * cosine[j];
    }
}

static void TOKENS(turn_row)(const struct op *op, const REAL *cosine, const REAL *sine, const REAL *from, REAL *to)
{
    size_t width = (size_t)op->head_width, queries = (size_t)(op->heads / op->kv_heads);
    for (size_t g = 0; g < (size_t)op->kv_heads; g++)
        for (size_t h = 0; h < queries + 2; h++) {
            size_t at = (g * (queries + 2) + h) * width;
            if (h <= queries)
                TOKENS(turn)(width, cosine, sine, from + at, to + at);
            else if (from != to)
                memcpy(to + at, from + at, width * sizeof *to);
        }
}

TOKENS_KERNEL(TOKENS(rotate))
{
    const struct batch *batch = batch_of(op);
    size_t half = (size_t)op->head_width / 2, columns = packed_columns(op), row = 0;
    REAL *cosine = context->scratch, *sine = cosine + half;
    for (int i = 0; i < batch->n_parts; i++)
        for (int64_t t = 0; t < batch->parts[i].tokens; t++, row++) {
            double position = (double)(batch->parts[i].context + t);
            for (size_t j = 0; j < half; j++) {
                cosine[j] = (REAL)cos(position * (double)in[1][j]);
                sine[j] = (REAL)sin(position * (double)in[1][j]);
            }
            TOKENS(turn_row)(op, cosine, sine, in[0] + row * columns, out[0] + row * columns);
        }
}

static REAL TOKENS(activated)(enum activation act, REAL x)
{
    switch (act) {
    case ACT_SILU:
        return x / (1 + (REAL)exp((double)-x));
    case ACT_RELU:
        return x <= 0 ? 0 : x;
    case ACT_GELU:
        return x * (REAL)(0.5 * (1 + erf((double)x * M_SQRT1_2)));
    case ACT_GELU_TANH:
        return x * (REAL)(0.5 * (1 + tanh(M_2_SQRTPI * M_SQRT1_2 * ((double)x + 0.044715 * (double)(x * x * x)))));
    default:
        return x;
    }
}

TOKENS_KERNEL(TOKENS(gate))
{
    (void)context;
    for (size_t i = 0; i < (size_t)(op->rows * op->out); i++)
        out[0][i] = TOKENS(activated)(op->act, in[0][i]) * in[1][i];
}

TOKENS_KERNEL(TOKENS(merge_rows))
{
    (void)context;
    const struct batch *batch = batch_of(op);
    size_t c = (size_t)op->in, cached = (size_t)batch->n_cached_tokens, rows = (size_t)batch->n_tokens;
    memcpy(out[0], in[0], cached * c * sizeof **out);
    memcpy(out[0] + cached * c, in[1] + cached * c, (rows - cached) * c * sizeof **out);
}

TOKENS_KERNEL(TOKENS(take_rows))
{
    (void)context;
    const struct batch *batch = batch_of(op);
    size_t c = (size_t)op->in, row = 0, taken = 0;
    for (int i = 0; i < batch->n_parts; i++) {
        row += (size_t)batch->parts[i].tokens;
        if (batch->parts[i].is_answer)
            memcpy(out[0] + taken++ * c, in[0] + (row - 1) * c, c * sizeof **out);
    }
}

TOKENS_KERNEL(TOKENS(sample))
{
    const struct batch *batch = batch_of(op);
    size_t row = 0;
    for (int i = 0; i < batch->n_parts; i++) {
        const struct batch_part *part = &batch->parts[i];
        if (!part->is_answer)
            continue;
        const REAL *logits = in[0] + row * (size_t)op->out;
        double *share = context->scratch;
        for (int64_t v = 0; v < op->out; v++)
            share[v] = (double)logits[v];
        out[0][row++] = (REAL)sample_token(op->out, share, (void *)(share + op->out), part, context->seed);
    }
}

#undef TOKENS
#undef TOKENS_KERNEL
#undef REAL
