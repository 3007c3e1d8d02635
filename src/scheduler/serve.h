/* serve.h - a serving job: the model, the machine, the requests, and the run. */
#ifndef SCHEDULER_SERVE_H
#define SCHEDULER_SERVE_H

#include "config/job.h"
#include "model/model_file.h"
#include "report/serving_devices.h"
#include "scheduler/serve_engine.h"
#include "serving/search.h"
#include "serving/serving.h"

/* A job that is ready to be served: the same on all ranks but for what rank 0 alone needs. */
struct serve {
    struct comm *comm;
    struct job *job;
    struct arena *arena;
    int timing_only;
    struct model_file *file;      /* NULL: a model of the catalogue */
    struct decoder_config config; /* of the model */
    struct machine machine;
    struct decoder_plan plan;
    struct decoder_limits limits;
    struct serving_config serving;
    struct requests requests; /* rank 0 */
    const char **prompt;      /* [requests.n] texts, with serve.prompts; rank 0 */
};

/* Requests that the caller gives instead of the job's; borrowed. */
struct serve_given {
    struct requests requests;
    const char **prompt; /* [requests.n] or NULL */
};

/* Collective. Models of the catalogue have no weights: they are served timing-only. Faults of any rank are everybody's.
 */
enum status serve_open(struct comm *comm, struct job *job, int timing_only, const struct serve_given *given,
                       struct arena *arena, struct serve *serve, struct fault *fault);
void serve_close(struct serve *serve);

/* An answer, as it ends; functional. */
struct serve_answer {
    uint32_t request;
    const char *prompt; /* NULL when it was given as tokens */
    const uint32_t *token;
    uint32_t n_tokens;
    const char *text; /* NULL without a tokenizer */
};

/* Each may be NULL. */
struct serve_sink {
    void *state;
    /* Before the first request of a run from its beginning; what has been told is saved and restored with the run: a
     * restored one goes on behind it. Both on rank 0. */
    enum status (*begin)(void *state, struct fault *fault);
    enum status (*archive)(void *state, struct archive *archive, struct fault *fault);
    enum status (*finished)(void *state, const struct served *record, struct fault *fault);
    enum status (*answer)(void *state, const struct serve_answer *answer, struct fault *fault);
};

struct serve_result {
    struct serving_result serving;
    struct serving_devices devices;
    struct serving_faults faults;
    struct serving_sample *sample; /* [n_samples] */
    size_t n_samples;
    double wall_s;
    uint64_t instructions; /* that were stepped; repetitions that were not are not among them */
};

/* How a run stops and goes on; all zero: it does not. */
struct serve_options {
    const char *checkpoint;                /* its file; NULL: none is written */
    int64_t checkpoint_iterations;         /* after every so many; 0: not by number */
    double checkpoint_every_s, max_wall_s; /* wall time; 0: no such thing */
    const char *resume;                    /* "auto" or a file; NULL: from the beginning */
    int quiet;
};

/* Collective. Serves all requests; the result is rank 0's. Timing-only runs are computed by rank 0 alone. The job's
 * faults happen (serve_fault.c): STATUS_DEVICE when what is left of the machine cannot serve the rest. A run that was
 * asked to stop by a signal or its wall time ends with STATUS_REQUEUE after it has written its checkpoint. */
enum status serve_run(struct serve *serve, const struct serve_options *options, const struct serve_sink *sink,
                      struct serve_result *result, struct fault *fault);

/* Collective; timing-only jobs. The highest rate of arrivals at which serve.slo is kept (serving/search.h). `told`
 * hears of each run on rank 0. */
enum status serve_find_rate(struct serve *serve, void (*told)(void *state, const struct serving_search_run *run),
                            void *state, struct serving_search_result *result, struct fault *fault);

/* Collective. An engine for the job's plan with tensors, to be driven by hand; serve_engine_close. */
enum status serve_open_engine(const struct serve *serve, struct serve_engine **engine, struct fault *fault);

/* Local. A tokenizer's text without its leading blank; the arena's. */
const char *serve_text(const struct serve *serve, const uint32_t *token, uint32_t n, struct arena *arena);

#endif
