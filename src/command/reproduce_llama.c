#include "command/reproduce_llama.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/command.h"
#include "model/model_import.h"
#include "scheduler/serve.h"
#include "store/csv.h"
#include "store/json_file.h"

/* Logits: largest difference allowed, in fp32. */
#define LOGIT_TOLERANCE 1e-4

struct llama_input {
    struct fault *fault;
    const char *what, *model, *tokenizer, *golden;
};

enum { KEY_TOKENIZER = 256, KEY_GOLDEN, KEY_MODEL };

static const struct argp_option options_table[] = {
    {"model", KEY_MODEL, "FILE", 0, "the model: llama2.c, safetensors or a model file", 0},
    {"tokenizer", KEY_TOKENIZER, "FILE", 0, "its tokenizer, unless the model file has it", 0},
    {"golden", KEY_GOLDEN, "FILE", 0,
     "JSON: a list of {id, prompt, token_ids, text}; logits of entry ID are read from NAME_logits_ID.csv beside a "
     "NAME_golden.json where there are any",
     0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct llama_input *input = state->input;
    switch (key) {
    case KEY_MODEL:
        input->model = arg;
        return 0;
    case KEY_TOKENIZER:
        input->tokenizer = arg;
        return 0;
    case KEY_GOLDEN:
        input->golden = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (input->what)
            return ARGP_ERR_UNKNOWN;
        input->what = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options_table,
    parse,
    "llama",
    "Greedy answers of a decoder on one emulated GPU alone, with 1, 2, 3 and 5 PIM devices that share the KV cache by "
    "heads, by tokens and both ways, with CPUs that do, and with a feed-forward that PIM devices share, against a "
    "reference's token ids, texts and logits.\vThe exit status is 3 when a "
    "token or a text differs, or a logit by more than 1e-4.\n\n"
    "example:\n"
    "  mpirun -n 4 polyrank reproduce llama --model stories.bin --tokenizer tok.bin --golden stories_golden.json",
    NULL,
    NULL,
    NULL};

/* One entry of the reference. */
struct golden {
    int64_t id;
    const char *prompt, *text;
    uint32_t *token; /* [n_tokens] prompt and answer */
    int64_t n_tokens, n_prompt;
    const char *logits_path; /* NULL: none */
};

struct reproduction {
    struct comm *comm;
    struct arena *arena;
    const struct llama_input *input;
    const char *model; /* a model file */
    struct golden *golden;
    size_t n;
    int64_t rows, failed;
    double sum, most; /* of the rows' errors in percent */
};

/* ---- reading ---- */

static const char *logits_path(struct arena *arena, const char *golden, int64_t id)
{
    const char *end = strstr(golden, "_golden.json");
    if (!end)
        return NULL;
    const char *path = arena_printf(arena, "%.*s_logits_%" PRId64 ".csv", (int)(end - golden), golden, id);
    return access(path, R_OK) == 0 ? path : NULL;
}

static enum status read_entry(struct reproduction *r, size_t i, const json_t *entry, struct fault *fault)
{
    const json_t *id = json_object_get(entry, "id"), *prompt = json_object_get(entry, "prompt");
    const json_t *text = json_object_get(entry, "text"), *tokens = json_object_get(entry, "token_ids");
    if (!json_is_integer(id) || !json_is_string(prompt) || !json_is_string(text) || !json_is_array(tokens))
        return fault_set(fault, STATUS_USAGE, "%s: [%zu]: expected {id, prompt, token_ids, text}, found another thing",
                         r->input->golden, i);
    struct golden *golden = &r->golden[i];
    golden->id = json_integer_value(id);
    golden->prompt = arena_string(r->arena, json_string_value(prompt));
    golden->text = arena_string(r->arena, json_string_value(text));
    golden->n_tokens = (int64_t)json_array_size(tokens);
    golden->token = arena_array(r->arena, (size_t)golden->n_tokens + 1, sizeof *golden->token);
    golden->logits_path = logits_path(r->arena, r->input->golden, golden->id);
    for (int64_t t = 0; t < golden->n_tokens; t++) {
        const json_t *token = json_array_get(tokens, (size_t)t);
        if (!json_is_integer(token) || json_integer_value(token) < 0 || json_integer_value(token) > INT32_MAX)
            return fault_set(fault, STATUS_USAGE, "%s: [%zu].token_ids[%" PRId64 "]: expected a token's number",
                             r->input->golden, i, t);
        golden->token[t] = (uint32_t)json_integer_value(token);
    }
    return STATUS_OK;
}

static enum status read_golden(struct reproduction *r, struct fault *fault)
{
    json_t *root = NULL;
    enum status status = json_file_read(r->input->golden, &root, fault);
    if (status != STATUS_OK)
        return status;
    if (!json_is_array(root) || json_array_size(root) == 0)
        status =
            fault_set(fault, STATUS_USAGE, "%s: expected a list of {id, prompt, token_ids, text}", r->input->golden);
    r->n = json_array_size(root);
    r->golden = arena_array(r->arena, r->n + 1, sizeof *r->golden);
    for (size_t i = 0; i < r->n && status == STATUS_OK; i++)
        status = read_entry(r, i, json_array_get(root, i), fault);
    json_decref(root);
    return status;
}

/* A foreign model becomes a model file in the temporary folder, on rank 0. */
static enum status make_model(struct reproduction *r, char *path, size_t size, struct fault *fault)
{
    struct model_import *import = NULL;
    struct model_content content;
    const struct model_import_options options = {.tokenizer = r->input->tokenizer};
    if (model_file_is(r->input->model)) {
        snprintf(path, size, "%s", r->input->model);
        return STATUS_OK;
    }
    const char *folder = getenv("TMPDIR");
    snprintf(path, size, "%s/polyrank-llama-%ld.h5", folder ? folder : "/tmp", (long)getpid());
    enum status status = model_import_open(r->input->model, &options, &import, &content, fault);
    if (status == STATUS_OK)
        status = model_file_write(path, &content, NULL, fault);
    model_import_close(import);
    return status;
}

/* ---- rows ---- */

static void add_row(struct reproduction *r, double error_percent, int good)
{
    r->rows++;
    r->failed += !good;
    r->sum += error_percent;
    r->most = error_percent > r->most ? error_percent : r->most;
}

/* What stands beside the GPU. */
struct llama_machine {
    const char *kind, *profile; /* of the devices that hold the cache */
    int n;                      /* 0: none */
    const char *partition, *ff_share;
};

static enum status open_machine(struct reproduction *r, const struct llama_machine *machine,
                                const struct serve_given *given, struct job *job, struct serve *serve,
                                struct fault *fault)
{
    const char *holders = arena_printf(r->arena, "    - {kind: %s, profile: %s, count: %d}\n", machine->kind,
                                       machine->profile, machine->n);
    const char *text =
        arena_printf(r->arena,
                     "name: llama\ncluster:\n  name: one\n  devices:\n    - {kind: gpu, profile: a100-80g}\n%s"
                     "  links: {host: pcie4, bridge: nvlink3, stack: nvlink3}\n"
                     "decoder: {file: \"%s\"}\n"
                     "serve: {requests: 1, partition: %s, max_batch: 8, ff_share: %s}\n",
                     machine->n ? holders : "", r->model, machine->partition, machine->ff_share);
    enum status status = job_parse(r->arena, "llama", text, NULL, 0, job, fault);
    return status == STATUS_OK ? serve_open(r->comm, job, 0, given, r->arena, serve, fault) : status;
}

struct answers {
    struct reproduction *r;
    const char *machine;
    int64_t wrong_tokens, wrong_texts, tokens;
};

static enum status compare_answer(void *state, const struct serve_answer *told, struct fault *fault)
{
    struct answers *answers = state;
    const struct golden *golden = &answers->r->golden[told->request];
    int64_t wanted = golden->n_tokens - golden->n_prompt, wrong = 0;
    (void)fault;
    for (int64_t t = 0; t < wanted; t++)
        wrong += t >= told->n_tokens || told->token[t] != golden->token[golden->n_prompt + t];
    size_t prompt = strlen(golden->prompt);
    const char *text = golden->text, *own = told->text;
    int same_prompt = strncmp(text, golden->prompt, prompt) == 0;
    /* The first piece of an answer to nothing begins with the blank that stands before every text. */
    if (prompt == 0 && *own == ' ')
        own++;
    int text_differs = !same_prompt || strcmp(text + prompt, own) != 0;
    answers->tokens += wanted;
    answers->wrong_tokens += wrong;
    answers->wrong_texts += text_differs;
    add_row(answers->r, 100.0 * (double)wrong / (double)wanted, !wrong && !text_differs);
    return STATUS_OK;
}

/* ---- logits: the reference's tokens one by one, each row of the table against the machine's ---- */

static enum status compare_logits(struct reproduction *r, struct serve_engine *engine, const struct golden *golden,
                                  int64_t vocabulary, double *most, double *scale, struct fault *fault)
{
    struct csv csv;
    float *logits = arena_array(r->arena, (size_t)vocabulary, sizeof *logits);
    enum status status = csv_read(golden->logits_path, r->arena, &csv, fault);
    if (status == STATUS_OK && csv.n_columns != vocabulary + 3)
        return fault_set(fault, STATUS_USAGE, "%s: expected %" PRId64 " columns, found %" PRId64, golden->logits_path,
                         vocabulary + 3, csv.n_columns);
    *most = *scale = 0;
    uint32_t blocks[64];
    for (uint32_t b = 0; b < 64; b++)
        blocks[b] = b;
    for (int64_t row = 1; status == STATUS_OK && row < csv.n_rows && row <= 64; row++) {
        const struct batch_part part = {.context = row - 1, .tokens = 1, .is_answer = 1, .top_p = 1, .block = blocks};
        int cached = row > 1;
        uint32_t next;
        const struct batch batch = {1, cached, 1, cached, 1, &part, &golden->token[row - 1]};
        struct step_result result;
        status = executor_iterate(serve_engine_executor(engine),
                                  &(struct iteration){.batch = &batch, .number = (uint32_t)row, .logits = logits},
                                  &next, NULL, &result, fault);
        for (int64_t v = 0; v < vocabulary && status == STATUS_OK; v++) {
            double wanted;
            if (!csv_number(csv_cell(&csv, row, v + 3), &wanted))
                return csv_expected(&csv, row, v + 3, "a number", fault);
            *most = fmax(*most, fabs((double)logits[v] - wanted));
            *scale = fmax(*scale, fabs(wanted));
        }
    }
    return status;
}

/* Rank 0 drives, the others follow. */
static enum status check_logits(struct reproduction *r, const struct serve *serve, double *most, struct fault *fault)
{
    struct serve_engine *engine = NULL;
    uint32_t wish;
    enum status status = serve_open_engine(serve, &engine, fault);
    if (status != STATUS_OK)
        return status;
    if (comm_rank(r->comm) == 0) {
        for (size_t i = 0; i < r->n && status == STATUS_OK; i++) {
            double largest = 0, scale = 1;
            if (!r->golden[i].logits_path)
                continue;
            status = compare_logits(r, engine, &r->golden[i], serve->config.vocabulary, &largest, &scale, fault);
            add_row(r, 100 * largest / scale, largest <= LOGIT_TOLERANCE);
            *most = fmax(*most, largest);
        }
        struct fault end = FAULT_NONE;
        serve_engine_wish(engine, 0, &end);
    } else {
        serve_engine_follow(engine, &wish, fault);
    }
    serve_engine_close(engine);
    return agree(r->comm, 0, fault);
}

static void print_machine(const struct llama_machine *machine, const struct serve *serve, const struct answers *answers,
                          double logits)
{
    const char *kind = machine->n && strcmp(machine->kind, "cpu") == 0 ? "CPU" : "PIM";
    printf("%d %s devices  %-9s %" PRId64 " x %" PRId64 "  shared %2.0f %%  %6" PRId64 " tokens  %4" PRId64
           " differ  %" PRId64 " texts differ  logits within %.1e\n",
           machine->n, kind, machine->n ? machine->partition : "-", serve->plan.partition.groups,
           serve->plan.partition.shards, 100 * serve->plan.ff_share, answers->tokens, answers->wrong_tokens,
           answers->wrong_texts, logits);
}

static enum status run_machine(struct reproduction *r, const struct llama_machine *machine,
                               const struct serve_given *given, struct fault *fault)
{
    struct job job;
    struct serve serve;
    struct serve_result result;
    struct answers answers = {.r = r};
    double logits = 0;
    enum status status = open_machine(r, machine, given, &job, &serve, fault);
    if (status != STATUS_OK)
        return status;
    status = serve_run(&serve, &(struct serve_options){.quiet = 1},
                       &(struct serve_sink){.state = &answers, .answer = compare_answer}, &result, fault);
    if (status == STATUS_OK)
        status = check_logits(r, &serve, &logits, fault);
    if (status == STATUS_OK && comm_rank(r->comm) == 0)
        print_machine(machine, &serve, &answers, logits);
    serve_close(&serve);
    return status;
}

/* Prompts as tokens; their answers are as long as the reference's. */
static enum status give_requests(struct reproduction *r, struct serve_given *given, struct fault *fault)
{
    struct model_file *file = NULL;
    enum status status = model_file_open(r->model, &file, fault);
    const struct tokenizer *tokenizer = status == STATUS_OK ? model_file_tokenizer(file) : NULL;
    if (status == STATUS_OK && !tokenizer)
        status =
            fault_set(fault, STATUS_USAGE, "%s: expected a model with a tokenizer: give --tokenizer", r->input->model);
    given->requests = (struct requests){.path = r->input->golden, .n = r->n};
    given->requests.request = arena_array(r->arena, r->n + 1, sizeof *given->requests.request);
    given->prompt = arena_array(r->arena, r->n + 1, sizeof *given->prompt);
    for (size_t i = 0; i < r->n && status == STATUS_OK; i++) {
        struct golden *golden = &r->golden[i];
        int32_t *tokens;
        int64_t n;
        tokenizer_encode(tokenizer, golden->prompt, strlen(golden->prompt), 1, r->arena, &tokens, &n);
        uint32_t *prompt = arena_array(r->arena, (size_t)n + 1, sizeof *prompt);
        for (int64_t t = 0; t < n; t++)
            prompt[t] = (uint32_t)tokens[t];
        golden->n_prompt = n;
        if (golden->n_tokens <= n)
            status =
                fault_set(fault, STATUS_USAGE,
                          "%s: [%zu].token_ids: expected more than the prompt's %" PRId64 " tokens, found %" PRId64,
                          r->input->golden, i, n, golden->n_tokens);
        for (int64_t t = 0; t < n && status == STATUS_OK; t++)
            if (prompt[t] != golden->token[t])
                status =
                    fault_set(fault, STATUS_INVALID, "%s: [%zu]: token %" PRId64 " of the prompt is %u here, %u there",
                              r->input->golden, i, t, prompt[t], golden->token[t]);
        given->requests.request[i] = (struct request){
            .prompt_tokens = (uint32_t)n, .output_tokens = (uint32_t)(golden->n_tokens - n), .prompt = prompt};
        given->prompt[i] = golden->prompt;
    }
    model_file_close(file);
    return status;
}

static enum status run_all(struct reproduction *r, struct fault *fault)
{
    static const struct llama_machine machines[] = {
        {"hbm-pim", "attacc-bank", 0, "heads", "0"},      {"hbm-pim", "attacc-bank", 1, "heads", "0"},
        {"hbm-pim", "attacc-bank", 2, "heads", "0"},      {"hbm-pim", "attacc-bank", 2, "sequence", "0"},
        {"hbm-pim", "attacc-bank", 2, "hybrid", "0"},     {"hbm-pim", "attacc-bank", 3, "heads", "0"},
        {"hbm-pim", "attacc-bank", 3, "sequence", "0"},   {"hbm-pim", "attacc-bank", 3, "hybrid", "0"},
        {"hbm-pim", "attacc-bank", 5, "heads", "0"},      {"hbm-pim", "attacc-bank", 5, "sequence", "0"},
        {"hbm-pim", "attacc-bank", 5, "hybrid", "0"},     {"cpu", "dgx-host-share", 1, "heads", "0"},
        {"cpu", "dgx-host-share", 3, "hybrid", "0"},      {"hbm-pim", "attacc-bank", 1, "heads", "0.5"},
        {"hbm-pim", "attacc-bank", 3, "sequence", "0.3"},
    };
    struct serve_given given = {{0}, NULL};
    read_golden(r, fault);
    if (fault->status == STATUS_OK)
        give_requests(r, &given, fault);
    enum status status = agree(r->comm, 0, fault);
    for (size_t i = 0; i < sizeof machines / sizeof *machines && status == STATUS_OK; i++)
        status = run_machine(r, &machines[i], &given, fault);
    if (status != STATUS_OK || comm_rank(r->comm) != 0)
        return status;
    printf("\nerror of an answer: share of its tokens that differ; of a table of logits: largest difference (at most "
           "%g) as "
           "a share of the largest logit\n"
           "rows %" PRId64 ", mean %.4g %%, max %.4g %%, failed %" PRId64 "\n",
           LOGIT_TOLERANCE, r->rows, r->sum / (double)r->rows, r->most, r->failed);
    if (r->failed)
        return fault_set(fault, STATUS_INVALID, "%" PRId64 " of %" PRId64 " rows differ from the reference", r->failed,
                         r->rows);
    return STATUS_OK;
}

enum status reproduce_llama(struct comm *comm, int argc, char **argv, struct fault *fault)
{
    struct llama_input input = {.fault = fault};
    int done;
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    if (!input.model || !input.golden)
        return fault_set(fault, STATUS_USAGE, "reproduce llama: expected --model and --golden");
    char *path = NULL, text[512] = "";
    struct arena *arena = arena_new();
    struct reproduction r = {.comm = comm, .arena = arena, .input = &input};
    if (comm_rank(comm) == 0) {
        make_model(&r, text, sizeof text, fault);
        path = text;
    }
    status = agree(comm, 0, fault);
    if (status == STATUS_OK)
        status = comm_broadcast_text(comm, arena, &path, fault);
    r.model = path;
    if (status == STATUS_OK)
        run_all(&r, fault);
    agree(comm, 0, fault);
    if (comm_rank(comm) == 0 && *text && strcmp(text, input.model) != 0)
        remove(text);
    arena_free(arena);
    return fault->status;
}
