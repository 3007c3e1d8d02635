/* rank_load.h - what enters and leaves an emulated device's memory: initial values, minibatches, predictions. */
#ifndef RANK_LOAD_H
#define RANK_LOAD_H

#include "model/decoder_load.h"
#include "model/metrics.h"
#include "model/windows.h"
#include "plan/program.h"

/* A device's share of one minibatch. */
struct load {
    struct windows *windows;
    enum window_set set;
    const uint32_t *samples; /* of the whole minibatch, numbers within the set */
    int64_t n_samples;       /* fewer than the programs' in the last minibatch of an evaluation */
    int64_t first, count;    /* the share: samples first .. first+count-1 of the minibatch */
    int element_bytes;
};

/* Predictions of an evaluation, in data units; zeroed is empty. */
struct prediction_list {
    uint32_t *sample;
    float *values; /* [n][outputs] */
    size_t n, max;
};

/* Local. Initial values of the slots that live over steps: counter-based random numbers keyed by parameter, so every
 * device holds the same. Adapters that are factors of their weight (SLOT_INIT_FACTOR) are made last. Nothing of this
 * takes virtual time. */
void load_initial_values(const struct program *program, uint64_t seed, int element_bytes, char *memory);

/* Local. The weights of a decoder (SLOT_INIT_WEIGHT), layer by layer. */
enum status load_weights(const struct program *program, const struct decoder_config *config,
                         const struct decoder_source *source, int element_bytes, char *memory, struct fault *fault);

/* Local. The same for one slot; another `generation` draws other numbers. */
void load_initial_slot(const struct slot *slot, uint64_t seed, uint32_t generation, int element_bytes, char *memory);

/* Local. LOAD: the share into x, target and mask (may be NULL); rows beyond n_samples are zero with mask 0. */
enum status load_minibatch(const struct load *load, void *const out[OP_MAX_OUT], struct fault *fault);

/* Local. METRIC: errors of the share in data units, added to `metrics`. `keep`, unless NULL, gets the predictions. */
void load_errors(const struct load *load, const void *const in[OP_MAX_IN], struct metric_sums *metrics,
                 struct prediction_list *keep);

/* Local. The loss sums of an evaluation, whatever the number of its METRICs, added to `metrics`. */
void load_losses(const void *sums, int element_bytes, struct metric_sums *metrics);

#endif
