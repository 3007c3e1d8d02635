/* hbm_pim_gemv.h - products of vectors with a weight that lies in the banks: feed-forward co-processing. Pure.
 *
 * A weight [out, in] is cut over all channels of a device: its rows over the stacks; within a stack over `pieces` of
 * the channels by columns and over the others by rows, pieces = 1, 2, 4, ... whatever takes least time. In a channel
 * the rows lie as the keys of a head do (hbm_pim.h: rows over bank groups, columns over the banks of a group), and a
 * vector is multiplied as in a score. With L rows and D columns of a channel:
 *
 *     vector in  u x transfers;    MACs  ceil(L / q) x;    results out  p ceil(L / (16 q)) transfers
 *     the stack's softmax unit     adds the pieces' partial results and the bias, and does the activation
 *
 * The weight is read from the banks again for every vector, as published. Vectors follow each other: the device takes
 *
 *     vectors * max(MACs with row switches, transfers, unit, interface of the stack) + fill
 *
 * with refresh as its share of the time, fill being the first vector's way in and the last one's way out. The interface
 * brings each vector to every stack and takes each stack's rows of the result away; the link to the device is the
 * caller's.
 */
#ifndef DEVICE_HBM_PIM_GEMV_H
#define DEVICE_HBM_PIM_GEMV_H

#include "device/hbm_pim.h"

struct hbm_pim_gemv {
    int64_t vectors, in, out;
    int element_bytes;
    int unit_ops; /* of the softmax unit on each result: bias 1, activation HBM_PIM_ACTIVATION_OPS; 0: none */
};

/* GELU, ReLU or SiLU of one element; a SiLU with the product that a gate needs. Source: the public AttAcc simulator
 * counts 8 and 9 FLOP. */
enum { HBM_PIM_ACTIVATION_OPS = 8, HBM_PIM_GATE_OPS = 9 };

/* Local. The pieces chosen, 1 .. channels of a stack. */
int64_t hbm_pim_gemv_pieces(const struct hbm_pim_profile *pim, const struct hbm_pim_gemv *gemv);

/* Local. Time and energy:
 *   DRAM     rows opened, columns read, transfers in a stack, vectors and results through the interface
 *   COMPUTE  multiply-adds of issued lanes, operations of the softmax unit
 *   SRAM     buffers: vector part per MAC, transfers
 * flops 2 vectors in out + the unit's, bytes read in the banks. Sizes of 0 are a bug. */
void hbm_pim_gemv_cost(const struct hbm_pim_profile *pim, const struct hbm_pim_gemv *gemv, struct cost *cost);

/* Local. `elements` of which each takes `ops` operations of the softmax units, dealt to all stacks: a gate. They come
 * from the units and stay there. 0 is a bug. */
void hbm_pim_unit_cost(const struct hbm_pim_profile *pim, int64_t elements, int ops, int element_bytes,
                       struct cost *cost);

#endif
