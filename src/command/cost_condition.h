/* cost_condition.h - under which conditions a table of measurements was taken.
 *
 * The device model prices a kernel in a stream of kernels on a warm machine. A table may include a framework's launch,
 * time short bursts before the power limit is felt, or use other software than the model's. Each difference is stated
 * here, once, with where it comes from, and told in every summary that uses it.
 */
#ifndef COMMAND_COST_CONDITION_H
#define COMMAND_COST_CONDITION_H

#include "base/status.h"

/* X(id, text, burst, extra_us, cast_ps, attention_share, peer, slow_network, evidence)
 * burst: full clock, no power limit. extra_us: added to every time. cast_ps: per element of the first operand (m k),
 * for casting it. attention_share: replaces the profile's (0: no). peer: peer-memory all-reduce is available.
 * slow_network: share of the bandwidth between nodes (0: the catalogue's), for all devices of a node together. */
#define CONDITIONS(X)                                                                                                  \
    X(CONDITION_PLAIN, "as the model", 0, 0, 0, 0, 0, 0, "")                                                           \
    X(CONDITION_BURST, "short bursts: full clock", 1, 0, 0, 0, 0, 0, "stated")                                         \
    X(CONDITION_FP8, "short bursts, scaling and casting of A timed", 1, 8.5, 9.5, 0, 0, 0, "fitted, every 8th row")    \
    X(CONDITION_ATTENTION, "short bursts, wrapper of the attention call timed", 1, 5.8, 0, 0, 0, 0,                    \
      "fitted, every 8th row")                                                                                         \
    X(CONDITION_ATTENTION_FP8, "short bursts, wrapper and conversion of fp8 keys timed", 1, 7.2, 0, 0, 0, 0,           \
      "fitted, every 8th row")                                                                                         \
    X(CONDITION_EVENTS_H100, "kernel time between events", 0, 1.2, 0, 0, 0, 0, "fitted, every 8th row")                \
    X(CONDITION_COMPASS_GEMM, "PyTorch launch timed", 0, 21, 0, 0, 0, 0, "LLMCompass")                                 \
    X(CONDITION_COMPASS_SOFTMAX, "PyTorch launch timed", 0, 10, 0, 0, 0, 0, "LLMCompass: 12 us with the kernel's")     \
    X(CONDITION_COMPASS_NORM, "PyTorch launch timed", 0, 39, 0, 0, 0, 0, "LLMCompass: 45 us with the kernel's")        \
    X(CONDITION_COMPASS_GELU, "PyTorch launch timed", 0, 43, 0, 0, 0, 0, "LLMCompass: 45 us with the kernel's")        \
    X(CONDITION_FLASH2, "FlashAttention-2 kernels on Hopper", 0, 0, 0, 0.39, 0, 0, "fitted, all its rows")             \
    X(CONDITION_PEER, "all-reduce through peer memory", 0, 0, 0, 0, 1, 0, "stated")                                    \
    X(CONDITION_EAGER_A100, "all-reduce through peer memory, PyTorch launch timed", 0, 39, 0, 0, 1, 0,                 \
      "read off its smallest messages")                                                                                \
    X(CONDITION_EAGER_HOPPER, "all-reduce through peer memory, PyTorch launch timed", 0, 17, 0, 0, 1, 0,               \
      "read off its smallest messages")                                                                                \
    X(CONDITION_TORCH_REDUCE_HOPPER, "NCCL through PyTorch", 0, 5, 0, 0, 0, 0, "fitted, every 8th row")                \
    X(CONDITION_TORCH_REDUCE, "NCCL through PyTorch", 0, 15, 0, 0, 0, 0, "fitted, every 8th row")                      \
    X(CONDITION_CLOUD_REDUCE, "NCCL through PyTorch, between cloud nodes that share one port", 0, 15, 0, 0, 0, 0.31,   \
      "fitted to send/recv between nodes")                                                                             \
    X(CONDITION_CLOUD_MESSAGE, "between cloud nodes without direct access", 0, 0, 0, 0, 0, 0.31,                       \
      "fitted to send/recv between nodes")

enum condition_id {
#define X(id, text, burst, extra_us, cast_ps, attention_share, peer, slow_network, evidence) id,
    CONDITIONS(X)
#undef X
        N_CONDITIONS
};

struct condition {
    const char *text;
    int burst;
    double extra_us, cast_ps, attention_share;
    int peer;
    double slow_network;
    const char *evidence;
};

/* Local. The condition; a constant. */
const struct condition *condition_of(enum condition_id id);

#endif
