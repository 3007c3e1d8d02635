/* traffic.h - the traffic family: factorised attention over a field of stations, first over time, then over space.
 *
 *   z[b,t,n] = in(x[b,t,n]) + emb.node[n] + emb.tod[tod[b,t]] + emb.pos[t]                    x [B,T,N,C], z [B,T,N,d]
 *   per layer l: z += l{l}.t.wo(attention over t of l{l}.t.wqkv(LN(z)))       separately for each sample and station
 *                z += l{l}.s.wo(attention over n of l{l}.s.wqkv(LN(z)))       separately for each sample and step
 *                z += l{l}.f.w2(GELU(l{l}.f.w1(LN(z))))
 *   y[b,k,n] = out(LN(z) of all steps of station n)[k] (+ x[b,T-1,n,0] with `residual`)       y [B,H,N]
 *
 * No mask, no dropout but that of adapters. The layers work on z as it lies in memory: attention over time reads
 * interleaved samples (kernel/op.h), and only the output turns [T,N] into [N,T]. Each residual sum is one op with the
 * norm that follows.
 *
 * Parameter names are those of the published layout of golden tensors, in this order: in.w [d,C], in.b, emb.node [N,d],
 * emb.tod [S,d], emb.pos [T,d]; of each layer l{l}.{t,s,f}.ln.{g,b}, .wqkv [3d,d] .bqkv .wo [d,d] .bo, and
 * l{l}.f.w1 [f,d] .b1 .w2 [d,f] .b2; out.ln.{g,b}, out.w [H,T*d], out.b. Weights are [out, in], as everywhere here;
 * that layout's files have [in, out]. q, k and v are the three thirds of wqkv, in this order. Adapters (adapted.h) are
 * l{l}.{t,s}.{wq,wk,wv,wo} and l{l}.f.{w1,w2} with .lora_a and .lora_b: a target of a job (q, k, v, o, ffn0, ffn1)
 * means both attentions of a layer.
 */
#ifndef MODEL_TRAFFIC_H
#define MODEL_TRAFFIC_H

#include <stdint.h>

#include "base/status.h"
#include "graph/graph.h"
#include "model/adapted.h"

struct traffic_config {
    int64_t steps, stations, channels; /* T, N, C: a sample of x is [T,N,C] */
    int64_t horizon;                   /* H */
    int64_t slots;                     /* S: times of the day, the values of tod are 0 .. S-1 */
    int64_t d_model, heads, layers, ffn;
    int residual; /* the output is added to the last value of channel 0 */
    enum loss_kind loss;
    double huber_delta;
    int masked; /* targets have a mask */
    struct adapter_config adapter;
    struct pieces pieces;
};

/* Local. The preset "traffic": 12 steps, 207 stations, one channel, 12 steps ahead, 288 slots; d 64, 4 heads, 2 layers,
 * ffn 128, residual. */
struct traffic_config traffic_preset(void);

/* Local. Refuses impossible shapes with STATUS_USAGE and the job key to change. */
enum status traffic_check(const struct traffic_config *config, struct fault *fault);

/* Local. Builds forward and loss for `samples` samples, as encoder_build does. The first node is LOAD: x [B,T,N,C],
 * target [B,H*N] (horizon-major), mask (when `masked`), tod [B,T]. */
void traffic_build(const struct traffic_config *config, int64_t samples, int training, struct graph *graph);

#endif
