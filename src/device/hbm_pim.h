/* hbm_pim.h - the physics of processing in HBM: what attention over keys and values costs where they lie. Pure: no
 * tensors, no MPI, no I/O.
 *
 * A device is `stacks` HBM stacks of `channels` channels. The processing units (PU) multiply a column of a row with a
 * part of a vector and add up: one command (MAC) works in all units of a channel at once. Three places for them:
 * at every bank, at every bank group, or on the buffer die (one for each pseudo-channel, both get the same). One
 * (sequence, KV head) pair lies in exactly one channel, all of it: keys, then values.
 *
 *     score     s[l] = q . k[l]      tokens l over bank groups (`token_ways`), the head's width over the banks of a
 * group softmax   in the softmax unit of the buffer die, which the scores move to and the weights come back from
 *     context   o[d] = sum_l p[l] v[l, d]
 *
 * Commands of one head with L tokens of width D, n elements of e bytes in a 32 byte column (n = 32 / e), token_ways q,
 * width_ways u (4 at banks, else 1):
 *     x = ceil(D / (u n))      MACs of score = MACs of context = ceil(L / q) x       (per query)
 *     query in: u x;   scores out: p ceil(L / (16 q));   weights in: p ceil(L / (q n));   result out: p_c x
 * with p = 8 places of the buffer for scores (1 on the buffer die) and p_c = 8, 2, 1 partial results.
 * Source of organisation, commands and energies: AttAcc (ASPLOS 2024) and its public simulator; docs/attacc.md.
 */
#ifndef DEVICE_HBM_PIM_H
#define DEVICE_HBM_PIM_H

#include <stddef.h>
#include <stdint.h>

#include "base/cost.h"

enum hbm_pim_placement { HBM_PIM_BANK, HBM_PIM_BANK_GROUP, HBM_PIM_BUFFER, N_HBM_PIM_PLACEMENTS };

/* The constants of a profile. X(type, field, unit, meaning). "cycle": of clock_ps. */
#define HBM_PIM_CONSTANTS(X)                                                                                           \
    X(int, placement, "1", "processing units: 0 at banks, 1 at bank groups, 2 on the buffer die")                      \
    X(int, stacks, "1", "HBM stacks of a device")                                                                      \
    X(int, channels, "1", "channels of a stack (each of two pseudo-channels)")                                         \
    X(int, banks, "1", "banks of a channel")                                                                           \
    X(uint64_t, bank_bytes, "byte", "capacity of a bank")                                                              \
    X(int, row_bytes, "byte", "a row of a bank")                                                                       \
    X(int, column_bytes, "byte", "what one access of a bank moves")                                                    \
    X(uint64_t, clock_ps, "ps", "cycle of the command clock")                                                          \
    X(int, rcd_cycles, "cycle", "activate to MAC (nRCDRD)")                                                            \
    X(int, rp_cycles, "cycle", "precharge to activate (nRP)")                                                          \
    X(int, ras_cycles, "cycle", "activate to precharge (nRAS)")                                                        \
    X(int, rtp_cycles, "cycle", "MAC to precharge (nRTPL)")                                                            \
    X(int, rtp_short_cycles, "cycle", "the same across bank groups (nRTPS)")                                           \
    X(int, rfc_cycles, "cycle", "a refresh of all banks (nRFC)")                                                       \
    X(int, refi_cycles, "cycle", "refresh to refresh (nREFI)")                                                         \
    X(int, mac_cycles, "cycle", "MAC to MAC")                                                                          \
    X(int, mac_limited_cycles, "cycle", "MAC to MAC under the power limit")                                            \
    X(int, move_cycles, "cycle", "transfer to transfer, different bank groups (nCCDS)")                                \
    X(int, move_same_cycles, "cycle", "transfer to transfer, same bank group (nCCDL)")                                 \
    X(int, queue, "1", "commands that a channel's controller looks ahead")                                             \
    X(int, power_limited, "1", "1: MACs keep the distance of the power limit")                                         \
    X(double, external_bytes_per_s, "byte/s", "bandwidth of a stack to outside")                                       \
    X(double, softmax_ops_per_s, "1/s", "arithmetic of a stack's softmax unit")                                        \
    X(double, row_fj_per_bit, "fJ/bit", "activating a row")                                                            \
    X(double, array_fj_per_bit, "fJ/bit", "column of an open row to the edge of its bank")                             \
    X(double, group_fj_per_bit, "fJ/bit", "bank to the edge of the bank group")                                        \
    X(double, channel_fj_per_bit, "fJ/bit", "bank group to the through-silicon vias")                                  \
    X(double, via_fj_per_bit, "fJ/bit", "through-silicon vias to the buffer die")                                      \
    X(double, interface_fj_per_bit, "fJ/bit", "buffer die to outside of the stack")                                    \
    X(double, mac_fj, "fJ", "one multiplication and addition")                                                         \
    X(double, softmax_fj_per_op, "fJ", "one operation of the softmax unit")                                            \
    X(double, buffer_fj_per_byte, "fJ/byte", "reading or writing the buffers of softmax unit and processing units")    \
    X(double, refresh_fj, "fJ", "refreshing all banks of a channel once")                                              \
    X(double, idle_mw, "mW", "a stack without work, refresh not counted")

/* A profile is plain data: copy it and change a constant to ask "what if". */
struct hbm_pim_profile {
#define X(type, field, unit, meaning) type field;
    HBM_PIM_CONSTANTS(X)
#undef X
};

/* A step of the score: so many tokens of each of token_ways. */
enum { HBM_PIM_TOKENS_PER_CHUNK = 16 };

/* Commands of one head on its channel, for one query. */
struct hbm_pim_work {
    int64_t macs;        /* of the score, and as many of the context */
    int64_t columns;     /* x: column groups of the head's width */
    int64_t queries_in;  /* transfers of the query vector into the processing units' buffers */
    int64_t chunks;      /* steps of the score: 16 tokens of each of token_ways */
    int64_t scores_out;  /* transfers of scores to the softmax unit */
    int64_t weights_in;  /* transfers of weights back */
    int64_t results_out; /* transfers of the result */
};

/* Local. NULL, or what is wrong with a profile ("stacks: expected ..., found ..."), written into `text`. */
const char *hbm_pim_problem(const struct hbm_pim_profile *pim, char *text, size_t size);

/* Local. token_ways q, width_ways u and units (banks that one MAC reads): 16, 4, 64 at banks; 16, 1, 16 at bank groups;
 * 2, 1, 2 on the buffer die. */
int hbm_pim_token_ways(const struct hbm_pim_profile *pim);
int hbm_pim_width_ways(const struct hbm_pim_profile *pim);
int hbm_pim_units(const struct hbm_pim_profile *pim);

/* Local. Cycles from MAC to MAC: the power limit counts; a buffer die streams at the rate of its channel. */
int64_t hbm_pim_mac_interval(const struct hbm_pim_profile *pim);

/* Local. The commands of one head. L, width or bytes of 0 are a bug. */
struct hbm_pim_work hbm_pim_work(const struct hbm_pim_profile *pim, int64_t tokens, int64_t width, int element_bytes);

/* Local. Channels of a device; bytes of a stack. */
int hbm_pim_channels(const struct hbm_pim_profile *pim);
uint64_t hbm_pim_stack_bytes(const struct hbm_pim_profile *pim);

/* Local. Tokens between two values of L at which the cost of a head changes: 16 or 2. */
int64_t hbm_pim_token_step(const struct hbm_pim_profile *pim);

/* One KV head on its channel: `tokens` of `width` elements, read by `queries` query heads that share it (grouped
 * queries): every MAC command is issued once for each of them while the column's row is open, so rows are opened and
 * closed once for all. */
struct hbm_pim_head {
    int64_t tokens, width;
    int element_bytes, queries;
};

/* Local. Time of one head alone on its channel, in ps: query in, score, softmax, weights in, context, result out, row
 * switches; refresh as its share of the time, 1 / (1 - loss / refi_cycles). The command replica of hbm_pim_channel.h.
 */
uint64_t hbm_pim_head_ps(const struct hbm_pim_profile *pim, const struct hbm_pim_head *head);

/* Local. The same with other heads before and behind it on the channel, whose MACs hide its transfers and its softmax:
 *     max(MACs of score and context with row switches,  transfers,  softmax) / (1 - loss / refi_cycles)
 * Closed form; loss of a refresh: rfc + 1 - rp at banks (it waits for a row switch), else rtp_short + 1 + rfc + rcd -
 * mac. */
uint64_t hbm_pim_stream_ps(const struct hbm_pim_profile *pim, const struct hbm_pim_head *head);

/* Local. Start and end of a channel with two or more heads, where nothing hides the transfers: the first query in, the
 * first row, the last result out. */
uint64_t hbm_pim_fill_ps(const struct hbm_pim_profile *pim, const struct hbm_pim_head *head);

/* Local. A head's time in the softmax unit, of which a channel has its share: 5 tokens queries / (ops_per_s /
 * channels). Overlapped when the channel has another head to work on, else part of hbm_pim_head_ps. */
uint64_t hbm_pim_softmax_ps(const struct hbm_pim_profile *pim, const struct hbm_pim_head *head);

/* Local. What one head costs: time_ps = hbm_pim_head_ps; energy of
 *   DRAM     rows opened (whole rows, in all banks a command works in), columns read to the processing units, transfers
 *            between them and the buffer die, query and result through the stack's interface: bits times pJ/bit
 *   COMPUTE  multiply-adds of score and context, issued lanes, and 5 operations per element of softmax
 *   SRAM     buffers: vector part per MAC, scores in and weights out of the softmax unit
 * flops 4 tokens width queries + 5 tokens queries, bytes read in the banks. Refresh is in hbm_pim_static_mw. */
void hbm_pim_head_cost(const struct hbm_pim_profile *pim, const struct hbm_pim_head *head, struct cost *cost);

/* Local. Keys and values of `vectors` new (token, KV head) pairs, from outside: time at the stacks' external bandwidth
 * and one row cycle; each of both opens a row in width_ways banks. Energy in ENERGY_DRAM; the link to the device is the
 * caller's. 0 is a bug. */
void hbm_pim_append_cost(const struct hbm_pim_profile *pim, uint64_t vectors, int64_t width, int element_bytes,
                         struct cost *cost);

/* Local. `bytes` of KV in or out of the device in whole rows, all stacks at once (a prefill's KV, a prefill that reads
 * KV elsewhere, a swap). 0 bytes is a bug. */
void hbm_pim_stream_bytes_cost(const struct hbm_pim_profile *pim, uint64_t bytes, struct cost *cost);

/* Local. Bytes that one token's keys and values take: 2 * heads * width * element_bytes * layers; width is rounded up
 * to whole columns of the mapping. */
uint64_t hbm_pim_token_bytes(const struct hbm_pim_profile *pim, int64_t layers, int64_t heads, int64_t width,
                             int element_bytes);

/* Local. Tokens that a device holds for a model that keeps `heads` KV heads of `layers` layers here. Heads of one layer
 * and sequence lie in different channels as far as there are channels. */
uint64_t hbm_pim_capacity_tokens(const struct hbm_pim_profile *pim, int64_t layers, int64_t heads, int64_t width,
                                 int element_bytes);

/* Local. Power of a device without work: idle and refresh. */
uint64_t hbm_pim_static_mw(const struct hbm_pim_profile *pim);

#endif
