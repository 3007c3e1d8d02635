/* job.h - a job and its cluster, as read from YAML, checked and with defaults filled in.
 *
 * What may stand in a job is one table (config/keys): path, unit, range, default, meaning. From it come the reader's
 * checks,
 * --set, --print-config, the nearest known key of a message and the table of keys in the manual.
 */
#ifndef CONFIG_JOB_H
#define CONFIG_JOB_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

/* A value that the file left open and that a preset of the model fills in. */
#define JOB_UNSET (-1)
#define JOB_MAX_HORIZON 512

enum { JOB_MAX_LIST = 8 };

struct int_list {
    int n;
    int64_t value[JOB_MAX_LIST];
};

struct word_list {
    int n;
    const char *value[64];
};

/* model: the encoder family. Everything but the preset may be left to the preset (JOB_UNSET, NULL, n = 0). */
struct job_model {
    const char *preset; /* wind swe weather covid traffic */
    int64_t d_model, heads, layers, ffn, embed_hidden;
    int64_t tokens, features, outputs; /* without a data set (timing-only); with one they follow from it */
    const char *embed;                 /* gelu linear */
    const char *positions;             /* true constant none */
    const char *position_site;         /* encoder head: where the positions are added */
    const char *attention;             /* spatial temporal joint factorised */
    const char *mask;                  /* none causal */
    int64_t neighbours;                /* nearest stations that a token sees; 0: all; JOB_UNSET: adjacency */
    double dropout;                    /* JOB_UNSET or [0, 1) */
    int64_t concat;                    /* 0 1: head reads [encoder ; embedding] */
    int residual;                      /* output = last value + prediction (default 0) */
    int linear_skip;                   /* adds a linear map of the flattened input window to the output (default 0) */
    int64_t skip_steps;                /* of only the last so many features of each token (0: all) */
    int zero_output;                   /* the head's last layer and the skip start at zero (default 0) */
    const char *head;                  /* preset; token: one dense layer per token, without the presets' dense layers */
    struct int_list reduce_width, decode_width; /* head: per token, then over the flattened tokens */
    struct word_list reduce_act, decode_act;    /* none relu gelu, one per width */
};

struct job_data {
    const char *file;           /* data set (HDF5); NULL: timing-only with model.tokens, features, outputs */
    struct word_list inputs;    /* variables that are features; empty: the target */
    const char *target;         /* variable; NULL: the only one */
    int64_t window, horizon;    /* time steps in, ahead (defaults 12, 1) */
    int as_published;           /* swe, weather, covid: the first step ahead is the last of the window */
    int64_t slots;              /* traffic: times of the day; JOB_UNSET: from the data's step */
    const char *split_by;       /* rows: test_rows; fraction: test_fraction */
    int64_t test_rows[2];       /* first and last row (inclusive) whose values are targets of the test set */
    double test_fraction;       /* the last part of the rows, when no test rows are given */
    const char *test_time[2];   /* first and last time stamp, ISO 8601, as an alternative */
    double validation_fraction; /* last part of the training samples, kept out of training */
    const char *normalise;      /* station global none: z-score by training statistics */
};

struct job_optimiser {
    const char *kind; /* sgd adam adamw */
    double learning_rate, weight_decay, beta1, beta2, eps;
};

struct job_schedule {
    const char *kind; /* constant step cosine */
    int64_t warmup_steps;
    int64_t step_epochs;   /* step: every so many epochs ... */
    double step_factor;    /* ... times this */
    double final_fraction; /* cosine: learning rate at the end over the one at the start */
};

/* Counts with train.mode lora: model/encoder.h. */
struct job_adapter {
    int64_t width;            /* JOB_UNSET: auto */
    double alpha, dropout;    /* dropout JOB_UNSET: 0.1, or 0 with init svd */
    const char *init;         /* zero svd */
    double learning_rate;     /* of the low-parameter mode after a switch; JOB_UNSET: the optimiser's */
    struct word_list targets; /* q k v o ffn0 ffn1; empty: q and v */
    int train_norms;
};

/* When training goes over from all weights to the few of the low-parameter mode (scheduler/switch.h). */
struct job_switch {
    const char *policy;                             /* never at always hpt safe */
    int64_t at_step;                                /* at: after this step; JOB_UNSET */
    int64_t trial_steps;                            /* at: the last so many steps before it run in both modes */
    int64_t window_steps;                           /* 0: the policy's default */
    double alpha, loss_threshold, weight_threshold; /* hpt: level of the t-test; largest relative decreases of a plateau
                                                       (weight_threshold JOB_UNSET: the policy's) */
    int64_t watch_layer;                            /* encoder layer whose q and v are watched; -1: the last */
    double margin;                                  /* safe: how much worse the low mode may be */
};

struct job_train {
    const char *mode;      /* full lora did said: docs/models.md */
    int64_t epochs, steps; /* steps > 0 wins over epochs */
    int64_t minibatch;     /* samples of one step over all devices */
    const char *loss;      /* mse mae huber */
    double huber_delta;    /* in normalised units */
    int64_t intrinsic_dim; /* did, said: dimensions in which the layers are trained */
    struct job_optimiser optimiser;
    struct job_schedule schedule;
    struct job_adapter adapter;
    double clip_norm;        /* 0: off */
    double recovery_s;       /* virtual time until the loss of a device is noticed */
    int64_t evaluate_epochs; /* evaluate on the test set every so many epochs (0: at the end only) */
    uint64_t seed;
    struct job_switch mode_switch; /* section train.switch */
};

struct job_placement {
    const char *policy;           /* gpu-only hpt auto */
    const char *objective;        /* auto: time energy product */
    int stores_format;            /* values have the numerics' bytes in memory and in messages: serving. No key */
    const char *chosen;           /* what auto stands for, once it is known; NULL: policy counts. No key */
    int64_t micro_batches;        /* hpt: pieces of a minibatch in the pipeline */
    int64_t replicas;             /* hpt: copies of every frozen matrix; 0: as many as fit */
    const char *numerics;         /* fp32 tf32 bf16 fp16 fp64 */
    const char *attention_kernel; /* unfused fused */
    double bucket_bytes;          /* all-reduce of gradients in pieces of this size */
};

/* A decoder for `polyrank serve`: one of the two is given, or neither in a job that trains. */
struct job_decoder {
    const char *model; /* name in the catalogue: no weights, timing only */
    const char *file;  /* model file */
    int64_t context;   /* 0: the model's */
};

/* Limits of a service-level objective; 0: none. */
struct job_slo {
    double ttft_s, tpot_s, e2e_s;
    double share; /* of requests that must keep it: --find-rate */
};

/* What is served, and how. */
struct job_serve {
    const char *trace;    /* request trace; or ... */
    const char *prompts;  /* ... a text file with a prompt on each line; or made-up requests */
    int64_t requests;     /* how many are made up, or the first so many of the trace (0: all) */
    const char *arrivals; /* poisson gamma fixed at-once */
    double rate_per_s, cv, rate_scale;
    int64_t input_tokens, output_tokens; /* made up: of each; prompts: output_tokens at most */
    const char *lengths_from;            /* made up: a trace whose lengths are drawn instead */
    int64_t longest_total;               /* trace: longer ones are left out; 0: longer than the model's context */
    double watermark;                    /* share of the KV blocks, in thousandths */
    double temperature, top_p;
    uint64_t seed;
    const char *batching; /* chunked prefill-first static */
    int64_t max_batch, token_budget, block_tokens;
    int prefix_caching, reserve_output, schedule_ahead;
    const char *preemption; /* recompute swap */
    int64_t instances, prefill_instances;
    const char *router;    /* round-robin least-loaded prefix central */
    const char *partition; /* heads sequence hybrid auto */
    int64_t head_chunks;
    const char *ff_share;                      /* 0 to 0.9, or auto */
    const char *kv_numerics, *weight_numerics; /* same int8 */
    const char *recovery;                      /* recompute reload */
    double recovery_s;
    double sample_s;
    struct job_slo slo;
};

/* A fault of the emulated hardware. */
struct job_fault {
    const char *device; /* gpu0 */
    double at_s;        /* virtual time */
    const char *kind;   /* fails degrades link-slows columns-stick */
    double factor;      /* degrades, link-slows: share of the speed that is left; columns-stick: of the columns */
    int64_t instance;   /* serving */
};

enum { JOB_MAX_FAULTS = 64 };

struct job_output {
    const char *directory;  /* result.h5, summary.json, trace.json.gz go here */
    int trace;              /* write the trace (default 1) */
    double trace_max_bytes; /* cap of the uncompressed trace */
    int predictions;        /* store the test predictions in the result */
};

/* One entry of a cluster's device list. Values given override the profile's; NAN or 0 = not given. */
struct cluster_device {
    const char *kind;    /* gpu reram systolic hbm-pim cpu */
    const char *profile; /* name in the device catalogue */
    int64_t count;
    int64_t per_node; /* devices that share the inner fabric (default: all) */
    double memory_bytes, memory_bytes_per_s, peak_flop_per_s /* at the job's numerics */, tdp_w; /* 0: the profile's */
    double launch_s;                    /* gpu; 0: the profile's */
    double idle_w;                      /* JOB_UNSET: the profile's */
    const char *numerics;               /* as placement.numerics, or int8; NULL: the job's */
    const char *attention_kernel;       /* gpu, systolic: unfused fused; NULL: the job's */
    const char *dataflow, *memory_mode; /* systolic: os ws is; ideal scalesim. NULL: not given */
    int64_t array_rows, array_cols;     /* systolic; 0: the profile's */
    int overlap_weights;                /* systolic */
    /* reram. NULL, 0 or (from program_noise to adc_range) JOB_UNSET: the profile's */
    const char *fidelity; /* ideal quantized analog; NULL: quantized */
    const char *mapping;  /* differential offset */
    int64_t tiles, weight_bits, input_bits, error_bits, cell_bits, adc_bits;
    double program_noise, read_noise, stuck_low, stuck_high, drift, adc_range, endurance;
    int write_verify;
    int64_t stacks, power_limit; /* hbm-pim; 0 and JOB_UNSET: the profile's */
};

struct cluster_links {
    const char *inside, *between, *host; /* link profiles: GPUs within a node, between nodes, device to host */
    const char *stack, *bridge;          /* between devices that are not GPUs, and from those to GPUs */
};

enum { CLUSTER_MAX_DEVICES = 16 };

struct cluster {
    const char *source; /* file it came from */
    const char *name;
    int n_devices;               /* entries, not devices */
    double iteration_overhead_s; /* serving: time of the host's engine for each iteration */
    struct cluster_device device[CLUSTER_MAX_DEVICES];
    struct cluster_links links;
};

struct job {
    const char *source; /* file it came from */
    const char *name;
    struct job_model model;
    struct job_data data;
    struct job_train train;
    struct job_placement placement;
    struct job_decoder decoder;
    struct job_serve serve;
    struct job_output output;
    int n_faults;
    struct job_fault fault[JOB_MAX_FAULTS];
    const char *cluster_file; /* relative to the job's folder; resolved */
    struct cluster cluster;
};

/* Local (one rank reads; the text of job_print is broadcast and read again by job_parse on the others).
 * Reads a job and the cluster it names, applies `overrides` ("train.epochs=3", later ones win), checks everything.
 * Fault STATUS_USAGE with `file:line: key: expected ..., found ...` (file "--set" and the override's text for
 * overrides); STATUS_IO when a file cannot be read. All memory in `arena`. */
enum status job_read(struct arena *arena, const char *path, const char *const *overrides, int n_overrides,
                     struct job *job, struct fault *fault);

/* Local. The same from text; `name` stands for the file in messages. A job printed by job_print holds its cluster
 * inside (key cluster: as a mapping instead of a file name). */
enum status job_parse(struct arena *arena, const char *name, const char *text, const char *const *overrides,
                      int n_overrides, struct job *job, struct fault *fault);

/* Local. The resolved job as YAML with the cluster inside and every value written out; job_parse reads back equal
 * values. */
char *job_print(struct arena *arena, const struct job *job);

/* Local. Reads and checks a cluster file alone. */
enum status cluster_read(struct arena *arena, const char *path, struct cluster *cluster, struct fault *fault);

/* Local. Is this file a job, a cluster, a study, or none of them ("job", "cluster", "study", NULL)? For `polyrank
 * check`. */
const char *config_kind(const char *path);

#endif
